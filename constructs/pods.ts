/**
 * How the pods of Autocert run: confined to what Pod Security `restricted` allows, small, and placed where the user says.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import packageJson from '../package.json' with { type: 'json' };
import { IMAGE_PULL_POLICIES } from '../runtime/contract.ts';
import { checkLabels, checkPodAnnotations, checkPodLabels } from './labels.ts';
import { defined, metadata } from './objects.ts';
import {
  checkImage,
  checkList,
  checkMap,
  checkObject,
  checkObjectName,
  checkOneOf,
  checkOptional,
  checkString,
  refuse,
} from './validation.ts';

/** The image of this release; it holds every program of ours. */
export const DEFAULT_IMAGE = `autocert:${packageJson.version}`;

/** The user of our own image (`nonroot` by convention). */
export const NON_ROOT = 65532;

/** CPU and memory of a container, in the words of the Kubernetes API. */
export interface ContainerResources {
  /** What the scheduler sets aside, such as `{ cpu: '10m', memory: '64Mi' }`. */
  readonly requests: Readonly<Record<string, string>>;
  /** What the container may use at most. */
  readonly limits: Readonly<Record<string, string>>;
}

/** Where pods run. */
export interface SchedulingProps {
  /** Labels that a node must have. @default - any node */
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** Taints that the pods tolerate. @default - none */
  readonly tolerations?: readonly k8s.Toleration[];
  /** Affinity and anti-affinity. @default - none */
  readonly affinity?: k8s.Affinity;
  /** Name of a PriorityClass. @default - the cluster's default priority */
  readonly priorityClassName?: string;
}

/** What pods of ours have besides, where they run included. */
export interface PodProps extends SchedulingProps {
  /**
   * More labels of the pods. Not `app`, by which Services and NetworkPolicies find them, and none of Autocert's or of
   * Kubernetes' controllers. @default - none
   */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** More annotations of the pods. @default - none */
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /**
   * Names of Secrets in Autocert's namespace, yours to make, with which kubelet pulls the images of these pods. Agents in
   * other pods are pulled with what those pods have. @default - none
   */
  readonly imagePullSecrets?: readonly string[];
}

/** When kubelet pulls an image. */
export type ImagePullPolicy = (typeof IMAGE_PULL_POLICIES)[number];

/** An image of a container, and when it is pulled. */
export interface ContainerImage {
  /** Such as `registry.example.com/autocert:1.0.0`. */
  readonly image: string;
  /** `Always`, `IfNotPresent` or `Never`. */
  readonly imagePullPolicy: ImagePullPolicy;
}

/** Requests and limits, as Kubernetes writes quantities. */
const checkQuantity = checkString(
  'it takes a quantity as Kubernetes writes it, such as "100m" for CPU or "64Mi" for memory',
  /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$/,
);

/** Checks an image and its pull policy; `prop` is the image's prop. */
export function checkedImage(prop: string, image: string, policy: ImagePullPolicy = 'IfNotPresent'): ContainerImage {
  return {
    image: checkImage(prop, image),
    imagePullPolicy: checkOneOf('imagePullPolicy', policy, IMAGE_PULL_POLICIES),
  };
}

/** A PodDisruptionBudget that keeps one pod of `app` running, for whatever has more than one. */
export function disruptionBudget(scope: Construct, name: string, namespace: string, app: string): void {
  new k8s.KubePodDisruptionBudget(scope, 'DisruptionBudget', {
    metadata: metadata(name, namespace),
    spec: {
      minAvailable: k8s.IntOrString.fromNumber(1),
      selector: { matchLabels: { app } },
      // A pod that is not ready serves nobody: it must not keep its node from being drained.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
}

function scheduling(props: SchedulingProps): SchedulingProps {
  const objects = (prop: string, value: unknown) => checkList(prop, value, checkObject);
  return defined({
    nodeSelector: checkOptional('nodeSelector', props.nodeSelector, checkLabels),
    tolerations: checkOptional('tolerations', props.tolerations, objects),
    affinity: checkOptional('affinity', props.affinity, checkObject),
    priorityClassName: checkOptional('priorityClassName', props.priorityClassName, checkObjectName),
  });
}

/** The pod props of a construct, apart from its others. */
export function podProps(props: PodProps): PodProps {
  return {
    ...scheduling(props),
    ...defined({
      podLabels: checkOptional('podLabels', props.podLabels, checkPodLabels),
      podAnnotations: checkOptional('podAnnotations', props.podAnnotations, checkPodAnnotations),
      imagePullSecrets: checkOptional('imagePullSecrets', props.imagePullSecrets, checkPullSecrets),
    }),
  };
}

/** Names of Secrets to pull images by, each once: the API server merges them by name. */
export function checkPullSecrets(prop: string, value: unknown): readonly string[] {
  const names = checkList(prop, value, checkObjectName);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? names : refuse(prop, names, `it takes "${twice}" once`);
}

/** Metadata of a pod template: `own` is what the pods are found by, and what our programs put there. */
export function podMetadata(own: k8s.ObjectMeta & { readonly labels: { readonly app: string } }, props: PodProps) {
  const annotations = { ...props.podAnnotations, ...own.annotations };
  return {
    labels: { ...props.podLabels, ...own.labels },
    // The API server keeps no empty map, and would count each `kubectl apply` of one as a change.
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

/** Who pods run as: a uid that is the group as well, or `undefined` where the platform says (`userFromPlatform`). */
export type PodUser = number | undefined;

/**
 * What every pod of ours has: a user that is not root, and that owns its volumes; and no token of its ServiceAccount, but
 * where {@link apiAccess} is mounted.
 */
export function podDefaults(user: PodUser, props: PodProps) {
  const { tolerations, imagePullSecrets = [] } = props;
  return {
    // Variables such as AUTOCERT_PORT, which kubelet would make for each Service, read like settings of ours.
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      ...(user !== undefined && { runAsUser: user, runAsGroup: user, fsGroup: user }),
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(imagePullSecrets.length > 0 && { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) }),
    ...defined({ ...scheduling(props), tolerations: tolerations && [...tolerations] }),
  };
}

/**
 * A ServiceAccount that gives its token to no pod unasked.
 * @param name also of whoever may do something by it
 */
export function serviceAccount(scope: Construct, id: string, name: string, namespace: string): void {
  new k8s.KubeServiceAccount(scope, id, { metadata: metadata(name, namespace), automountServiceAccountToken: false });
}

/** Mode of files that only the pod's own group reads, which `fsGroup` makes their owner. */
export const SECRET_MODE = 0o440;

/**
 * What a program needs to ask the API server, where every program looks for it. Kubelet's own such volume has a token that
 * the API server takes for a year; this one is for `seconds`, and kubelet replaces it in time. It is for the API server
 * alone, which is whom a token is for that names nobody.
 */
export function apiAccess(seconds: number): { readonly volume: k8s.Volume; readonly mount: k8s.VolumeMount } {
  const name = 'api-access';
  const sources = [
    { serviceAccountToken: { path: 'token', expirationSeconds: seconds } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
  ];
  return {
    volume: { name, projected: { defaultMode: SECRET_MODE, sources } },
    mount: { name, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  };
}

/** What every container of ours may do: nothing. `capabilities` names what it needs all the same. */
export function confined(...capabilities: string[]): k8s.SecurityContext {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'], ...(capabilities.length === 0 ? {} : { add: capabilities }) },
  };
}

/** Checks `resources` and hands them on as strings: the form that our configuration files have. */
export function checkResources(prop: string, resources: unknown): ContainerResources {
  const given = checkObject(prop, resources) as Partial<ContainerResources>;
  const wanted = 'it takes quantities by resource, such as { memory: "128Mi" }';
  const quantitiesOf = (kind: keyof ContainerResources) =>
    checkMap(`${prop}.${kind}`, given[kind], checkQuantity, wanted);
  return { requests: quantitiesOf('requests'), limits: quantitiesOf('limits') };
}

/** Checked `resources` as the API classes want them. */
export function quantities({ requests, limits }: ContainerResources): k8s.ResourceRequirements {
  const parse = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, text]) => [name, k8s.Quantity.fromString(text)]));
  return { requests: parse(requests), limits: parse(limits) };
}

/** Resources of our short-lived programs: the init Job, and the init container of the CA. */
export const SHORT_LIVED = quantities({
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '1', memory: '256Mi' },
});

/** Replicas on different nodes where there are several, without refusing to start where there is one. */
export function spread(app: string): k8s.TopologySpreadConstraint[] {
  return [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: { app } },
    },
  ];
}

/** An HTTP probe of kubelet. */
export function probe(
  path: string,
  port: number,
  scheme: 'HTTP' | 'HTTPS',
  timing: Omit<k8s.Probe, 'httpGet'>,
): k8s.Probe {
  return { httpGet: { path, port: k8s.IntOrString.fromNumber(port), scheme }, ...timing };
}
