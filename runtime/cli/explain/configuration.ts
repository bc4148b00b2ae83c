/**
 * How Autocert is set up: the webhook's configuration, or, where there is no webhook (`Injector.policy()`), the signer's,
 * whose policy the API server's own injection goes by.
 * @module
 */
import type { V1ConfigMap, V1Service } from '@kubernetes/client-node';
import type { PolicyConfig } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { AutocertError } from '../../lib/errors.ts';
import { isRecord, object, readJson } from '../../lib/validator.ts';
import { POLICY, POLICY_CHECKS } from '../../policy/config.ts';
import { parseWebhookConfig } from '../../webhook/config.ts';
import { type Manifest, objectsIn } from '../manifests.ts';
import { inNamespace } from '../rights.ts';
import type { InjectorConfig } from './injection.ts';

/** The ConfigMaps, and the key that both have. */
const CONFIG = { webhook: 'autocert-config', signer: 'autocert-signer-config', key: 'config.json' } as const;

const invalid = (message: string) => new AutocertError('INVALID_INPUT', message);

/**
 * The configuration in a file: the webhook's itself, or a manifest that has its ConfigMap, or else the signer's.
 * @throws AutocertError `INVALID_CONFIG` with every fault, `INVALID_INPUT` where there is none
 */
export function configIn({ text, source }: { readonly text: string; readonly source: string }): InjectorConfig {
  const objects = objectsIn(text, source);
  const [first] = objects;
  if (objects.length === 1 && first && first.kind === undefined) return parseWebhookConfig(text, source);
  const found = (name: string) =>
    objects.find(({ kind, metadata }) => kind === 'ConfigMap' && isRecord(metadata) && metadata.name === name);
  const [webhook, signer] = [textOf(found(CONFIG.webhook)), textOf(found(CONFIG.signer))];
  if (webhook !== undefined) return parseWebhookConfig(webhook, source);
  if (signer !== undefined) return policyInjection(signer, source);
  throw invalid(`${source} has no ConfigMap ${CONFIG.webhook}, and is no configuration: name a file with either`);
}

/**
 * The configuration by which Autocert runs in a cluster.
 * @throws AutocertError `INVALID_CONFIG` with every fault, `INVALID_INPUT` where there is none; what the API server refuses
 */
export async function configOfCluster(
  cluster: { readonly api: Pick<KubernetesApi, 'get'> } | undefined,
  namespace: string,
  addressOf: typeof apiServerAddress = apiServerAddress,
): Promise<InjectorConfig> {
  if (!cluster) throw invalid('without a cluster, --config FILE has to say how Autocert is set up');
  const { api } = cluster;
  const read = async (name: string) => {
    const needed = {
      rights: `the verb get for configmap/${name}`,
      canI: `get configmap/${name}`,
      flag: '--autocert-namespace',
    };
    const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
    return textOf(await inNamespace(namespace, needed, () => ifFound(api.get<V1ConfigMap>(path))));
  };
  const source = (name: string) => `configmap/${name} of namespace ${namespace}`;
  const webhook = await read(CONFIG.webhook);
  if (webhook !== undefined) {
    return parseWebhookConfig(webhook, source(CONFIG.webhook), await addressOf(api));
  }
  const signer = await read(CONFIG.signer);
  if (signer !== undefined) return policyInjection(signer, source(CONFIG.signer));
  throw invalid(
    `there is no ${source(CONFIG.webhook)}: is Autocert elsewhere (--autocert-namespace), or not installed?`,
  );
}

/** The running webhook is told this address by kubelet, and reserves it. */
async function apiServerAddress(api: Pick<KubernetesApi, 'get'>): Promise<string | undefined> {
  const path = '/api/v1/namespaces/default/services/kubernetes';
  return (await api.get<V1Service>(path).catch(() => undefined))?.spec?.clusterIP;
}

/** What keeps nobody from telling the rest: there is none, it is wrong, or the user may not read it. */
const UNKNOWN: readonly string[] = ['INVALID_INPUT', 'INVALID_CONFIG', 'FORBIDDEN'];

/**
 * The same for those who can do without, and who judge no name: the API server's address is not among those that it
 * reserves. `undefined`: it cannot be known.
 * @throws AutocertError `UNAVAILABLE`, `UNAUTHENTICATED`
 */
export async function configIfKnown(
  api: Pick<KubernetesApi, 'get'>,
  namespace: string,
): Promise<InjectorConfig | undefined> {
  try {
    return await configOfCluster({ api }, namespace, async () => undefined);
  } catch (error) {
    if (error instanceof AutocertError && UNKNOWN.includes(error.code)) return undefined;
    throw error;
  }
}

/** The MutatingAdmissionPolicy injects native delivery, and nothing else. */
function policyInjection(json: string, source: string): InjectorConfig {
  const policy = readJson(json, source, object(POLICY), ...POLICY_CHECKS) as PolicyConfig;
  return { ...policy, delivery: 'native', sidecar: 'auto' };
}

function textOf(configMap: V1ConfigMap | Manifest | undefined): string | undefined {
  const { [CONFIG.key]: text } = isRecord(configMap?.data) ? configMap.data : {};
  return typeof text === 'string' ? text : undefined;
}
