/**
 * The pod of step-ca.
 *
 * Its configuration is put together when it starts: an init container merges what was synthesized with the provisioners
 * and the database's password, which exist in the cluster only, into a volume in memory. So a changed prop reaches the
 * CA by a plain `kubectl apply`, and no Secret is ever rewritten.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { CONTAINER_PORT, DOMAIN, PkiFile, Program, STEP_PATH } from '../runtime/contract.ts';
import { type CaDatabase, DATA_SOURCE_FILE } from './ca-database.ts';
import { digest } from './objects.ts';
import type { Pki } from './pki.ts';
import {
  type ContainerImage,
  type ContainerResources,
  confined,
  podDefaults,
  probe,
  quantities,
  type SchedulingProps,
  SHORT_LIVED,
  spread,
} from './pods.ts';

/** Name of StatefulSet, Service and ServiceAccount, and the label `app` of the pods. */
export const CA_NAME = 'ca';

/** Names of the CA's other objects. */
export const CaObject = {
  /** ConfigMap: `ca.json` without its provisioners. */
  config: 'ca-config',
  /** ConfigMap: roots of other PKIs. */
  federatedRoots: 'ca-federated-roots',
  /** PersistentVolumeClaim of the database. */
  volume: 'ca-db',
} as const;

/** The user `step` of the official image. */
const STEP_USER = 1000;

/** Where the init container reads its input. */
const INPUT = '/etc/autocert';

/** CPU and memory of step-ca, unless a prop says otherwise. */
export const CA_RESOURCES: ContainerResources = {
  // Idle, step-ca with Badger holds about 40 MiB; Badger's tables grow into what it may have.
  requests: { cpu: '100m', memory: '64Mi' },
  limits: { cpu: '1', memory: '512Mi' },
};

/** What the pod is made from. */
export interface StepCaPodInput extends SchedulingProps {
  readonly image: ContainerImage;
  /** Image with our programs. */
  readonly autocertImage: ContainerImage;
  readonly resources: ContainerResources;
  readonly pki: Pki;
  /** ConfigMaps whose files go to `certs/`. */
  readonly certificates: readonly string[];
  readonly database: CaDatabase;
  /** The configuration's template: the pod is replaced when it changes. */
  readonly config: object;
}

/** The pod template. */
export function stepCaPod(input: StepCaPodInput): k8s.PodTemplateSpec {
  return {
    metadata: {
      labels: { app: CA_NAME },
      annotations: { [`${DOMAIN}/config-checksum`]: digest([input.config, input.pki.rootCertificate ?? '']) },
    },
    spec: {
      ...podDefaults(STEP_USER, input),
      serviceAccountName: CA_NAME,
      automountServiceAccountToken: false,
      topologySpreadConstraints: spread(CA_NAME),
      initContainers: [configContainer(input)],
      containers: [caContainer(input)],
      volumes: volumes(input),
    },
  };
}

function configContainer(input: StepCaPodInput): k8s.Container {
  const dataSource = input.database.shared ? ['--data-source-file', `${INPUT}/data-source/${DATA_SOURCE_FILE}`] : [];
  const template = ['--template', `${INPUT}/template/ca.json`];
  const provisioners = ['--provisioners', `${INPUT}/provisioners/${PkiFile.provisioners}`];
  const out = ['--out', `${STEP_PATH}/config/ca.json`];
  return {
    name: 'config',
    ...input.autocertImage,
    command: [Program.autocert, 'pki', 'config', ...template, ...provisioners, ...out, ...dataSource],
    securityContext: confined(),
    resources: SHORT_LIVED,
    volumeMounts: [
      { name: 'template', mountPath: `${INPUT}/template`, readOnly: true },
      { name: 'provisioners', mountPath: `${INPUT}/provisioners`, readOnly: true },
      ...(input.database.shared ? [{ name: 'data-source', mountPath: `${INPUT}/data-source`, readOnly: true }] : []),
      { name: 'config', mountPath: `${STEP_PATH}/config` },
    ],
  };
}

function caContainer(input: StepCaPodInput): k8s.Container {
  const password = `${STEP_PATH}/secrets/${PkiFile.password}`;
  return {
    name: 'step-ca',
    ...input.image,
    command: ['/usr/local/bin/step-ca', '--password-file', password, `${STEP_PATH}/config/ca.json`],
    env: [
      { name: 'STEPPATH', value: STEP_PATH },
      // For `kubectl exec … -- step ca …`.
      { name: 'STEP_CA_URL', value: `https://localhost:${CONTAINER_PORT}` },
      { name: 'STEP_ROOT', value: `${STEP_PATH}/certs/${PkiFile.root}` },
    ],
    ports: [{ name: 'https', containerPort: CONTAINER_PORT }],
    // The file step-ca of the official image has the capability NET_BIND_SERVICE set on it. We need no low port, but
    // without the capability in the container's bounding set the kernel refuses to execute the file at all (EPERM).
    securityContext: confined('NET_BIND_SERVICE'),
    resources: quantities(input.resources),
    // After a crash Badger replays its log before step-ca listens: five minutes for that.
    startupProbe: probe('/health', CONTAINER_PORT, 'HTTPS', { periodSeconds: 2, failureThreshold: 150 }),
    readinessProbe: probe('/health', CONTAINER_PORT, 'HTTPS', { periodSeconds: 5 }),
    livenessProbe: probe('/health', CONTAINER_PORT, 'HTTPS', { periodSeconds: 10, failureThreshold: 6 }),
    volumeMounts: [
      { name: 'certs', mountPath: `${STEP_PATH}/certs`, readOnly: true },
      { name: 'secrets', mountPath: `${STEP_PATH}/secrets`, readOnly: true },
      { name: 'config', mountPath: `${STEP_PATH}/config`, readOnly: true },
      ...(input.database.shared ? [] : [{ name: 'db', mountPath: `${STEP_PATH}/db` }]),
    ],
  };
}

/** Secrets are readable by the pod's own group only, which `fsGroup` makes their owner. */
const SECRET_MODE = 0o440;

function volumes({ pki, certificates, database }: StepCaPodInput): k8s.Volume[] {
  const key = (name: string, item: string) => ({ secret: { name, items: [{ key: item, path: item }] } });
  const secrets = [key(pki.intermediateKeySecret, PkiFile.intermediateKey), key(pki.passwordSecret, PkiFile.password)];
  return [
    { name: 'certs', projected: { sources: certificates.map((name) => ({ configMap: { name } })) } },
    { name: 'secrets', projected: { defaultMode: SECRET_MODE, sources: secrets } },
    { name: 'template', configMap: { name: CaObject.config } },
    { name: 'provisioners', secret: { secretName: pki.provisionersSecret, defaultMode: SECRET_MODE } },
    { name: 'config', emptyDir: { medium: 'Memory', sizeLimit: k8s.Quantity.fromString('1Mi') } },
    ...databaseVolume(database),
  ];
}

function databaseVolume({ kind }: CaDatabase): k8s.Volume[] {
  if (kind.type !== 'badgerv2') {
    return [{ name: 'data-source', secret: { secretName: kind.dataSourceSecret, defaultMode: SECRET_MODE } }];
  }
  return [
    kind.volume === undefined
      ? { name: 'db', emptyDir: {} }
      : { name: 'db', persistentVolumeClaim: { claimName: CaObject.volume } },
  ];
}
