/**
 * Whether whoever asks may apply the manifests: asked of the API server, which alone knows.
 * @module
 */
import type { V1PolicyRule, V1SelfSubjectAccessReview } from '@kubernetes/client-node';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { isHidden } from '../../kubernetes/cluster-state.ts';
import { AutocertError } from '../../lib/errors.ts';
import { printable } from '../terminal.ts';
import type { Located } from './checks.ts';

type Api = Pick<KubernetesApi, 'create'>;

/** `resourceAttributes` of a SelfSubjectAccessReview. */
interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name?: string;
  readonly namespace?: string;
}

/** Who asks, as the API server knows them. */
export interface Asker {
  /** Absent: the API server (before 1.28) does not tell. */
  readonly name?: string;
}

const ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const SELF = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const SERVICE_ACCOUNT = /^system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})$/;
/** What each object takes: server-side apply is `patch`, and `create` where there is none. */
const VERBS = ['get', 'create', 'patch'] as const;
const ROLES = ['Role', 'ClusterRole'];
/** The rights of some hundred roles. */
const MAX_QUESTIONS = 5_000;
/** Resources that are named when rights are missing. */
const MAX_NAMED = 8;

/**
 * Asks for all rights that it takes.
 * @throws AutocertError `FORBIDDEN` with those that are missing, and the command that gives them
 */
export async function checkPermissions(api: Api, objects: readonly Located[]): Promise<Asker> {
  const [asker, isAdministrator] = await Promise.all([
    whoAsks(api),
    isAllowed(api, { verb: '*', group: '*', resource: '*' }),
  ]);
  if (isAdministrator) return asker;
  const needed = distinct([...objects.flatMap(ownRights), ...(await rightsToGive(api, objects))]);
  if (needed.length > MAX_QUESTIONS) {
    throw new AutocertError('INVALID_INPUT', `the manifests take ${needed.length} rights, more than ${MAX_QUESTIONS}`);
  }
  const answers = await Promise.all(needed.map(async (right) => ({ right, allowed: await isAllowed(api, right) })));
  const missing = answers.filter(({ allowed }) => !allowed).map(({ right }) => right);
  if (missing.length > 0) throw new AutocertError('FORBIDDEN', missingText(asker, missing));
  return asker;
}

function ownRights({ resource: { group, plural, namespaced }, namespace, name }: Located): Right[] {
  const scope = namespaced && namespace !== undefined ? { namespace } : {};
  return VERBS.map((verb) => ({ verb, group, resource: plural, ...scope, ...(verb !== 'create' && { name }) }));
}

/** Nobody gives rights that they do not have, unless they have the verb `escalate`. */
async function rightsToGive(api: Api, objects: readonly Located[]): Promise<Right[]> {
  const roles = objects.filter(({ kind }) => ROLES.includes(kind));
  const mayEscalate = await Promise.all(
    roles.map(({ resource: { group, plural }, namespace, name }) =>
      isAllowed(api, {
        verb: 'escalate',
        group,
        resource: plural,
        name,
        ...(namespace !== undefined && { namespace }),
      }),
    ),
  );
  return roles.filter((_, index) => mayEscalate[index] === false).flatMap(givenBy);
}

function givenBy({ manifest, namespace }: Located): Right[] {
  const rules = (manifest.rules ?? []) as readonly V1PolicyRule[];
  const scope = namespace === undefined ? {} : { namespace };
  return rules.flatMap(({ verbs, apiGroups = [], resources = [], resourceNames = [] }) =>
    verbs.flatMap((verb) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          (resourceNames.length > 0 ? resourceNames : [undefined]).map((name) => ({
            verb,
            group,
            resource,
            ...scope,
            ...(name !== undefined && { name }),
          })),
        ),
      ),
    ),
  );
}

function distinct(rights: readonly Right[]): Right[] {
  return [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()];
}

async function isAllowed(api: Api, { resource: path, ...right }: Right): Promise<boolean> {
  const [resource = '', subresource] = path.split('/');
  const resourceAttributes = { ...right, resource, ...(subresource && { subresource }) };
  const review = await api.create<V1SelfSubjectAccessReview>(ACCESS, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  });
  return review.status?.allowed === true;
}

async function whoAsks(api: Api): Promise<Asker> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  try {
    const answer = await api.create<{ status?: { userInfo?: { username?: unknown } } }>(SELF, review);
    const name = answer.status?.userInfo?.username;
    return typeof name === 'string' && name !== '' ? { name } : {};
  } catch (error) {
    if (isHidden(error)) return {};
    throw error;
  }
}

/** Whether it is the account of a pod, as it is with `kubectl run autocert-init`. */
export function isServiceAccount({ name = '' }: Asker): boolean {
  return SERVICE_ACCOUNT.test(name);
}

function missingText(asker: Asker, missing: readonly Right[]): string {
  const byResource = Map.groupBy(missing, resourceText);
  const lines = [...byResource].map(([resource, rights]) => {
    return `  ${printable([...new Set(rights.map(({ verb }) => verb))].join(', '))} ${resource}`;
  });
  const more = lines.length > MAX_NAMED ? [`  … and of ${lines.length - MAX_NAMED} more`] : [];
  const who = asker.name === undefined ? 'you' : printable(asker.name);
  return `${who} may not install Autocert. Missing:
${[...lines.slice(0, MAX_NAMED), ...more].join('\n')}
Somebody who may can give these rights, for as long as this takes:
  kubectl create clusterrolebinding autocert-init-binding --clusterrole cluster-admin ${subject(asker)}
and take them back when it is done:
  kubectl delete clusterrolebinding autocert-init-binding`;
}

function subject({ name }: Asker): string {
  const [, namespace, account] = SERVICE_ACCOUNT.exec(name ?? '') ?? [];
  if (namespace !== undefined) return `--serviceaccount=${namespace}:${account}`;
  return name === undefined ? '--user YOUR-NAME' : `--user ${shellWord(printable(name))}`;
}

function shellWord(text: string): string {
  return /^[\w.@:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function resourceText({ group, resource, namespace }: Right): string {
  const of = group === '' || group === '*' ? resource : `${resource}.${group}`;
  return printable(namespace === undefined ? of : `${of} in namespace ${namespace}`);
}
