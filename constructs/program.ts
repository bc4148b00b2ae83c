/**
 * What webhook and signer have in common: a Deployment of our image with a ServiceAccount, cluster-wide rights, and one
 * volume with everything that the program reads: configuration, root certificates, and the provisioner's password.
 * @module
 */
import { Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { type CaConfig, DOMAIN, PkiFile, Program } from '../runtime/contract.ts';
import type { IStepCa } from './i-step-ca.ts';
import { digest, metadata } from './objects.ts';
import {
  type ContainerImage,
  type ContainerResources,
  confined,
  disruptionBudget,
  NON_ROOT,
  podDefaults,
  probe,
  quantities,
  type SchedulingProps,
  spread,
} from './pods.ts';

/** Where the volume is mounted, and what is where in it. */
const FOLDER = '/etc/autocert';
const PATHS = { config: 'config.json', root: `ca/${PkiFile.root}`, password: `provisioner/${PkiFile.password}` };

/** How a program reaches the CA: part of its configuration. */
export function caConfig(ca: IStepCa): CaConfig {
  return {
    caUrl: ca.url,
    rootFile: `${FOLDER}/${PATHS.root}`,
    provisioner: ca.provisioner,
    provisionerPasswordFile: `${FOLDER}/${PATHS.password}`,
  };
}

/** What makes one program differ from another. */
export interface ProgramInput extends SchedulingProps {
  /** Name of every object, and the label `app` of the pods. */
  readonly name: string;
  /** Subcommand of `autocert`. */
  readonly subcommand: string;
  readonly ca: IStepCa;
  /** The configuration; asked for at synth, when every `AutocertNamespace` is known. */
  readonly config: () => object;
  /** Name of the ConfigMap with it. */
  readonly configMap: string;
  readonly image: ContainerImage;
  readonly replicas: number;
  readonly resources: { readonly prop: string; readonly values: ContainerResources };
  readonly port: { readonly name: string; readonly number: number; readonly scheme: 'HTTP' | 'HTTPS' };
  readonly healthz: string;
  readonly readyz: string;
  /** What the program may do in the whole cluster. */
  readonly rules: readonly k8s.PolicyRule[];
}

/** Makes the objects in `scope`; the Deployment is its `Resource`. */
export function addProgram(scope: Construct, props: ProgramInput): void {
  const { name } = props;
  const { namespace } = props.ca;
  new k8s.KubeServiceAccount(scope, 'Account', { metadata: metadata(name, namespace) });
  addClusterRights(scope, name, namespace, props.rules);
  new k8s.KubeConfigMap(scope, 'Config', {
    metadata: metadata(props.configMap, namespace),
    data: { [PATHS.config]: Lazy.any({ produce: () => `${JSON.stringify(props.config(), undefined, 2)}\n` }) },
  });
  if (props.replicas > 1) disruptionBudget(scope, name, namespace, name);
  new k8s.KubeDeployment(scope, 'Resource', {
    metadata: metadata(name, namespace, { app: name }),
    spec: {
      replicas: props.replicas,
      selector: { matchLabels: { app: name } },
      // A new pod is ready before an old one goes: an admission never finds nobody.
      strategy: {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: k8s.IntOrString.fromNumber(1), maxUnavailable: k8s.IntOrString.fromNumber(0) },
      },
      template: podTemplate(props),
    },
  });
}

function addClusterRights(scope: Construct, name: string, namespace: string, rules: readonly k8s.PolicyRule[]): void {
  new k8s.KubeClusterRole(scope, 'ClusterRole', { metadata: metadata(name), rules: [...rules] });
  new k8s.KubeClusterRoleBinding(scope, 'ClusterRoleBinding', {
    metadata: metadata(name),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
}

function podTemplate(props: ProgramInput): k8s.PodTemplateSpec {
  const { name, port } = props;
  return {
    metadata: {
      labels: { app: name },
      annotations: { [`${DOMAIN}/config-checksum`]: Lazy.any({ produce: () => digest(props.config()) }) },
    },
    spec: {
      ...podDefaults(NON_ROOT, props),
      serviceAccountName: name,
      topologySpreadConstraints: spread(name),
      containers: [
        {
          name,
          ...props.image,
          command: [Program.autocert, props.subcommand, '--config', `${FOLDER}/${PATHS.config}`],
          ports: [{ name: port.name, containerPort: port.number }],
          securityContext: confined(),
          resources: quantities(props.resources.prop, props.resources.values),
          readinessProbe: probe(props.readyz, port.number, port.scheme, { periodSeconds: 2 }),
          livenessProbe: probe(props.healthz, port.number, port.scheme, {
            initialDelaySeconds: 10,
            periodSeconds: 10,
            failureThreshold: 6,
          }),
          volumeMounts: [{ name: 'autocert', mountPath: FOLDER, readOnly: true }],
        },
      ],
      volumes: [{ name: 'autocert', projected: { defaultMode: 0o440, sources: sources(props) } }],
    },
  };
}

function sources({ ca, configMap }: ProgramInput): k8s.VolumeProjection[] {
  const item = (name: string, key: string, path: string) => ({ name, items: [{ key, path }] });
  return [
    { configMap: item(configMap, PATHS.config, PATHS.config) },
    { configMap: item(ca.rootConfigMap, PkiFile.root, PATHS.root) },
    { secret: item(ca.provisionerPasswordSecret, PkiFile.password, PATHS.password) },
  ];
}
