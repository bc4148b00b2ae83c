/**
 * What gives annotated pods their certificates.
 * @module
 */
import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import {
  CONTAINER_PORT,
  type Delivery,
  type NamespacePolicy,
  type PolicyConfig,
  type SidecarStyle,
  type WebhookConfig,
  WebhookPath,
} from '../runtime/contract.ts';
import { checkAllowedName } from './allowed-name.ts';
import { AutocertSigner } from './autocert-signer.ts';
import type { IStepCa } from './i-step-ca.ts';
import { addInjectionWebhook } from './injection-webhook.ts';
import { goLifetimes } from './lifetimes.ts';
import { metadata } from './objects.ts';
import {
  type ContainerImage,
  type ContainerResources,
  checkedImage,
  checkResources,
  DEFAULT_IMAGE,
  type ImagePullPolicy,
  type SchedulingProps,
  scheduling,
} from './pods.ts';
import { addProgram, caConfig } from './program.ts';
import { checkName, checkOneOf, checkOrder, checkReplicas, goDuration, refuse, shownDuration } from './validation.ts';

/** Name of every object, and the label `app` of the pods. */
const NAME = 'autocert';

const WEBHOOK_RESOURCES: ContainerResources = {
  // Node idles at about 60 MiB with the webhook loaded; a thousand admissions a second stay under 120.
  requests: { cpu: '50m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

const SIGNER_RESOURCES: ContainerResources = {
  requests: { cpu: '20m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

const AGENT_RESOURCES: ContainerResources = {
  // A bare Node holds 45 MiB, half of it shared with the other agents of the node. CPU is used for a tenth of a second
  // at start and at each renewal; half a CPU does not slow that down noticeably, and namespaces with a quota count it.
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '500m', memory: '128Mi' },
};

/** Properties of {@link AutocertWebhook}. */
export interface AutocertWebhookProps extends SchedulingProps {
  /** CA that signs; the webhook runs in its namespace. */
  readonly ca: IStepCa;
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
  /** CPU and memory of an injected agent. @default - requests 10m and 64Mi, at most 500m and 128Mi */
  readonly agentResources?: ContainerResources;
  /** Number of signer pods. @default 2 */
  readonly signerReplicas?: number;
  /** CPU and memory of a signer pod. @default - requests 20m and 80Mi, at most 2 CPU and 256Mi */
  readonly signerResources?: ContainerResources;
}

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
    const config = webhookConfig(props, image);

    addProgram(this, {
      ...scheduling(props),
      name: NAME,
      subcommand: 'webhook',
      ca: props.ca,
      config: () => ({ ...this.policy(), ...config }) satisfies WebhookConfig,
      configMap: `${NAME}-config`,
      image,
      replicas: checkReplicas('replicas', props.replicas ?? 2),
      resources: { prop: 'resources', values: props.resources ?? WEBHOOK_RESOURCES },
      port: { name: 'https', number: CONTAINER_PORT, scheme: 'HTTPS' },
      healthz: WebhookPath.healthz,
      readyz: WebhookPath.readyz,
      rules: RULES,
    });
    new k8s.KubeService(this, 'Service', {
      metadata: metadata(NAME, props.ca.namespace, { app: NAME }),
      spec: {
        selector: { app: NAME },
        ports: [{ name: 'https', port: 443, targetPort: k8s.IntOrString.fromNumber(CONTAINER_PORT) }],
      },
    });
    this.#addInjector(props);
    new AutocertSigner(this, 'Signer', {
      ...scheduling(props),
      ca: props.ca,
      policy: () => this.policy(),
      image,
      replicas: checkReplicas('signerReplicas', props.signerReplicas ?? 2),
      resources: props.signerResources ?? SIGNER_RESOURCES,
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

  #addInjector(props: AutocertWebhookProps): void {
    const caBundle = this.ca.caBundleFor(NAME);
    addInjectionWebhook(this, {
      name: NAME,
      namespace: this.ca.namespace,
      ...(caBundle && { caBundle }),
      failurePolicy: checkOneOf('failurePolicy', props.failurePolicy ?? 'Fail', ['Fail', 'Ignore']),
      timeoutSeconds: checkTimeout(props.timeout ?? Duration.seconds(5)),
      excludedNamespaces: () => this.excludedNamespaces,
    });
  }
}

/** What the webhook asks of the API server, and no more: who sent a token, which pod that is, and where it runs. */
const RULES: readonly k8s.PolicyRule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
];

function webhookConfig(props: AutocertWebhookProps, image: ContainerImage): Omit<WebhookConfig, keyof PolicyConfig> {
  const host = `${NAME}.${props.ca.namespace}`;
  return {
    ...caConfig(props.ca),
    autocertUrl: `https://${host}.svc`,
    servingNames: [`${host}.svc`, `${host}.svc.${props.ca.clusterDomain}`, host],
    port: CONTAINER_PORT,
    agent: { ...image, resources: checkResources('agentResources', props.agentResources ?? AGENT_RESOURCES) },
    delivery: checkOneOf('delivery', props.delivery ?? 'auto', ['auto', 'native', 'sidecar']),
    sidecar: checkOneOf('sidecar', props.sidecar ?? 'auto', ['auto', 'native', 'classic']),
  };
}

function checkTimeout(timeout: Duration): number {
  const seconds = timeout.toMilliseconds() / 1000;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 30) return seconds;
  return refuse('timeout', shownDuration(timeout), 'it takes 1 to 30 whole seconds');
}
