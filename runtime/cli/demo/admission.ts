/**
 * Sends a pod through the webhook, as the API server does, and applies its patch.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { type ErrorAnswer, WebhookPath } from '../../contract.ts';
import { AutocertError } from '../../lib/errors.ts';
import { httpsJson } from '../../lib/https.ts';
import { applyPatch, type PatchOperation } from '../json-patch.ts';
import type { Pod } from './pod-file.ts';

interface AdmissionResponse {
  readonly allowed?: boolean;
  readonly status?: { readonly message?: string };
  readonly patch?: string;
}

/**
 * The pod as the webhook makes it.
 * @throws AutocertError `FORBIDDEN` with the webhook's words, when it denies the pod
 */
export async function admit(pod: Pod, webhookUrl: string, rootPem: string): Promise<Pod> {
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      operation: 'CREATE',
      userInfo: { username: 'you' },
      object: pod,
      dryRun: false,
    },
  };
  const url = `${webhookUrl}${WebhookPath.mutate}`;
  const { status, body } = await httpsJson({ url, method: 'POST', json: review, ca: rootPem });
  const { response, error } = (body ?? {}) as { response?: AdmissionResponse } & Partial<ErrorAnswer>;
  if (!response) throw new AutocertError('UNAVAILABLE', `${url} answered ${status}: ${error?.message}`);
  if (!response.allowed) {
    throw new AutocertError('FORBIDDEN', `the webhook denies pod ${pod.metadata.name}: ${response.status?.message}`);
  }
  if (!response.patch) return pod;
  return applyPatch(pod, JSON.parse(Buffer.from(response.patch, 'base64').toString()) as PatchOperation[]);
}
