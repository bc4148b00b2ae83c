/**
 * The certificates of the PKI, each below the one that has issued it. Pure.
 * @module
 */
import type { Authority, Installation } from '../observed/installation.ts';
import type { ServingCertificate } from './serving.ts';

/** One certificate. */
export interface TreeNode {
  readonly kind: 'root' | 'intermediate' | 'serving';
  readonly name: string;
  /** SHA-256, lower-case hex; of a serving certificate its first digits. */
  readonly fingerprint: string;
  /** RFC 3339. */
  readonly notAfter: string;
  readonly children: readonly TreeNode[];
}

/** Roots, below each its intermediates, and below the first of these, by which the CA issues, what Autocert serves with. */
export function certificateTree(
  { roots = [], intermediates = [] }: Installation,
  serving: readonly ServingCertificate[],
): TreeNode[] {
  const [issuing] = intermediates;
  const leaves = serving.map(({ pod, ...rest }) => node('serving', { name: pod, ...rest }));
  const branches = intermediates.map((each) => ({
    issuer: each.issuer,
    node: node('intermediate', each, each === issuing ? leaves : []),
  }));
  const below = (issuer: string | undefined) =>
    branches.filter((each) => each.issuer === issuer).map((each) => each.node);
  return [...roots.map((root) => node('root', root, below(root.fingerprint))), ...below(undefined)];
}

function node(
  kind: TreeNode['kind'],
  { name, fingerprint, notAfter }: Authority,
  children: readonly TreeNode[] = [],
): TreeNode {
  return { kind, name: name.replace(/^"(.*)"$/, '$1'), fingerprint, notAfter, children };
}
