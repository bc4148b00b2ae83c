/**
 * Pods as tenants write them, with wishes that are right, nearly right and wrong.
 * @module
 */
import fc, { type Arbitrary } from 'fast-check';
import { Annotation, CERTIFICATE_DIR, ContainerName, DOMAIN, VolumeName } from '../../runtime/contract.ts';
import { NAMESPACES, name, names, OWN } from './names.ts';
import { anyText, mutated } from './texts.ts';

/** A pod that somebody wants to create. */
export interface FuzzPod {
  readonly namespace: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Service accounts that there are; `payments` has names of its own in one namespace. */
export const ACCOUNTS = ['default', 'payments'] as const;

/** What makes pods, and the pod itself. */
export const KINDS = ['Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'] as const;
/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

const maybe = <T>(value: Arbitrary<T>, weight = 1) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, { arbitrary: value, weight });
const word = (...words: string[]) =>
  fc.oneof({ arbitrary: mutated(fc.constantFrom(...words)), weight: 8 }, { arbitrary: anyText, weight: 1 });
const durations = word(
  '5m',
  '1h',
  '12h',
  '24h',
  '30m1h',
  '1h30m',
  '1.5h',
  '90m',
  '48h',
  '0',
  '-1h',
  '4m59s',
  '1d',
  '1e3h',
);
const owners = word(
  '0:0',
  '999:999',
  '1000:1000',
  '2147483648:1',
  '2147483647:2147483647',
  '9999999999:0',
  'root',
  '1',
);
const modes = word('0600', '600', '0640', '640', '0444', '400', '0644', '0000', '0755', '888', '00600', '0o600');
const booleans = word('true', 'false', 'True', 'yes', '1', '');
const deliveries = word('auto', 'native', 'sidecar', 'Native', '');
const unknownKey = fc.oneof(
  word('nmae', 'Name', 'san', 'names', 'name2', 'owner.', 'status2').map((key) => `${DOMAIN}/${key}`),
  fc.constantFrom(
    DOMAIN,
    `${DOMAIN}.evil/name`,
    `x.${DOMAIN}/name`,
    'example.com/other',
    'kubernetes.io/config.mirror',
  ),
);

/** The annotations; most pods ask for a certificate. */
export const annotations: Arbitrary<Record<string, string>> = fc
  .record({
    [Annotation.name]: fc.oneof(
      { arbitrary: name, weight: 12 },
      { arbitrary: fc.constantFrom('', undefined), weight: 1 },
    ),
    [Annotation.sans]: maybe(names, 3),
    [Annotation.duration]: maybe(durations, 2),
    [Annotation.owner]: maybe(owners),
    [Annotation.mode]: maybe(modes),
    [Annotation.initFirst]: maybe(booleans),
    [Annotation.bootstrapperOnly]: maybe(booleans),
    [Annotation.delivery]: maybe(deliveries),
    other: fc.oneof(
      { arbitrary: fc.constant({}), weight: 8 },
      { arbitrary: fc.dictionary(unknownKey, anyText, { maxKeys: 3, noNullPrototype: true }), weight: 1 },
    ),
  })
  .map(({ other, ...known }) => {
    const given = Object.entries({ ...(other as object), ...known }).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given) as Record<string, string>;
  });

const id = maybe(fc.constantFrom(0, 999, 1000, 2000), 2);
const label = fc.stringMatching(/^[a-z]{1,8}$/);
const mountPaths = fc.oneof(
  { arbitrary: label.map((text) => `/${text}`), weight: 6 },
  {
    arbitrary: fc.constantFrom(
      CERTIFICATE_DIR,
      `${CERTIFICATE_DIR}/x`,
      `/${CERTIFICATE_DIR}//`,
      `/var/run/./autocert.step.sm`,
      `/var/run/x/../autocert.step.sm`,
      '/var/run',
      '/run/autocert.step.sm',
    ),
    weight: 1,
  },
);
const volumeNames = fc.oneof(
  { arbitrary: label.map((text) => `v-${text}`), weight: 6 },
  { arbitrary: fc.constantFrom(...Object.values(VolumeName)), weight: 1 },
);
const containerNames = fc.oneof(
  { arbitrary: label.map((text) => `c-${text}`), weight: 8 },
  { arbitrary: fc.constantFrom(...Object.values(ContainerName)), weight: 1 },
);
const container = fc
  .record({ name: containerNames, mountPath: maybe(mountPaths, 2), mounted: fc.nat(), runAsUser: id })
  .map(({ runAsUser, ...rest }) => ({ ...rest, ...(runAsUser !== undefined && { securityContext: { runAsUser } }) }));

/** The spec, which the API server takes: each mount has its volume. */
const specs: Arbitrary<Record<string, unknown>> = fc
  .record({
    volumes: fc.uniqueArray(volumeNames, { maxLength: 3 }),
    containers: fc.uniqueArray(container, { minLength: 1, maxLength: 3, selector: (one) => one.name }),
    initContainers: fc.uniqueArray(container, { maxLength: 2, selector: (one) => one.name }),
    hostNetwork: maybe(fc.boolean()),
    serviceAccountName: maybe(fc.constantFrom(...ACCOUNTS), 2),
    runAsUser: id,
    fsGroup: id,
  })
  .map(({ volumes, containers, initContainers, hostNetwork, serviceAccountName, runAsUser, fsGroup }) => {
    const taken = new Set(containers.map((one) => one.name));
    const whole = ({ mountPath, mounted, ...one }: (typeof containers)[number]) => {
      const volume = volumes[mounted % Math.max(1, volumes.length)];
      const mounts = mountPath && volume ? { volumeMounts: [{ name: volume, mountPath }] } : {};
      return { ...one, image: 'alpine', ...mounts };
    };
    const inits = initContainers.filter((one) => !taken.has(one.name)).map(whole);
    const security = { ...(runAsUser !== undefined && { runAsUser }), ...(fsGroup !== undefined && { fsGroup }) };
    return {
      automountServiceAccountToken: false, // the volume would have another name each time
      containers: containers.map(whole),
      ...(inits.length > 0 && { initContainers: inits }),
      ...(volumes.length > 0 && { volumes: volumes.map((one) => ({ name: one, emptyDir: {} })) }),
      ...(hostNetwork !== undefined && { hostNetwork }),
      ...(serviceAccountName !== undefined && { serviceAccountName }),
      ...(Object.keys(security).length > 0 && { securityContext: security }),
    };
  });

/** A pod in one of the namespaces; see {@link inNamespace}. */
export const pods: Arbitrary<FuzzPod> = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  annotations,
  spec: specs,
});

/** The same pod in a namespace: where it asks for its own names, they are those of that namespace. */
export function inNamespace(pod: FuzzPod, namespace: string): FuzzPod {
  const own = Object.entries(pod.annotations).map(([key, text]) => [key, text.replaceAll(OWN, namespace)]);
  return { ...pod, namespace, annotations: Object.fromEntries(own) };
}

/** Path of the collection, and the object that makes such pods; `namespace`: where, if not in its own. */
export function objectOf(
  kind: Kind,
  { annotations: given, spec, namespace: home }: FuzzPod,
  namespace = home,
): [string, object] {
  const template = { metadata: { labels: { app: 'x' }, annotations: given }, spec };
  const once = { ...template, spec: { ...spec, restartPolicy: 'Never' } };
  const selector = { matchLabels: { app: 'x' } };
  const metadata = { generateName: 'x-' };
  const path = (group: string, plural: string) => `/${group}/v1/namespaces/${namespace}/${plural}`;
  const apps = { apiVersion: 'apps/v1', kind, metadata };
  switch (kind) {
    case 'Pod':
      return [path('api', 'pods'), { apiVersion: 'v1', kind, metadata: { ...metadata, annotations: given }, spec }];
    case 'StatefulSet':
      return [path('apis/apps', 'statefulsets'), { ...apps, spec: { serviceName: 'x', selector, template } }];
    case 'Job':
      return [path('apis/batch', 'jobs'), { apiVersion: 'batch/v1', kind, metadata, spec: { template: once } }];
    case 'CronJob': {
      const cron = { schedule: '* * * * *', jobTemplate: { spec: { template: once } } };
      return [path('apis/batch', 'cronjobs'), { apiVersion: 'batch/v1', kind, metadata, spec: cron }];
    }
    default:
      return [path('apis/apps', `${kind.toLowerCase()}s`), { ...apps, spec: { selector, template } }];
  }
}
