/**
 * Keeps the `ClusterTrustBundle` from which kubelet writes `root.crt`: all roots that pods are to trust, so that during a
 * rotation they trust the old and the new, and those of federated CAs.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import type { V1beta1ClusterTrustBundle } from '@kubernetes/client-node';
import { AutocertError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { signerName, trustBundleName } from '../policy/cluster-names.ts';
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

/** The object with {@link bundleOf} `roots`, of the installation in `namespace`. */
export function trustBundleOf(roots: readonly string[], namespace: string): ClusterTrustBundle {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'ClusterTrustBundle',
    metadata: { name: trustBundleName(namespace) },
    spec: { signerName: signerName(namespace), trustBundle: bundleOf(roots) },
  };
}

/** What publishes roots; each time anew, which also mends the object. */
export function trustBundlePublisher(
  apply: (bundle: ClusterTrustBundle) => Promise<void>,
  namespace: string,
  log: Log,
): (roots: readonly string[]) => Promise<void> {
  let last = '';
  return async (roots) => {
    const bundle = trustBundleOf(roots, namespace);
    await apply(bundle);
    const { trustBundle } = bundle.spec;
    if (trustBundle !== last)
      log.info({ bundle: trustBundleName(namespace), roots: roots.length }, 'trust bundle published');
    last = trustBundle;
  };
}

/** The API refuses a whole bundle for one certificate that is not an authority's. */
function isAuthority(pem: string): boolean {
  return new X509Certificate(pem).ca;
}
