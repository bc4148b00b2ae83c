/**
 * Keeps the `caBundle` of the webhook's configuration, by which the API server trusts the webhook: it is written whenever
 * it is missing (the configuration was deleted and applied again) or is not what Autocert is trusted by (the CA's roots
 * have changed).
 * @module
 */
import type { V1MutatingWebhookConfiguration } from '@kubernetes/client-node';
import { DOMAIN } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { sameCertificates, splitPem } from '../x509/certificate.ts';
import { bundleOf } from './trust-bundle.ts';

/** Effects. */
export interface CaBundlePorts {
  /** Name of the MutatingWebhookConfiguration; `undefined`: there is no webhook. */
  readonly configuration: () => string | undefined;
  /** Roots that Autocert is trusted by, each PEM; empty until they are known. */
  readonly anchors: () => readonly string[];
  readonly read: (name: string) => Promise<V1MutatingWebhookConfiguration | undefined>;
  /** Writes `caBundle`, base64. */
  readonly apply: (name: string, caBundle: string) => Promise<void>;
  /** Learns after each look whether `caBundle` is right. */
  readonly onLook: (isCurrent: boolean) => void;
  readonly log: Log;
}

/** What looks at the configuration once, and mends it. That there is no configuration is said once, and no failure. */
export function caBundleKeeper(ports: CaBundlePorts): () => Promise<void> {
  let missing: string | undefined;
  return async () => {
    const name = ports.configuration();
    const anchors = ports.anchors();
    // Whoever reads the roots reports why there are none.
    if (name === undefined || anchors.length === 0) return;
    let isCurrent = false;
    try {
      const found = await ports.read(name);
      if (found !== undefined) await mend(ports, name, found, anchors);
      else if (missing !== name) {
        ports.log.info(
          { webhookConfiguration: name },
          'there is no such MutatingWebhookConfiguration: caBundle waits for it',
        );
      }
      missing = found === undefined ? name : undefined;
      isCurrent = found !== undefined;
    } finally {
      ports.onLook(isCurrent);
    }
  };
}

async function mend(
  { apply, log }: CaBundlePorts,
  name: string,
  { webhooks = [] }: V1MutatingWebhookConfiguration,
  anchors: readonly string[],
): Promise<void> {
  const webhook = webhooks.find((one) => one.name === DOMAIN);
  if (webhook === undefined) {
    const problem = `MutatingWebhookConfiguration ${name} has no webhook named ${DOMAIN}: apply Autocert's manifests again`;
    throw new AutocertError('INVALID_CONFIG', problem);
  }
  const current = webhook.clientConfig.caBundle ?? '';
  if (consistsOf(current, anchors)) return;
  await apply(name, Buffer.from(bundleOf(anchors)).toString('base64'));
  const fields = { webhookConfiguration: name, roots: anchors.length };
  log.info(fields, current === '' ? 'caBundle was empty: set' : "caBundle was not the CA's roots: set");
}

/** Whether a `caBundle` holds exactly these certificates, however they are ordered and written. */
function consistsOf(caBundle: string, roots: readonly string[]): boolean {
  try {
    return sameCertificates(splitPem(Buffer.from(caBundle, 'base64').toString()), roots);
  } catch {
    // What nobody can read is not right.
    return false;
  }
}
