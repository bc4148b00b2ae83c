/**
 * The three files of a pod, read through `kubectl exec` and judged with `node:crypto`, which is not what wrote them.
 * @module
 */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { CERTIFICATE_DIR } from '../../runtime/contract.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { type WaitOptions, waitFor } from '../../scripts/cluster/shell.ts';

/** What a container finds at {@link CERTIFICATE_DIR}. */
export interface CertificateFiles {
  readonly leaf: X509Certificate;
  readonly intermediate: X509Certificate;
  /** While one root replaces the other: the new root's key, signed by the old one. */
  readonly cross: X509Certificate | undefined;
  /** That of `roots` which issued the intermediate, or else the cross certificate. */
  readonly root: X509Certificate;
  /** All that `root.crt` has, in its order. */
  readonly roots: readonly X509Certificate[];
  readonly keyPem: string;
}

/** What a test expects of a certificate. */
export interface Expected {
  readonly name: string;
  /** As `openssl` prints them, such as `DNS:a.example`. Absent: the name alone. */
  readonly sans?: readonly string[];
  /** @default 24 */
  readonly hours?: number;
}

const SEPARATOR = '=====';
const MINUTE = 60_000;

/** Reads the three files in a container that has a shell. */
export async function readFiles(
  kubectl: Kubectl,
  namespace: string,
  target: string,
  container: string,
): Promise<CertificateFiles> {
  const script = `cd ${CERTIFICATE_DIR}/..data/ 2>/dev/null || cd ${CERTIFICATE_DIR}; cat site.crt; echo ${SEPARATOR}; cat site.key; echo ${SEPARATOR}; cat root.crt`;
  const text = await kubectl.exec(namespace, target, container, ['/bin/sh', '-c', script]);
  return parseFiles(text.split(SEPARATOR));
}

/** Reads until another certificate than `before` is there, and asserts that it has another key. */
export async function renewedFiles(
  what: string,
  before: CertificateFiles | undefined,
  read: () => Promise<CertificateFiles>,
  options: WaitOptions,
): Promise<CertificateFiles> {
  assert(before, `${what}: there is a certificate from before`);
  const after = await waitFor(
    `${what} to have a new certificate`,
    async () => {
      const files = await read();
      return files.leaf.serialNumber !== before.leaf.serialNumber && files;
    },
    options,
  );
  assert.notEqual(after.keyPem, before.keyPem, `${what}: a new key`);
  return after;
}

/** Parses the contents of `site.crt`, `site.key` and `root.crt`. */
export function parseFiles([site = '', keyPem = '', rootPem = '']: readonly string[]): CertificateFiles {
  const [leaf, intermediate, cross, ...more] = certificatesIn(site);
  const roots = certificatesIn(rootPem);
  assert(leaf && intermediate && more.length === 0, `site.crt has leaf and intermediate:\n${site}`);
  const issuerOf = (issued?: X509Certificate) =>
    roots.find((one) => issued?.checkIssued(one) && issued.verify(one.publicKey));
  const root = issuerOf(intermediate) ?? issuerOf(cross);
  assert(root, `root.crt has the root of the intermediate:\n${site}${rootPem}`);
  return { leaf, intermediate, cross, root, roots, keyPem };
}

/** Asserts names, lifetime, key, and that the chain, whose end {@link parseFiles} has found, begins at the leaf. */
export function assertCertificate({ leaf, intermediate, keyPem }: CertificateFiles, expected: Expected): void {
  assert.equal(leaf.subject, `CN=${expected.name}`);
  assert.equal(leaf.subjectAltName, (expected.sans ?? [`DNS:${expected.name}`]).join(', '));
  assert(leaf.checkPrivateKey(createPrivateKey(keyPem)), 'site.key is the key of site.crt');
  assert(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey), 'the intermediate signed the leaf');
  const lifetime = leaf.validToDate.getTime() - leaf.validFromDate.getTime();
  const wanted = (expected.hours ?? 24) * 60 * MINUTE;
  // The back-dated minute may count or not, and kubelet rounds.
  assert(Math.abs(lifetime - wanted) <= 2 * MINUTE, `lifetime is ${lifetime / MINUTE} min, wanted ${wanted / MINUTE}`);
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
