/**
 * Puts the root into the webhook's configuration, by which the API server verifies the webhook.
 * @module
 */
import type { V1MutatingWebhookConfiguration } from '@kubernetes/client-node';
import { DOMAIN } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { sleep } from '../lib/loops.ts';
import type { ClusterPort } from './cluster-objects.ts';

/** `set`: now; `current`: it was there already; `none`: there is no webhook. */
export type CaBundleOutcome = 'set' | 'current' | 'none';

/** How long and how often to look for the configuration. */
export interface CaBundleOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly webhookWaitMs?: number;
  readonly pollMs?: number;
}

/** Name of the webhook within its configuration. */
const WEBHOOK_NAME = DOMAIN;
/** Owner of the field `caBundle`: whoever applies the manifests owns the rest, so that they never undo each other's work. */
const FIELD_MANAGER = 'autocert-init';

/** Writes `rootPem` as `caBundle`, by server-side apply of that one field. */
export async function putCaBundle(
  api: ClusterPort,
  name: string,
  rootPem: string,
  options: CaBundleOptions,
): Promise<CaBundleOutcome> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`;
  const caBundle = Buffer.from(rootPem).toString('base64');
  const webhook = (await findConfiguration(api, path, name, options)).webhooks?.find(
    (one) => one.name === WEBHOOK_NAME,
  );
  if (webhook === undefined) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `MutatingWebhookConfiguration ${name} has no webhook named ${WEBHOOK_NAME}`,
    );
  }
  if (webhook.clientConfig?.caBundle === caBundle) {
    options.log.info({ webhookConfiguration: name }, 'caBundle is current');
    return 'current';
  }
  const body = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [{ name: WEBHOOK_NAME, clientConfig: { caBundle } }],
  };
  await api.apply(path, body, FIELD_MANAGER);
  options.log.info({ webhookConfiguration: name }, 'caBundle set');
  return 'set';
}

/** Waits for the configuration: one `kubectl apply` sends the Job's manifest and the webhook's, in this order. */
async function findConfiguration(
  api: ClusterPort,
  path: string,
  name: string,
  { log, signal, webhookWaitMs = 120_000, pollMs = 1_000 }: CaBundleOptions,
): Promise<V1MutatingWebhookConfiguration> {
  const until = Date.now() + webhookWaitMs;
  for (let attempt = 0; ; attempt++) {
    const configuration = await ifFound(api.get<V1MutatingWebhookConfiguration>(path));
    if (configuration) return configuration;
    if (Date.now() >= until) {
      throw new AutocertError(
        'UNAVAILABLE',
        `MutatingWebhookConfiguration ${name} is not there after ${webhookWaitMs / 1000} s: apply the webhook's manifests, then run this Job again`,
      );
    }
    if (attempt === 0) log.info({ webhookConfiguration: name }, 'waiting for the webhook to be applied');
    await sleep(pollMs, signal);
    signal.throwIfAborted();
  }
}
