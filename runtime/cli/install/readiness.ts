/**
 * Waits until what was applied works: the PKI is made, CA, webhook and signer are ready, the API server trusts the webhook.
 * @module
 */
import type { V1ConfigMap, V1Deployment, V1Job, V1MutatingWebhookConfiguration, V1Pod } from '@kubernetes/client-node';
import { PkiFile, PkiObject } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { AutocertError, messageOf } from '../../lib/errors.ts';
import type { Sleep } from '../../lib/loops.ts';
import { stuckContainers, unscheduled } from '../stuck.ts';
import { printable } from '../terminal.ts';
import { labelOf } from './bundle.ts';
import type { PlannedObject } from './changes.ts';

type Api = Pick<KubernetesApi, 'get' | 'request'>;

/** How far something is. */
interface Progress {
  readonly done: boolean;
  readonly text: string;
}

/** Something that is waited for. */
interface Awaited {
  readonly label: string;
  readonly look: () => Promise<Progress>;
}

/** Effects and bounds of the wait. */
export interface Patience {
  readonly timeoutMs: number;
  readonly sleep: Sleep;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 1_000;
/** What is still waited for is said again after this time. */
const SAY_EVERY_MS = 15_000;
/** Pods whose troubles are told. */
const MAX_TROUBLES = 5;

/**
 * Waits.
 * @returns how much was waited for
 * @throws Error with what is not ready, and why its pods are not, when the time is over or a Job has failed
 */
export async function awaitReady(
  api: Api,
  objects: readonly PlannedObject[],
  namespace: string,
  patience: Patience,
): Promise<number> {
  const { timeoutMs, sleep, now, say, signal } = patience;
  const everything = awaitedOf(api, objects, namespace);
  const end = now() + timeoutMs;
  let open = everything;
  for (let sayAt = now() + SAY_EVERY_MS; ; ) {
    signal.throwIfAborted();
    const looks = await Promise.all(open.map(async (each) => ({ ...each, ...(await lookAt(each)) })));
    for (const { label, text } of looks.filter(({ done }) => done)) say(`${label}  ${text}`);
    open = looks.filter(({ done }) => !done);
    if (open.length === 0) return everything.length;
    const left = looks.filter(({ done }) => !done).map(({ label, text }) => `${label}  ${text}`);
    if (now() >= end) throw new Error(await failureText(api, namespace, left, timeoutMs));
    if (now() >= sayAt) {
      for (const line of [...left, ...(await troubles(api, namespace))]) say(`waiting: ${line}`);
      sayAt = now() + SAY_EVERY_MS;
    }
    await sleep(LOOK_EVERY_MS, signal);
  }
}

/** An API server that does not answer for a moment is asked again. */
async function lookAt({ look }: Awaited): Promise<Progress> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof AutocertError && error.code === 'UNAVAILABLE') return { done: false, text: messageOf(error) };
    throw error;
  }
}

function awaitedOf(api: Api, objects: readonly PlannedObject[], namespace: string): Awaited[] {
  const looks: Readonly<Record<string, (path: string) => () => Promise<Progress>>> = {
    Job: (path) => async () => jobProgress(await ifFound(api.get<V1Job>(path)), path),
    Deployment: (path) => async () => workloadProgress(await api.get<V1Deployment>(path)),
    StatefulSet: (path) => async () => workloadProgress(await api.get<V1Deployment>(path)),
    MutatingWebhookConfiguration: (path) => async () =>
      webhookProgress(await api.get<V1MutatingWebhookConfiguration>(path)),
  };
  const own = objects.flatMap((object) => {
    const look = looks[object.kind]?.(object.path);
    return look ? [{ label: labelOf(object), look }] : [];
  });
  const path = `/api/v1/namespaces/${namespace}/configmaps/${PkiObject.certificates}`;
  const certificates: Awaited = {
    label: `configmap/${PkiObject.certificates}`,
    look: async () => certificateProgress(await ifFound(api.get<V1ConfigMap>(path))),
  };
  return objects.some(({ kind, name }) => kind === 'StatefulSet' && name === 'ca') ? [certificates, ...own] : own;
}

function jobProgress(job: V1Job | undefined, path: string): Progress {
  // It goes a day after it has finished.
  if (!job) return { done: true, text: 'has finished' };
  const is = (type: string) => job.status?.conditions?.find((each) => each.type === type && each.status === 'True');
  const failed = is('Failed');
  const [, namespace, name] = /\/namespaces\/([^/]+)\/jobs\/([^/]+)$/.exec(path) ?? [];
  if (failed) {
    throw new Error(
      printable(`job/${name} has failed: ${failed.message ?? ''}: see kubectl -n ${namespace} logs job/${name}`),
    );
  }
  return is('Complete') ? { done: true, text: 'complete' } : { done: false, text: 'is running' };
}

function workloadProgress({ metadata, spec, status }: V1Deployment): Progress {
  const wanted = spec?.replicas ?? 1;
  const { observedGeneration = 0, updatedReplicas = 0, readyReplicas = 0 } = status ?? {};
  const isSeen = observedGeneration >= (metadata?.generation ?? 0);
  const done = isSeen && updatedReplicas >= wanted && readyReplicas >= wanted;
  return { done, text: `${readyReplicas} of ${wanted} ready` };
}

function webhookProgress({ webhooks = [] }: V1MutatingWebhookConfiguration): Progress {
  const done = webhooks.every(({ clientConfig }) => clientConfig.caBundle);
  return { done, text: done ? 'trusted by the API server' : 'has no caBundle yet, which the signer writes' };
}

function certificateProgress(map: V1ConfigMap | undefined): Progress {
  const done = map?.data?.[PkiFile.root] !== undefined;
  return { done, text: done ? 'the PKI is made' : 'is not there yet: the PKI is being made' };
}

async function failureText(api: Api, namespace: string, left: readonly string[], timeoutMs: number): Promise<string> {
  const lines = [...left, ...(await troubles(api, namespace))].map((line) => `  ${line}`);
  return `applied, and not ready after ${Math.round(timeoutMs / 1000)} s:
${lines.join('\n')}
Look at kubectl -n ${namespace} get pods,events, and run autocert install again: it goes on where it is.`;
}

/** Why pods of the namespace do not run, such as an image that is nowhere. */
async function troubles(api: Api, namespace: string): Promise<string[]> {
  const query = { limit: '100' };
  try {
    const list = await api.request<{ items?: readonly V1Pod[] }>('GET', `/api/v1/namespaces/${namespace}/pods`, {
      query,
    });
    return (list.items ?? []).flatMap(troubleOf).slice(0, MAX_TROUBLES);
  } catch {
    return []; // only what would have helped is missing
  }
}

function troubleOf(pod: V1Pod): string[] {
  const name = `pod/${pod.metadata?.name}`;
  const nowhere = unscheduled(pod);
  if (nowhere !== undefined) return [printable(`${name}: no node takes it: ${nowhere}`)];
  const [stuck] = stuckContainers(pod);
  return stuck ? [printable(`${name}: ${stuck.reason}: ${stuck.message}`)] : [];
}
