/**
 * Somebody with the rights of the ClusterRole `view`, for steps 26.x.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../context.ts';
import { DOCTOR_NAMESPACES } from './breakages.ts';

const NAME = 'e2e-doctor-viewer';
const { pods: NAMESPACE } = DOCTOR_NAMESPACES;

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: object }[];
  readonly contexts: readonly { readonly name: string; readonly context: { readonly cluster: string } }[];
}

/** A kubeconfig of theirs. @param server another address than the cluster's */
export async function viewerOf({ kubectl, scratch }: Context, server?: string): Promise<string> {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: NAME, namespace: NAMESPACE } };
  const binding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }],
  };
  await kubectl.apply([account, binding]);
  const token = (await kubectl.run(['-n', NAMESPACE, 'create', 'token', NAME])).trim();
  const { clusters, contexts } = await kubectl.json<Kubeconfig>(['config', 'view', '--raw', '--minify', '--flatten']);
  const [{ name = '', cluster = {} } = {}] = clusters;
  const own = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': NAME,
    clusters: [{ name, cluster: { ...cluster, ...(server !== undefined && { server }) } }],
    contexts: contexts.map(({ context }) => ({ name: NAME, context: { cluster: context.cluster, user: NAME } })),
    users: [{ name: NAME, user: { token } }],
  };
  const file = join(scratch, `${NAME}${server === undefined ? '' : '-nowhere'}.json`);
  writeFileSync(file, JSON.stringify(own), { mode: 0o600 });
  return file;
}

/** Takes their rights away. */
export async function removeViewer({ kubectl }: Pick<Context, 'kubectl'>): Promise<void> {
  await kubectl.try(['delete', 'clusterrolebinding', NAME, '--ignore-not-found']);
}
