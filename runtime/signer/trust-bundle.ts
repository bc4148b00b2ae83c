/**
 * Keeps the `ClusterTrustBundle` from which kubelet writes `root.crt`: all roots that pods are to trust, so that during a
 * rotation they trust the old and the new, and those of federated CAs.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { V1beta1ClusterTrustBundle } from '@kubernetes/client-node';
import { SIGNER_NAME, TRUST_BUNDLE_NAME } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { fingerprintOf } from '../x509/certificate.ts';

/** The object as it is applied. The type of v1beta1 has all that v1 has. */
export type ClusterTrustBundle = Pick<V1beta1ClusterTrustBundle, 'apiVersion' | 'kind' | 'metadata' | 'spec'>;

/** The same roots in any order give the same text. Throws `UNAVAILABLE` when there is no root in `roots`. */
export function bundleOf(roots: readonly string[]): string {
  const unique = new Map(roots.filter(isAuthority).map((pem) => [fingerprintOf(pem), `${pem.trim()}\n`]));
  if (unique.size === 0) throw new AutocertError('UNAVAILABLE', 'no root certificate is known');
  return [...unique]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, pem]) => pem)
    .join('');
}

/** The object with {@link bundleOf} `roots`. */
export function trustBundleOf(roots: readonly string[]): ClusterTrustBundle {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'ClusterTrustBundle',
    metadata: { name: TRUST_BUNDLE_NAME },
    spec: { signerName: SIGNER_NAME, trustBundle: bundleOf(roots) },
  };
}

/** What publishes roots; each time anew, which also mends the object. */
export function trustBundlePublisher(
  apply: (bundle: ClusterTrustBundle) => Promise<void>,
  log: Log,
): (roots: readonly string[]) => Promise<void> {
  let last = '';
  return async (roots) => {
    const bundle = trustBundleOf(roots);
    await apply(bundle);
    const { trustBundle } = bundle.spec;
    if (trustBundle !== last) log.info({ bundle: TRUST_BUNDLE_NAME, roots: roots.length }, 'trust bundle published');
    last = trustBundle;
  };
}

/** The API refuses a whole bundle for one certificate that is not an authority's. */
function isAuthority(pem: string): boolean {
  return new X509Certificate(pem).ca;
}
