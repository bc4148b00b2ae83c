/**
 * The objects of an installation that go when it goes, in the order in which nothing gets stuck. Reads only.
 * @module
 */
import { PART_OF } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { pages } from '../../kubernetes/pages.ts';
import { AutocertError } from '../../lib/errors.ts';
import { clusterName, signerName } from '../../policy/cluster-names.ts';

/** What is read of an object. */
export interface ReadObject {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly subjects?: readonly { readonly namespace?: string }[];
  readonly roleRef?: { readonly name?: string };
  readonly webhooks?: readonly {
    readonly clientConfig?: { readonly service?: { readonly namespace?: string } };
    readonly namespaceSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  }[];
}

/** One object that goes. */
export interface Target {
  /** Such as `deployment/autocert`. */
  readonly label: string;
  readonly path: string;
}

type Api = Pick<KubernetesApi, 'request'>;

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const WEBHOOKS = `${ADMISSION}/mutatingwebhookconfigurations`;
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const MONITORING = '/apis/monitoring.coreos.com/v1';
/** By this label all of Autocert is found again. */
const OURS = { labelSelector: `${PART_OF.key}=${PART_OF.value}` };
/** Objects of a kind that an installation may have: more are not ours. */
const MAX_OF_A_KIND = 1_000;

/**
 * What sends pods to Autocert, or refuses for it.
 * @throws AutocertError what the API server answers, unless it is that it has no such kind
 */
export async function injectors(api: Api, namespace: string): Promise<Target[]> {
  const name = clusterName('autocert', namespace);
  return [
    ...targets('mutatingwebhookconfiguration', WEBHOOKS, await registrations(api, namespace)),
    ...(await policies(api, 'validating', [name, clusterName('autocert-annotations', namespace)])),
    ...(await policies(api, 'mutating', [name])),
  ];
}

/**
 * The registrations of the webhook of this installation: another one has its own.
 * @throws as {@link injectors}
 */
export async function registrations(api: Api, namespace: string): Promise<ReadObject[]> {
  const all = await listed(api, WEBHOOKS, OURS);
  return all.filter((each) =>
    each.webhooks?.every(({ clientConfig }) => clientConfig?.service?.namespace === namespace),
  );
}

/**
 * What runs, its rights, and what limits them. What the signer would make again comes after its rights.
 * @throws as {@link injectors}
 */
export async function workloads(api: Api, namespace: string): Promise<Target[]> {
  const within = (root: string) => `${root}/namespaces/${namespace}`;
  const kinds = [
    ['deployment', `${within('/apis/apps/v1')}/deployments`],
    ['statefulset', `${within('/apis/apps/v1')}/statefulsets`],
    ['cronjob', `${within('/apis/batch/v1')}/cronjobs`],
    ['job', `${within('/apis/batch/v1')}/jobs`],
    ['service', `${within('/api/v1')}/services`],
    ['poddisruptionbudget', `${within('/apis/policy/v1')}/poddisruptionbudgets`],
    ['podmonitor', `${within(MONITORING)}/podmonitors`],
    ['prometheusrule', `${within(MONITORING)}/prometheusrules`],
    ['rolebinding', `${within(RBAC)}/rolebindings`],
    ['role', `${within(RBAC)}/roles`],
    ['serviceaccount', `${within('/api/v1')}/serviceaccounts`],
  ] as const;
  const found = await Promise.all(kinds.map(([kind, path]) => all(api, kind, path)));
  const bundles = '/apis/certificates.k8s.io/v1/clustertrustbundles';
  const ofSigner = { fieldSelector: `spec.signerName=${signerName(namespace)}` };
  return [
    ...found.flat(),
    ...(await clusterRoles(api, namespace)),
    ...(await policies(api, 'validating', [clusterName('autocert-signer', namespace), `autocert-init-${namespace}`])),
    ...targets('clustertrustbundle', bundles, await listed(api, bundles, ofSigner)),
  ];
}

/**
 * The policy that keeps the keys from being deleted.
 * @throws as {@link injectors}
 */
export function guard(api: Api, namespace: string): Promise<Target[]> {
  return policies(api, 'validating', [`autocert-pki-${namespace}`]);
}

/** Those that are bound to accounts of the namespace: another installation may have its own. */
async function clusterRoles(api: Api, namespace: string): Promise<Target[]> {
  const [bindings, roles] = await Promise.all([
    listed(api, `${RBAC}/clusterrolebindings`, OURS),
    listed(api, `${RBAC}/clusterroles`, OURS),
  ]);
  const own = bindings.filter(({ subjects = [] }) => subjects.every((subject) => subject.namespace === namespace));
  const others = bindings.filter((each) => !own.includes(each)).map(({ roleRef }) => roleRef?.name);
  return [
    ...targets('clusterrolebinding', `${RBAC}/clusterrolebindings`, own),
    ...targets(
      'clusterrole',
      `${RBAC}/clusterroles`,
      roles.filter(({ metadata }) => !others.includes(metadata?.name)),
    ),
  ];
}

/** Bindings first: without one a policy does nothing. */
async function policies(api: Api, type: 'validating' | 'mutating', names: readonly string[]): Promise<Target[]> {
  const policy = `${type}admissionpolicy`;
  const kinds = [`${policy}binding`, policy] as const;
  const paths = [`${ADMISSION}/${policy}bindings`, `${ADMISSION}/${type}admissionpolicies`] as const;
  const found = await Promise.all(paths.map((path) => listed(api, path, OURS)));
  return kinds.flatMap((kind, index) => {
    const named = found[index]?.filter(({ metadata }) => names.includes(metadata?.name ?? ''));
    return targets(kind, paths[index] ?? '', named ?? []);
  });
}

async function all(api: Api, kind: string, path: string): Promise<Target[]> {
  return targets(kind, path, await listed(api, path, OURS));
}

function targets(kind: string, path: string, objects: readonly ReadObject[]): Target[] {
  return objects.flatMap(({ metadata: { name } = {} }) =>
    name ? [{ label: `${kind}/${name}`, path: `${path}/${encodeURIComponent(name)}` }] : [],
  );
}

/** A list; empty where the API server has no such kind. */
async function listed(api: Api, path: string, query: Readonly<Record<string, string>>): Promise<ReadObject[]> {
  const found: ReadObject[] = [];
  for await (const items of pagesIfAny<ReadObject>(api, path, query)) {
    found.push(...items);
    if (found.length > MAX_OF_A_KIND) {
      throw new AutocertError('INVALID_INPUT', `${path} has more than ${MAX_OF_A_KIND} objects of Autocert: look why`);
    }
  }
  return found;
}

/** The pages of a list; none where the API server has no such kind. */
export async function* pagesIfAny<T>(
  api: Api,
  path: string,
  query: Readonly<Record<string, string>> = {},
  accept?: string,
): AsyncGenerator<readonly T[]> {
  try {
    for await (const { items } of pages<T>(api, path, { query, ...(accept !== undefined && { accept }) })) {
      yield items ?? [];
    }
  } catch (error) {
    if (!(error instanceof AutocertError) || error.status !== 404) throw error;
  }
}
