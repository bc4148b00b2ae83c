/**
 * What gives annotated pods their certificates.
 * @module
 */
import type { Duration } from 'cdk8s';
import { Construct } from 'constructs';
import type { Delivery, NamespacePolicy, PolicyConfig, SidecarStyle } from '../runtime/contract.ts';
import { checkAllowedName } from './allowed-name.ts';
import { AutocertSigner } from './autocert-signer.ts';
import type { IStepCa } from './i-step-ca.ts';
import { InjectionPolicy } from './injection-policy.ts';
import { goLifetimes } from './lifetimes.ts';
import {
  type ContainerResources,
  checkedImage,
  DEFAULT_IMAGE,
  type ImagePullPolicy,
  type SchedulingProps,
  scheduling,
} from './pods.ts';
import { checkName, checkOneOf, checkOrder, checkReplicas, goDuration, refuse } from './validation.ts';
import { ValidationPolicy } from './validation-policy.ts';
import { addWebhookServer } from './webhook-server.ts';

const SIGNER_RESOURCES: ContainerResources = {
  requests: { cpu: '20m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

/** Properties of {@link AutocertWebhook}. */
export interface AutocertWebhookProps extends SchedulingProps {
  /** CA that signs; the webhook runs in its namespace. */
  readonly ca: IStepCa;
  /**
   * What injects: `webhook`, which serves every cluster and every pod, or `policy`, a MutatingAdmissionPolicy that the API
   * server evaluates itself (Kubernetes 1.37 and later). With `policy` nothing runs in the path of pod creation, and there
   * is only native delivery: pods that ask for what it cannot do are refused. Props of webhook and agents are refused then.
   * @default 'webhook'
   */
  readonly injector?: Injector;
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) refuses wrong annotations at `kubectl apply` of the
   * Deployment, StatefulSet, DaemonSet, Job or CronJob, before a pod is made of it. @default true
   */
  readonly workloadPolicy?: boolean;
  /** Number of webhook pods. @default 2 */
  readonly replicas?: number;
  /** Image with our programs; pods get their agent from it too. @default - `autocert:` and the version of this package */
  readonly image?: string;
  /** `Always`, `IfNotPresent` or `Never`, for the webhook, the signer and the agents. @default 'IfNotPresent' */
  readonly imagePullPolicy?: ImagePullPolicy;
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
  /** Namespaces whose pods are never touched, besides `kube-system` and the webhook's own. @default - none */
  readonly excludedNamespaces?: readonly string[];
  /** How pods get their files unless they say otherwise. @default 'auto' - natively where the cluster can */
  readonly delivery?: Delivery;
  /** Shape of the injected agent. @default 'auto' - one native sidecar where the cluster has them */
  readonly sidecar?: SidecarStyle;
  /** CPU and memory of an injected agent. @default - requests 10m and 64Mi, at most 1 and 128Mi */
  readonly agentResources?: ContainerResources;
  /** Number of signer pods. @default 2 */
  readonly signerReplicas?: number;
  /** CPU and memory of a signer pod. @default - requests 20m and 80Mi, at most 2 CPU and 256Mi */
  readonly signerResources?: ContainerResources;
  /**
   * Share of the lifetime, between 0 and 1, after which kubelet renews a natively delivered certificate; never within
   * ten minutes of either end, and up to five minutes later, which is kubelet's jitter. @default 2/3
   */
  readonly signerRenewAt?: number;
}

/** What injects; see {@link AutocertWebhookProps.injector}. */
export type Injector = 'webhook' | 'policy';

/** Props that say nothing where no webhook and no agent runs. */
const WEBHOOK_PROPS = [
  'replicas',
  'resources',
  'failurePolicy',
  'timeout',
  'sidecar',
  'agentResources',
] as const satisfies readonly (keyof AutocertWebhookProps)[];

/** What {@link AutocertWebhook.addNamespace} takes. */
export interface NamespaceRules {
  /**
   * Names that pods may have beyond those of their own namespace: DNS names (`*` stands for one label, `**` for one or
   * more), IP addresses, CIDR blocks, URIs (`*` for one segment of the path, `**` for the rest). @default - none
   */
  readonly allowedNames?: readonly string[];
  /** Longest lifetime. @default - the CA's own */
  readonly maxDuration?: Duration;
}

/**
 * The admission webhook with its token endpoint, and the signer for native delivery. Wherever a namespace has the label
 * `autocert.step.sm=enabled`, pods with the annotation `autocert.step.sm/name` get their certificate.
 *
 * @example
 * const webhook = new AutocertWebhook(chart, 'autocert', { ca, replicas: 3 });
 */
export class AutocertWebhook extends Construct {
  /** CA that signs. */
  readonly ca: IStepCa;
  readonly #excluded: Set<string>;
  readonly #namespaces = new Map<string, NamespacePolicy>();

  /** Makes the objects of webhook and signer; none of them is named after `id`. */
  constructor(scope: Construct, id: string, props: AutocertWebhookProps) {
    super(scope, id);
    this.ca = props.ca;
    this.#excluded = new Set(['kube-system', props.ca.namespace]);
    for (const name of props.excludedNamespaces ?? []) this.excludeNamespace(name);
    // The CA's namespace comes first, whichever charts the two are in.
    this.node.addDependency(props.ca);
    const image = checkedImage('image', props.image ?? DEFAULT_IMAGE, props.imagePullPolicy);
    const known = { policy: () => this.policy(), excludedNamespaces: () => this.excludedNamespaces };
    const policyInjector = checkOneOf('injector', props.injector ?? 'webhook', ['webhook', 'policy']) === 'policy';
    if (policyInjector) {
      refuseWebhookProps(props);
      new InjectionPolicy(this, 'Resource', known);
    } else {
      addWebhookServer(this, props, { image, ...known });
    }
    if (props.workloadPolicy ?? true) new ValidationPolicy(this, 'Validation', { ...known, policyInjector });
    new AutocertSigner(this, 'Signer', {
      ...scheduling(props),
      ca: props.ca,
      policy: known.policy,
      image,
      replicas: checkReplicas('signerReplicas', props.signerReplicas ?? 2),
      resources: props.signerResources ?? SIGNER_RESOURCES,
      ...(props.signerRenewAt !== undefined && { renewAt: props.signerRenewAt }),
    });
  }

  /** Never touches the pods of a namespace, even where it is labelled. */
  excludeNamespace(name: string): void {
    this.#excluded.add(checkName('excludedNamespaces', name));
  }

  /** Says what the pods of a namespace may have. `AutocertNamespace` calls this. */
  addNamespace(name: string, rules: NamespaceRules): void {
    checkName('name', name);
    if (this.#excluded.has(name)) refuse('name', name, 'the webhook never touches the pods of this namespace');
    if (this.#namespaces.has(name)) refuse('name', name, 'the rules of this namespace are given already');
    const { allowedNames = [], maxDuration } = rules;
    if (maxDuration !== undefined) {
      checkOrder(['maxDuration', maxDuration], ["the CA's maxDuration", this.ca.maxDuration]);
      checkOrder(["the CA's minDuration", this.ca.minDuration], ['maxDuration', maxDuration]);
    }
    this.#namespaces.set(name, {
      allowedNames: allowedNames.map((pattern, index) => checkAllowedName(`allowedNames[${index}]`, pattern)),
      ...(maxDuration && { maxDuration: goDuration('maxDuration', maxDuration) }),
    });
  }

  /** The namespaces that are never touched, in order. */
  get excludedNamespaces(): readonly string[] {
    return [...this.#excluded].sort();
  }

  /** Names and lifetimes that pods may have, as far as they are known by now; complete at synth. */
  policy(): PolicyConfig {
    const namespaces = [...this.#namespaces].sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      clusterDomain: this.ca.clusterDomain,
      ...goLifetimes(this.ca),
      namespaces: Object.fromEntries(namespaces),
    };
  }
}

/** Without a webhook the validating policy is what judges pods, so it cannot be left out. */
function refuseWebhookProps(props: AutocertWebhookProps): void {
  for (const prop of WEBHOOK_PROPS) {
    if (props[prop] !== undefined)
      refuse(prop, props[prop], 'with injector "policy" there is neither webhook nor agent');
  }
  if (props.delivery === 'sidecar') {
    refuse('delivery', props.delivery, 'with injector "policy" there is native delivery only');
  }
  if (props.workloadPolicy === false) {
    refuse('workloadPolicy', false, 'with injector "policy" it is what judges pods');
  }
}
