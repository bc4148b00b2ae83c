/**
 * Keeps the `ClusterTrustBundle` from which kubelet writes `root.crt`: all roots that the CA announces, so that during a
 * rotation running pods trust the old and the new.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { SIGNER_NAME, TRUST_BUNDLE_NAME } from '../contract.ts';
import { fingerprintOf } from '../x509/certificate.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

/** The object as it is applied. */
export interface ClusterTrustBundle {
  readonly apiVersion: 'certificates.k8s.io/v1';
  readonly kind: 'ClusterTrustBundle';
  readonly metadata: { readonly name: string };
  readonly spec: { readonly signerName: string; readonly trustBundle: string };
}

/** Effects. */
export interface TrustBundlePorts {
  /** The CA's roots, obtained over a verified connection. */
  readonly roots: () => Promise<readonly string[]>;
  readonly apply: (bundle: ClusterTrustBundle) => Promise<void>;
  /** Returns early when `signal` aborts; never throws. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
}

const REFRESH_MS = 60_000;
const RETRY_MS = 2000;

/** The same roots in any order give the same object. Throws `UNTRUSTED` when there is no root in `roots`. */
export function trustBundleOf(roots: readonly string[]): ClusterTrustBundle {
  const unique = new Map(roots.filter(isAuthority).map((pem) => [fingerprintOf(pem), `${pem.trim()}\n`]));
  if (unique.size === 0) throw new AutocertError('UNTRUSTED', 'the CA announces no root certificate');
  const sorted = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pem]) => pem);
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'ClusterTrustBundle',
    metadata: { name: TRUST_BUNDLE_NAME },
    spec: { signerName: SIGNER_NAME, trustBundle: sorted.join('') },
  };
}

/** Applies the bundle at once and then every minute, which also mends it; until `signal` aborts; never throws. */
export async function keepTrustBundle(ports: TrustBundlePorts, signal: AbortSignal): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    let pause = REFRESH_MS;
    try {
      const bundle = trustBundleOf(await ports.roots());
      await ports.apply(bundle);
      const { trustBundle } = bundle.spec;
      if (trustBundle !== last) ports.log.info({ bundle: TRUST_BUNDLE_NAME }, 'trust bundle published');
      last = trustBundle;
    } catch (error) {
      pause = RETRY_MS;
      ports.log.warn({ err: messageOf(error), bundle: TRUST_BUNDLE_NAME }, 'trust bundle not published');
    }
    await ports.sleep(pause, signal);
  }
}

/** The API refuses a whole bundle for one certificate that is not an authority's. */
function isAuthority(pem: string): boolean {
  return new X509Certificate(pem).ca;
}
