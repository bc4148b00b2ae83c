/**
 * Webhooks that are asked about pods, everybody's, and the Services behind them.
 * @module
 */
import type {
  V1EndpointSlice,
  V1MutatingWebhook,
  V1MutatingWebhookConfiguration,
  V1Service,
  V1ValidatingWebhook,
} from '@kubernetes/client-node';
import type { Facts, RegisteredWebhook, ServiceState } from './facts.ts';
import type { Known, Look } from './look.ts';

const GROUP = '/apis/admissionregistration.k8s.io/v1';
/** Configurations, webhooks, and Services behind them that are looked at. */
const MAX = { configurations: 500, webhooks: 1_000, services: 30, slices: 200 } as const;

/** All that are asked when pods are created. */
export async function readWebhooks(look: Look): Promise<readonly RegisteredWebhook[] | undefined> {
  const kinds = ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration'] as const;
  const found = await Promise.all(
    kinds.map((kind) =>
      look.list(
        `${GROUP}/${kind}s`,
        `${kind}s`,
        MAX.configurations,
        ({ metadata, webhooks = [] }: V1MutatingWebhookConfiguration) =>
          webhooks.map((webhook) => registered(kind, metadata?.name ?? '', webhook)),
      ),
    ),
  );
  const [mutating, validating] = found;
  // Without the mutating ones Autocert's own would seem to be missing.
  return mutating && [...mutating, ...(validating ?? [])].flat().slice(0, MAX.webhooks);
}

function registered(
  kind: RegisteredWebhook['kind'],
  configuration: string,
  { name, failurePolicy = 'Fail', rules = [], clientConfig, ...selectors }: V1MutatingWebhook | V1ValidatingWebhook,
): RegisteredWebhook {
  const has = (list: readonly string[] | undefined, ...words: string[]) =>
    list?.some((one) => words.includes(one)) === true;
  const { service, caBundle = '' } = clientConfig;
  return {
    kind,
    configuration,
    name,
    refusesOnFailure: failurePolicy === 'Fail',
    asksForPods: rules.some(
      ({ apiGroups, resources, operations }) =>
        has(apiGroups, '', '*') && has(resources, 'pods', '*', '*/*') && has(operations, 'CREATE', '*'),
    ),
    namespaceSelector: selectors.namespaceSelector,
    objectSelector: selectors.objectSelector,
    caBundle: Buffer.from(caBundle, 'base64').toString(),
    ...(service && {
      service: {
        namespace: service.namespace,
        name: service.name,
        port: service.port ?? 443,
        path: service.path ?? '/',
      },
    }),
  };
}

/** The Services behind webhooks that are asked about pods. */
export async function readServices(look: Look, webhooks: readonly RegisteredWebhook[]): Promise<Facts['services']> {
  const asked = webhooks.filter(({ asksForPods }) => asksForPods);
  // Autocert's own goes first: of the others there may be many.
  const ours = (name: string) => Number(name === 'autocert');
  const services = asked.flatMap(({ service }) => service ?? []).sort((a, b) => ours(b.name) - ours(a.name));
  const names = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
  const some = [...names].slice(0, MAX.services);
  if (names.size > some.length) look.missed(`services of webhooks beyond the first ${MAX.services}`);
  const states = some.map(
    async ([key, { namespace, name }]) => [key, await serviceState(look, namespace, name)] as const,
  );
  return new Map(await Promise.all(states));
}

/** A Service and how many of its endpoints are ready. */
export async function serviceState(look: Look, namespace: string, name: string): Promise<Known<ServiceState>> {
  const service = await look.get<V1Service>(
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`,
    `services in namespace ${namespace}`,
  );
  if (!service) return service;
  const slices = await look.list(
    `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`,
    `endpointslices in namespace ${namespace}`,
    MAX.slices,
    ({ endpoints }: V1EndpointSlice) =>
      (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false).length,
    { labelSelector: `kubernetes.io/service-name=${name}` },
  );
  return {
    name: `${namespace}/${name}`,
    ports: service.spec?.ports?.map(({ port }) => port) ?? [],
    ready: slices?.reduce((sum, count) => sum + count, 0),
  };
}
