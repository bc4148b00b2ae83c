/**
 * What puts certificates into pods.
 * @module
 */
import { Duration } from 'cdk8s';
import { DELIVERIES, type Delivery, SIDECAR_STYLES, type SidecarStyle } from '../runtime/contract.ts';
import { goDuration, isDuration } from './lifetimes.ts';
import { defined } from './objects.ts';
import { type ContainerResources, checkPullSecrets, checkResources } from './pods.ts';
import {
  checkFlag,
  checkKey,
  checkList,
  checkObject,
  checkObjectName,
  checkOneOf,
  checkOptional,
  checkReplicas,
  checkText,
  refuse,
} from './validation.ts';

const WEBHOOK_RESOURCES: ContainerResources = {
  // Node idles at about 60 MiB with the webhook loaded; a thousand admissions a second stay under 120.
  requests: { cpu: '50m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

const AGENT_RESOURCES: ContainerResources = {
  // Asleep it is a shell of 0.2 MB. For a tenth of a second at start and at each renewal Node works: 30 MB at its peak,
  // 121 MB with the page cache of a node that has not run Node yet; with 48 MiB it would not come to an end there. Agent
  // and hook run at once then: half a CPU would stop both for 90 ms of the pod's start.
  requests: { cpu: '10m', memory: '16Mi' },
  limits: { cpu: '1', memory: '128Mi' },
};

/** Options of {@link Injector.webhook}. */
export interface WebhookInjectorOptions {
  /** Number of webhook pods: spread over nodes, one always left. @default 2 */
  readonly replicas?: number;
  /** CPU and memory of a webhook pod. @default - requests 50m and 80Mi, at most 2 CPU and 256Mi */
  readonly resources?: ContainerResources;
  /**
   * What becomes of an annotated pod while no webhook answers: `Fail` refuses it, and its Deployment tries again;
   * `Ignore` lets it start without a certificate. Pods without the annotation are never affected.
   * @default 'Fail' - a pod that asked for a certificate must not run without one
   */
  readonly failurePolicy?: 'Fail' | 'Ignore';
  /** How long the API server waits for the webhook: 1 to 30 whole seconds. @default Duration.seconds(5) */
  readonly timeout?: Duration;
  /**
   * Whose client certificate the API server shows to the webhook: only such clients reach `/mutate`. The API server has to be
   * given the certificate before, by an AdmissionConfiguration.
   * @default - whoever reaches the port may ask, and learns what any pod's creator would
   * @see docs/constructs.md#the-api-servers-certificate
   */
  readonly apiServerClientCa?: ApiServerClientCa;
  /**
   * How pods get their files unless they say otherwise. @default 'auto' - natively where cluster and pod can
   * @see docs/native.md
   */
  readonly delivery?: Delivery;
  /**
   * Shape of the injected agent: one native sidecar (Kubernetes 1.29 and later), or the classic pair of containers.
   * @default 'auto' - native where the cluster has it
   */
  readonly sidecar?: SidecarStyle;
  /**
   * CPU and memory of an injected agent: asleep it takes 0.2 MB, at work for a tenth of a second some 30 MB.
   * @default - requests 10m and 16Mi, at most 1 CPU and 128Mi
   */
  readonly agentResources?: ContainerResources;
  /**
   * Names of Secrets, of type `kubernetes.io/dockerconfigjson`, that pods with an agent get besides their own, so that
   * kubelet can pull its image. They have to be in the namespaces of these pods. @default - none: pods have their own
   */
  readonly agentImagePullSecrets?: readonly string[];
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) refuses wrong annotations at `kubectl apply` of the
   * Deployment, StatefulSet, DaemonSet, Job or CronJob, before a pod is made of it. Set `false` before Kubernetes 1.30.
   * @default true
   */
  readonly workloadPolicy?: boolean;
}

/** By what the webhook knows the API server. */
export interface ApiServerClientCa {
  /**
   * ConfigMap in Autocert's namespace with the root certificates, PEM. A change is followed within a minute or two, and holds
   * for new connections.
   */
  readonly configMap: string;
  /** Its key. @default 'ca.crt' */
  readonly key?: string;
  /**
   * Common names that are accepted. Give them where that CA signs for others, too, as the cluster's own does for every node.
   * @default - every certificate of that CA that is for clients
   */
  readonly commonNames?: readonly string[];
}

/** The options, checked, with their defaults. */
export interface WebhookSettings {
  readonly replicas: number;
  readonly resources: ContainerResources;
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly timeoutSeconds: number;
  readonly delivery: Delivery;
  readonly sidecar: SidecarStyle;
  readonly agentResources: ContainerResources;
  readonly agentImagePullSecrets: readonly string[] | undefined;
  readonly workloadPolicy: boolean;
  readonly apiServerClientCa: (ApiServerClientCa & { readonly key: string }) | undefined;
}

/** What injects. */
export class Injector {
  /** A webhook, which serves every cluster and every pod. */
  static webhook(options: WebhookInjectorOptions = {}): Injector {
    return new Injector({
      replicas: checkReplicas('replicas', options.replicas ?? 2),
      resources: checkResources('resources', options.resources ?? WEBHOOK_RESOURCES),
      failurePolicy: checkOneOf('failurePolicy', options.failurePolicy ?? 'Fail', ['Fail', 'Ignore']),
      timeoutSeconds: checkTimeout('timeout', options.timeout ?? Duration.seconds(5)),
      delivery: checkOneOf('delivery', options.delivery ?? 'auto', DELIVERIES),
      sidecar: checkOneOf('sidecar', options.sidecar ?? 'auto', SIDECAR_STYLES),
      agentResources: checkResources('agentResources', options.agentResources ?? AGENT_RESOURCES),
      agentImagePullSecrets: checkOptional('agentImagePullSecrets', options.agentImagePullSecrets, checkPullSecrets),
      workloadPolicy: checkFlag('workloadPolicy', options.workloadPolicy ?? true),
      apiServerClientCa: checkOptional('apiServerClientCa', options.apiServerClientCa, checkClientCa),
    });
  }

  /**
   * A MutatingAdmissionPolicy, which the API server evaluates itself (Kubernetes 1.37 and later): nothing of Autocert is
   * in the path of pod creation. There is only native delivery, and a validating policy refuses pods that ask for what
   * it cannot do.
   */
  static policy(): Injector {
    return new Injector(undefined);
  }

  /** What this is. */
  readonly type: 'webhook' | 'policy';

  /** @internal */
  readonly webhook: WebhookSettings | undefined;

  private constructor(webhook: WebhookSettings | undefined) {
    this.type = webhook ? 'webhook' : 'policy';
    this.webhook = webhook;
  }
}

function checkClientCa(prop: string, value: unknown) {
  const { configMap, key, commonNames } = checkObject(prop, value) as Partial<ApiServerClientCa>;
  const names = checkOptional(`${prop}.commonNames`, commonNames, (of, list) => checkList(of, list, checkText));
  if (names?.length === 0) refuse(`${prop}.commonNames`, names, 'it takes one name at least, or is left out');
  return {
    configMap: checkObjectName(`${prop}.configMap`, configMap),
    key: checkKey(`${prop}.key`, key ?? 'ca.crt'),
    ...defined({ commonNames: names }),
  };
}

function checkTimeout(prop: string, value: unknown): number {
  const wanted = 'it takes 1 to 30 whole seconds, such as Duration.seconds(5)';
  if (!isDuration(value)) return refuse(prop, value, wanted);
  const seconds = value.toMilliseconds({ integral: false }) / 1000;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 30) return seconds;
  return refuse(prop, goDuration(value), wanted);
}
