/**
 * What a run has installed: its manifests, and the webhook's `caBundle`.
 * @module
 */
import { join } from 'node:path';
import { splitPem } from '../../runtime/x509/certificate.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import type { Context } from './context.ts';

/** Folder of the manifests that this run synthesized and applied. */
export function manifestsOf({ scratch }: Pick<Context, 'scratch'>): string {
  return join(scratch, 'dist');
}

/** The roots in the webhook's `caBundle`, PEM, as they are now. */
export async function caBundleNow(kubectl: Kubectl, registration = 'autocert'): Promise<string> {
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}';
  const bundle = await kubectl.run(['get', 'mutatingwebhookconfiguration', registration, '-o', path]);
  return Buffer.from(bundle, 'base64').toString();
}

/**
 * The same once there are some, or exactly as many as given. The webhook answers only when the API server trusts it: soon after it is ready, the
 * signer sees to that.
 */
export function caBundle(kubectl: Kubectl, roots?: number, registration?: string): Promise<string> {
  const look = async () => {
    const pem = await caBundleNow(kubectl, registration);
    const { length } = splitPem(pem);
    return (roots === undefined ? length > 0 : length === roots) && pem;
  };
  // Of another root the signer hears within a minute.
  return waitFor(`${roots ?? 'some'} root(s) in the caBundle`, look, { timeoutMs: 120_000 });
}
