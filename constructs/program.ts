/**
 * What webhook and signer have in common: a Deployment of our image with a ServiceAccount, its rights, and one volume with
 * everything that the program reads: configuration, root certificates, and the provisioner's password.
 * @module
 */
import { Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { type CaConfig, DOMAIN, PkiFile, Program, WEBHOOK_HEALTH_PORT } from '../runtime/contract.ts';
import { clusterName } from '../runtime/policy/cluster-names.ts';
import type { IStepCa } from './i-step-ca.ts';
import { digest, metadata } from './objects.ts';
import {
  apiAccess,
  type ContainerImage,
  type ContainerResources,
  confined,
  disruptionBudget,
  NON_ROOT,
  type PodProps,
  podDefaults,
  podMetadata,
  probe,
  quantities,
  SECRET_MODE,
  serviceAccount,
  spread,
} from './pods.ts';
import type { Rights } from './rights.ts';

/** Where the volume is mounted, and what is where in it. */
const FOLDER = '/etc/autocert';
const PATHS = {
  config: 'config.json',
  root: `ca/${PkiFile.root}`,
  password: `provisioner/${PkiFile.password}`,
  nextPassword: `provisioner/${PkiFile.nextPassword}`,
  clientCa: 'api-server/ca.crt',
};

/** For an hour: as long as a kubelet that is restarted, or a node that is cut off, may keep a pod from a new token. */
const API_ACCESS = apiAccess(3600);
/** File with the roots by which the API server is known: {@link ProgramInput.clientCa}. */
export const CLIENT_CA_FILE = `${FOLDER}/${PATHS.clientCa}`;

/** How a program reaches the CA: part of its configuration. */
export function caConfig(ca: IStepCa): CaConfig {
  return {
    caUrl: ca.url,
    rootFile: `${FOLDER}/${PATHS.root}`,
    provisioner: ca.provisioner,
    provisionerPasswordFile: `${FOLDER}/${PATHS.password}`,
    provisionerNextPasswordFile: `${FOLDER}/${PATHS.nextPassword}`,
  };
}

/** A port of the program's container. */
export interface ProgramPort {
  readonly name: string;
  readonly number: number;
}

/** What kubelet probes and Prometheus scrapes, of every program. */
export const HEALTH: ProgramPort = { name: 'http', number: WEBHOOK_HEALTH_PORT };

/** What makes one program differ from another. */
export interface ProgramInput extends PodProps {
  /** Name of every object, and the label `app` of the pods; those of the cluster have the namespace behind it. */
  readonly name: string;
  /** Subcommand of `autocert`. */
  readonly subcommand: string;
  readonly ca: IStepCa;
  /** Settings that the program reads at its start only: the pods are replaced when they change. */
  readonly atStart: object;
  /** Settings that it follows while it runs; asked for at synth, when every `AutocertNamespace` is known. */
  readonly followed: () => object;
  readonly image: ContainerImage;
  /** Whether the platform says who the pods run as. */
  readonly userFromPlatform: boolean;
  readonly replicas: number;
  readonly resources: ContainerResources;
  /** What is mounted as {@link CLIENT_CA_FILE}. */
  readonly clientCa?: { readonly configMap: string; readonly key: string } | undefined;
  /** What it serves, besides {@link HEALTH}. */
  readonly ports: readonly ProgramPort[];
  readonly rights: Rights;
}

/** Makes the objects in `scope`; the Deployment is its `Resource`. */
export function addProgram(scope: Construct, props: ProgramInput): void {
  const { name, atStart, followed } = props;
  const { namespace } = props.ca;
  serviceAccount(scope, 'Account', name, namespace);
  addRights(scope, props);
  const config = () => `${JSON.stringify({ ...followed(), ...atStart }, undefined, 2)}\n`;
  new k8s.KubeConfigMap(scope, 'Config', {
    metadata: metadata(configMapOf(name), namespace),
    data: { [PATHS.config]: Lazy.any({ produce: config }) },
  });
  if (props.replicas > 1) disruptionBudget(scope, name, namespace, name);
  new k8s.KubeDeployment(scope, 'Resource', {
    metadata: metadata(name, namespace, { app: name }),
    spec: {
      replicas: props.replicas,
      selector: { matchLabels: { app: name } },
      // A new pod is ready before an old one goes, so that somebody always answers.
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: k8s.IntOrString.fromNumber(1), maxUnavailable: k8s.IntOrString.fromNumber(0) },
      },
      template: podTemplate(props),
    },
  });
}

function configMapOf(program: string): string {
  return `${program}-config`;
}

function addRights(scope: Construct, { name, ca: { namespace }, rights }: ProgramInput): void {
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const apiGroup = 'rbac.authorization.k8s.io';
  new k8s.KubeRole(scope, 'Role', { metadata: metadata(name, namespace), rules: [...rights.namespace] });
  new k8s.KubeRoleBinding(scope, 'RoleBinding', {
    metadata: metadata(name, namespace),
    roleRef: { apiGroup, kind: 'Role', name },
    subjects,
  });
  const ofCluster = clusterName(name, namespace);
  new k8s.KubeClusterRole(scope, 'ClusterRole', { metadata: metadata(ofCluster), rules: [...rights.cluster] });
  new k8s.KubeClusterRoleBinding(scope, 'ClusterRoleBinding', {
    metadata: metadata(ofCluster),
    roleRef: { apiGroup, kind: 'ClusterRole', name: ofCluster },
    subjects,
  });
}

function podTemplate(props: ProgramInput): k8s.PodTemplateSpec {
  const { name } = props;
  const probed = (path: string, timing: Omit<k8s.Probe, 'httpGet'>) => probe(path, HEALTH.number, 'HTTP', timing);
  return {
    // kubelet brings every other change into the volume, and the program looks for it.
    metadata: podMetadata(
      { labels: { app: name }, annotations: { [`${DOMAIN}/config-checksum`]: digest(props.atStart) } },
      props,
    ),
    spec: {
      ...podDefaults(props.userFromPlatform ? undefined : NON_ROOT, props),
      serviceAccountName: name,
      topologySpreadConstraints: spread(name),
      containers: [
        {
          name,
          ...props.image,
          command: [Program.autocert, props.subcommand, '--config', `${FOLDER}/${PATHS.config}`],
          ports: [...props.ports, HEALTH].map((port) => ({ name: port.name, containerPort: port.number })),
          securityContext: confined(),
          resources: quantities(props.resources),
          readinessProbe: probed('/readyz', { periodSeconds: 2 }),
          livenessProbe: probed('/healthz', { initialDelaySeconds: 10, periodSeconds: 10, failureThreshold: 6 }),
          volumeMounts: [{ name: 'autocert', mountPath: FOLDER, readOnly: true }, API_ACCESS.mount],
        },
      ],
      volumes: [
        { name: 'autocert', projected: { defaultMode: SECRET_MODE, sources: sources(props) } },
        API_ACCESS.volume,
      ],
    },
  };
}

function sources({ ca, name, clientCa }: ProgramInput): k8s.VolumeProjection[] {
  const item = (object: string, key: string, path: string) => ({ name: object, items: [{ key, path }] });
  return [
    { configMap: item(configMapOf(name), PATHS.config, PATHS.config) },
    { configMap: item(ca.rootConfigMap, PkiFile.root, PATHS.root) },
    ...(clientCa ? [{ configMap: item(clientCa.configMap, clientCa.key, PATHS.clientCa) }] : []),
    { secret: item(ca.provisionerPasswordSecret, PkiFile.password, PATHS.password) },
    // There only while one password replaces the other.
    { secret: { ...item(ca.provisionerPasswordSecret, PkiFile.nextPassword, PATHS.nextPassword), optional: true } },
  ];
}
