/**
 * `autocert renew`: has certificates replaced before their time, by a note that Autocert passes on to its agents.
 * @module
 */
import type { V1ConfigMap } from '@kubernetes/client-node';
import { PART_OF, RENEW_ALL, RENEWALS_CONFIG_MAP } from '../contract.ts';
import { type KubernetesApi, MERGE_PATCH } from '../kubernetes/client.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';
import { POD_CERTIFICATE } from '../policy/lifetimes.ts';
import { checkNamespaceName, inNamespace, type NeededRights } from './rights.ts';

/** Flags of `autocert renew`. */
export interface RenewOptions {
  readonly namespace?: readonly string[];
  readonly all?: boolean;
  /** Namespace of Autocert itself. */
  readonly systemNamespace: string;
}

/** What is needed of the Kubernetes API. */
type Api = Pick<KubernetesApi, 'get' | 'request'>;

const NEEDED: NeededRights = {
  rights: 'the verbs get, create and patch for configmaps',
  canI: `patch configmap/${RENEWALS_CONFIG_MAP}`,
  flag: '--system-namespace',
};
const FIELD_MANAGER = 'autocert-renew';
/** Entries older than any certificate are dropped. */
const FORGET_AFTER_MS = POD_CERTIFICATE.mostMs + 24 * 3_600_000;
/** Somebody else may make the ConfigMap, or delete it, in between. */
const ATTEMPTS = 3;

/**
 * Notes that certificates issued until now are to be replaced; the text for whoever asked.
 * @throws AutocertError `INVALID_INPUT`, `FORBIDDEN` with the rights that are missing, `UNAVAILABLE`
 */
export async function renew(options: RenewOptions, connect: () => Api, now: Date): Promise<string> {
  const { systemNamespace } = options;
  const keys = keysOf(options);
  const api = connect();
  for (const key of keys) if (key !== RENEW_ALL) await checkNamespace(api, key);
  const issuedBefore = now.toISOString();
  await inNamespace(systemNamespace, NEEDED, () => note(api, systemNamespace, keys, issuedBefore));
  const whose = options.all ? 'all namespaces' : `namespace${keys.length > 1 ? 's' : ''} ${keys.join(', ')}`;
  return `
Certificates of ${whose} that were issued before ${issuedBefore} are replaced within ten minutes:
by the agents of all pods with sidecar delivery, a few at a time.

Pods with native delivery are not reached: kubelet renews their certificates by itself, when their time comes.
To replace them now, restart the pods (kubectl rollout restart). See docs/native.md.
`;
}

function keysOf({ namespace = [], all = false }: RenewOptions): readonly string[] {
  if (all === namespace.length > 0) {
    throw new AutocertError('INVALID_INPUT', 'say whose certificates: --namespace NAME, or --all, not both');
  }
  if (all) return [RENEW_ALL];
  for (const name of namespace) checkNamespaceName(name);
  return [...new Set(namespace)];
}

/** A misspelt namespace would do nothing, silently. Whoever may not look is believed. */
async function checkNamespace(api: Api, name: string): Promise<void> {
  try {
    if (await ifFound(api.get(`/api/v1/namespaces/${name}`))) return;
  } catch (error) {
    if (statusOf(error) === 403) return;
    throw error;
  }
  throw new AutocertError('INVALID_INPUT', `there is no namespace ${name}: see kubectl get namespaces`);
}

/** Each entry by itself: two who do this at a time do not undo each other's. */
async function note(api: Api, namespace: string, keys: readonly string[], time: string): Promise<void> {
  const collection = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
  const path = `${collection}/${RENEWALS_CONFIG_MAP}`;
  const entries = Object.fromEntries(keys.map((key) => [key, time]));
  for (let attempt = 1; ; attempt += 1) {
    try {
      const existing = await ifFound(api.get<V1ConfigMap>(path));
      const query = { fieldManager: FIELD_MANAGER };
      if (existing) {
        const body = { data: { ...outdated(existing, Date.parse(time)), ...entries } };
        await api.request('PATCH', path, { body, query, contentType: MERGE_PATCH });
      } else {
        await api.request('POST', collection, { body: newConfigMap(namespace, entries), query });
      }
      return;
    } catch (error) {
      const isRace = [404, 409].includes(statusOf(error) ?? 0);
      if (!isRace || attempt >= ATTEMPTS) throw error;
    }
  }
}

/** Entries to drop: `null`, as a merge patch has it. */
function outdated({ data = {} }: V1ConfigMap, now: number): Record<string, null> {
  const old = Object.entries(data).filter(([, time]) => !(Date.parse(time) > now - FORGET_AFTER_MS));
  return Object.fromEntries(old.map(([key]) => [key, null]));
}

function newConfigMap(namespace: string, data: Record<string, string>): V1ConfigMap {
  const labels = { [PART_OF.key]: PART_OF.value, 'app.kubernetes.io/managed-by': FIELD_MANAGER };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: RENEWALS_CONFIG_MAP, namespace, labels }, data };
}

const statusOf = (error: unknown) => (error instanceof AutocertError ? error.status : undefined);
