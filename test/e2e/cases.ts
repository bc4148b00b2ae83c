/**
 * The pods of step 7: every kind of workload, every annotation, every shape of pod that the founding tutorial's users
 * have, each as a row that says what to deploy and what must be found in it.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR, ContainerName } from '../../runtime/contract.ts';
import type { Kubectl, Pod } from '../../scripts/cluster/kubectl.ts';
import { HARDENED, type PodOptions, podTemplate, testPod } from '../../scripts/cluster/workloads.ts';
import type { Expected } from './certificates.ts';

/** Namespaces of the cases; all are enabled. */
export const CaseNamespace = { plain: 'e2e-work', restricted: 'e2e-restricted', quota: 'e2e-quota' } as const;

/** What is known of a case once its pod is there. */
export interface Found {
  readonly kubectl: Kubectl;
  readonly pod: Pod;
  readonly name: string;
  readonly sidecar: boolean;
}

/** A row. */
export interface Case {
  readonly id: string;
  readonly title: string;
  /** @default e2e-work */
  readonly namespace?: string;
  /** @default Pod */
  readonly kind?: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Job' | 'CronJob';
  readonly annotations?: Readonly<Record<string, string>>;
  readonly pod?: PodOptions;
  readonly expected?: Omit<Expected, 'name'>;
  /** More to look at. */
  readonly check?: (found: Found) => Promise<void>;
}

const FILES = ['site.crt', 'site.key', 'root.crt'].map((file) => `${CERTIFICATE_DIR}/${file}`);
const HAS_FILES = FILES.map((file) => `test -s ${file}`).join(' && ');
const LIMITS = { resources: { requests: { cpu: '5m', memory: '8Mi' }, limits: { cpu: '100m', memory: '32Mi' } } };
const SLEEP = podTemplate('any').spec.containers[0];
/** What `stat` tells of the key: owner, group, mode. */
const keyStat = async ({ kubectl, pod }: Found): Promise<string> => {
  const { name, namespace = '' } = pod.metadata;
  const command = ['stat', '-L', '-c', '%u:%g %a', `${CERTIFICATE_DIR}/site.key`];
  return (await kubectl.exec(namespace, name, 'main', command)).trim();
};

/** All rows. */
export const CASES: readonly Case[] = [
  { id: 'pod', title: 'a bare Pod' },
  { id: 'deployment', title: 'a Deployment', kind: 'Deployment' },
  { id: 'statefulset', title: 'a StatefulSet', kind: 'StatefulSet' },
  { id: 'daemonset', title: 'a DaemonSet', kind: 'DaemonSet' },
  {
    id: 'job',
    title: 'a Job gets its files and completes',
    kind: 'Job',
    pod: { container: { command: ['/bin/sh', '-c', HAS_FILES] } },
  },
  {
    id: 'sans',
    title: 'sans: the list replaces the SANs',
    annotations: { [Annotation.sans]: 'a.e2e-work.svc.cluster.local,b.e2e-work.svc' },
    expected: { sans: ['DNS:a.e2e-work.svc.cluster.local', 'DNS:b.e2e-work.svc'] },
  },
  {
    id: 'duration',
    title: 'duration: 2h30m',
    annotations: { [Annotation.duration]: '2h30m' },
    expected: { hours: 2.5 },
  },
  {
    id: 'init-first',
    title: "init-first: the pod's own init containers have the files",
    annotations: { [Annotation.initFirst]: 'true' },
    pod: { spec: { initContainers: [{ ...SLEEP, name: 'before', command: ['/bin/sh', '-c', HAS_FILES] }] } },
    check: async ({ pod, sidecar }) => {
      const order = pod.spec.initContainers?.map(({ name }) => name);
      assert.deepEqual(order, sidecar ? [ContainerName.renewer, 'before'] : ['before']);
    },
  },
  {
    id: 'bootstrapper-only',
    title: 'bootstrapper-only: one certificate, no agent that stays',
    annotations: { [Annotation.bootstrapperOnly]: 'true' },
    check: async ({ pod, sidecar }) => {
      const names = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ name }) => name);
      assert.deepEqual(names, sidecar ? [ContainerName.bootstrapper, 'main'] : ['main']);
    },
  },
  {
    id: 'owner-mode',
    title: 'owner and mode: the files belong to who is named',
    annotations: { [Annotation.owner]: '1234:5678', [Annotation.mode]: '0600' },
    pod: { spec: { securityContext: { runAsUser: 1234, runAsGroup: 5678 } } },
    check: async (found) => {
      const [owner, mode] = (await keyStat(found)).split(' ');
      assert.equal(mode, '600');
      assert.equal(owner?.split(':')[0], '1234');
      if (found.sidecar) assert.equal(owner, '1234:5678');
    },
  },
  {
    id: 'default-mode',
    title: 'without them any user of the pod can read the files',
    check: async (found) => assert.match(await keyStat(found), / 644$/),
  },
  {
    id: 'init-containers',
    title: 'a pod with init containers, which run and come to their end',
    pod: { spec: { initContainers: [{ ...SLEEP, name: 'before', command: ['/bin/true'] }] } },
  },
  {
    id: 'volumes',
    title: 'a pod with volumes of its own keeps them',
    pod: {
      container: { volumeMounts: [{ name: 'own', mountPath: '/own' }] },
      spec: { volumes: [{ name: 'own', emptyDir: {} }] },
    },
    check: async ({ kubectl, pod }) => {
      await kubectl.exec(pod.metadata.namespace ?? '', pod.metadata.name, 'main', ['touch', '/own/file']);
      assert.equal(pod.spec.volumes?.[0]?.name, 'own');
    },
  },
  {
    id: 'containers',
    title: 'every container of a pod with several has the files, and cannot write them',
    pod: { spec: { containers: [SLEEP, { ...SLEEP, name: 'second' }] } },
    check: async ({ kubectl, pod }) => {
      for (const container of ['main', 'second']) {
        const inside = ['-n', pod.metadata.namespace ?? '', 'exec', pod.metadata.name, '-c', container, '--'];
        await kubectl.run([...inside, '/bin/sh', '-c', HAS_FILES]);
        const { code, stderr } = await kubectl.try([...inside, 'touch', `${CERTIFICATE_DIR}/mine`]);
        assert.notEqual(code, 0);
        assert.match(stderr, /Read-only file system/);
      }
    },
  },
  { id: 'host-network', title: 'a pod with hostNetwork', pod: { spec: { hostNetwork: true } } },
  {
    id: 'read-only-root',
    title: 'a pod with a read-only root file system',
    pod: { container: { securityContext: { readOnlyRootFilesystem: true } } },
  },
  {
    id: 'run-as-user',
    title: 'a pod with runAsUser reads its files',
    pod: { spec: { securityContext: { runAsUser: 2000, runAsGroup: 3000, fsGroup: 4000 } } },
  },
  {
    id: 'restricted',
    title: 'a pod in a namespace at Pod Security restricted',
    namespace: CaseNamespace.restricted,
    pod: { container: { securityContext: HARDENED } },
  },
  {
    id: 'quota',
    title: 'a pod in a namespace with a ResourceQuota that demands limits',
    namespace: CaseNamespace.quota,
    pod: { container: LIMITS },
  },
  // The last one: it waits for the next minute.
  {
    id: 'cronjob',
    title: 'a Job of a CronJob gets its files and completes',
    kind: 'CronJob',
    pod: { container: { command: ['/bin/sh', '-c', HAS_FILES] } },
  },
];

/** The namespaces of the cases, and what is special about them. */
export function namespacesOfCases(): object[] {
  const namespace = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'autocert.step.sm': 'enabled', ...labels } },
  });
  const hard = { 'limits.cpu': '4', 'limits.memory': '2Gi', 'requests.cpu': '2', 'requests.memory': '2Gi' };
  return [
    namespace(CaseNamespace.plain),
    namespace(CaseNamespace.restricted, { 'pod-security.kubernetes.io/enforce': 'restricted' }),
    namespace(CaseNamespace.quota),
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'limits', namespace: CaseNamespace.quota },
      spec: { hard },
    },
  ];
}

/** Name of a case's objects, and the certificate's name. */
export function nameOf({ id, namespace = CaseNamespace.plain }: Case, delivery: string): { name: string; dns: string } {
  const name = `${id}-${delivery}`;
  return { name, dns: `${name}.${namespace}.svc.cluster.local` };
}

/** The objects of a case. `delivery` other than `auto` is written as an annotation. */
export function objectsOf(one: Case, delivery: string): object[] {
  const { namespace = CaseNamespace.plain, kind, pod = {} } = one;
  const { name, dns } = nameOf(one, delivery);
  const annotations = {
    [Annotation.name]: dns,
    ...(delivery !== 'auto' && { [Annotation.delivery]: delivery }),
    ...one.annotations,
  };
  const options: PodOptions = { ...pod, annotations };
  if (kind === undefined) return [testPod(namespace, name, options)];
  const template = podTemplate(name, options);
  const once = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
  const selector = { matchLabels: { app: name } };
  const metadata = { name, namespace };
  switch (kind) {
    case 'Job':
      return [{ apiVersion: 'batch/v1', kind, metadata, spec: { template: once } }];
    case 'CronJob': {
      const spec = { schedule: '* * * * *', jobTemplate: { spec: { template: once } }, concurrencyPolicy: 'Forbid' };
      return [{ apiVersion: 'batch/v1', kind, metadata, spec }];
    }
    case 'StatefulSet':
      return [{ apiVersion: 'apps/v1', kind, metadata, spec: { serviceName: name, selector, template } }];
    default:
      return [{ apiVersion: 'apps/v1', kind, metadata, spec: { selector, template } }];
  }
}
