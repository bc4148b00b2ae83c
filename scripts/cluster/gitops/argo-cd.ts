/**
 * Argo CD beside the node: its application controller, its repository server and Redis.
 * @module
 */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { argoCdDefinitions } from '../programs.ts';
import { BIN } from '../settings.ts';
import { Companions, type Place } from './companions.ts';

/** Where its objects are. */
export const ARGO_CD_NAMESPACE = 'argocd';

const PART_OF = { 'app.kubernetes.io/part-of': 'argocd' };
const OBJECTS = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ARGO_CD_NAMESPACE } },
  ...['argocd-cm', 'argocd-cmd-params-cm', 'argocd-rbac-cm'].map((name) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: ARGO_CD_NAMESPACE, labels: PART_OF },
  })),
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'argocd-secret', namespace: ARGO_CD_NAMESPACE, labels: PART_OF },
    stringData: { 'server.secretkey': 'of sessions, of which there are none here' },
  },
];
const PROJECT = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AppProject',
  metadata: { name: 'default', namespace: ARGO_CD_NAMESPACE },
  spec: {
    sourceRepos: ['*'],
    destinations: [{ namespace: '*', server: '*' }],
    clusterResourceWhitelist: [{ group: '*', kind: '*' }],
  },
};

/** Ports on the node's loopback interface. */
const PORTS = { redis: 16_379, repositories: 18_081, repositoryMetrics: 18_084, controllerMetrics: 18_082 } as const;
/** It looks at its repository this often, seconds, as a webhook of the repository would make it. */
const LOOKS_EVERY_S = 10;
/** What is deleted again and again it heals after pauses that grow threefold, to five minutes unless told otherwise. */
const HEALS_AGAIN_S = 20;

/** Installs its objects and starts it. */
export async function startArgoCd(place: Place): Promise<Companions> {
  const { kubectl, folder } = place;
  await kubectl.run(['apply', '--server-side', '-k', await argoCdDefinitions()]);
  await kubectl.established(['crd', '-l', 'app.kubernetes.io/part-of=argocd']);
  await kubectl.apply(OBJECTS);
  await kubectl.apply([PROJECT]);
  const companions = await Companions.at(place);
  const local = (port: number) => `127.0.0.1:${port}`;
  companions.start('redis', [
    ...['redis-server', '--bind', '127.0.0.1', '--port', String(PORTS.redis)],
    ...['--save', '', '--appendonly', 'no'],
  ]);
  /** The binary knows by its name which of its programs it is to be. */
  const start = (name: string, args: readonly string[], environment?: Readonly<Record<string, string>>) => {
    const file = join(folder, name);
    symlinkSync(join(BIN, 'argocd'), file);
    companions.start(name, [file, '--redis', local(PORTS.redis), '--logformat', 'json', ...args], environment);
  };
  const repositories = ['--port', String(PORTS.repositories), '--metrics-port', String(PORTS.repositoryMetrics)];
  start('argocd-repo-server', ['--address', '127.0.0.1', '--disable-tls', ...repositories], {
    ARGOCD_GPG_ENABLED: 'false',
  });
  start(
    'argocd-application-controller',
    [
      ...['--namespace', ARGO_CD_NAMESPACE, '--kubeconfig', companions.kubeconfig],
      ...['--repo-server', local(PORTS.repositories), '--repo-server-plaintext'],
      ...['--self-heal-backoff-cap-seconds', String(HEALS_AGAIN_S)],
      ...['--app-resync', String(LOOKS_EVERY_S), '--metrics-port', String(PORTS.controllerMetrics)],
    ],
    { ARGOCD_FAKE_IN_CLUSTER: 'true' },
  );
  await companions.healthy(`http://${local(PORTS.controllerMetrics)}/healthz`);
  return companions;
}
