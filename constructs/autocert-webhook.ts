/**
 * What gives annotated pods their certificates.
 * @module
 */
import { Chart } from 'cdk8s';
import { Construct } from 'constructs';
import {
  ADMISSION_MODES,
  type AdmissionMode,
  NAMESPACE_LABEL,
  type NamespaceLabel,
  type NamespacePolicy,
  type PolicyConfig,
} from '../runtime/contract.ts';
import { labelText } from '../runtime/policy/namespace-label.ts';
import { spellingsOf } from '../runtime/policy/own-names.ts';
import { excludedNamespaces } from '../runtime/policy/reserved-names.ts';
import { checkAllowedName, checkReservedName } from './allowed-name.ts';
import { AutocertSigner, checkSigner, SIGNER, type SignerOptions } from './autocert-signer.ts';
import type { IAutocertWebhook, NamespaceRules, ServiceAccountRules } from './i-autocert-webhook.ts';
import { checkStepCa, type IStepCa } from './i-step-ca.ts';
import { ImmutableAnnotations } from './immutable-annotations.ts';
import { InjectionPolicy } from './injection-policy.ts';
import { Injector } from './injector.ts';
import { checkNamespaceLabel } from './labels.ts';
import { checkDuration, checkOrder, goDuration, goLifetimes } from './lifetimes.ts';
import { checkedImage, DEFAULT_IMAGE, type ImagePullPolicy, type PodProps, podProps } from './pods.ts';
import { SignerLimits } from './signer-limits.ts';
import { refuseTwins } from './twins.ts';
import {
  checkFlag,
  checkInstance,
  checkList,
  checkMap,
  checkName,
  checkObject,
  checkObjectName,
  checkOneOf,
  checkOptional,
  refuse,
} from './validation.ts';
import { ValidationPolicy } from './validation-policy.ts';
import { addWebhookServer, registrationName, servingNames } from './webhook-server.ts';

/** Properties of {@link AutocertWebhook}. */
export interface AutocertWebhookProps extends PodProps {
  /** CA that signs; webhook and signer run in its namespace. */
  readonly ca: IStepCa;
  /**
   * What injects: a webhook, or, by `Injector.policy()`, a policy that the API server evaluates itself.
   * @default Injector.webhook()
   * @see docs/constructs.md#without-a-webhook
   */
  readonly injector?: Injector;
  /**
   * Image with our programs, for webhook, signer and agents, by tag or by digest.
   * @default - `autocert:` and the version of this package
   * @see docs/supply-chain.md#images-by-digest
   */
  readonly image?: string;
  /**
   * Image of the agents. @default - that which the webhook itself runs, so that one change of `images` by kustomize, or of the
   * Deployment's image by whatever else, changes both
   */
  readonly agentImage?: string;
  /** `Always`, `IfNotPresent` or `Never`, for the webhook, the signer and the agents. @default 'IfNotPresent' */
  readonly imagePullPolicy?: ImagePullPolicy;
  /**
   * The label of namespaces that turns Autocert on, as `kubectl label namespace` takes it. Two installations in one cluster
   * take one each, so that a namespace belongs to one of them: another one than the Go original's moves namespaces from
   * there one by one (docs/migration.md). Changing it turns Autocert off wherever the label of before is.
   * @default 'autocert.step.sm=enabled'
   * @see docs/migration.md
   */
  readonly namespaceLabel?: string;
  /**
   * What becomes of a pod, or of what makes pods, that the rules for names, annotations and delivery refuse. `enforce`: it
   * is not created. `report`: it is created, without a certificate, and whoever creates it gets a warning; audit log,
   * the webhook's log and `autocert_admissions_total{result="reported"}` have it, too. So one sees what would be refused
   * before one refuses it. It takes `Injector.webhook()`. Nobody gets a certificate by it: certificate endpoint, signer
   * and CA judge as ever, and the policies of `guard` go on refusing. While no webhook answers, `failurePolicy` decides.
   * @default 'enforce'
   * @see docs/migration.md#report-mode
   */
  readonly mode?: AdmissionMode;
  /**
   * Namespaces whose pods never get a certificate, besides `kube-system` and Autocert's own, whatever their labels say.
   * @default - none
   */
  readonly excludedNamespaces?: readonly string[];
  /**
   * Names that no pod gets, whatever `allowedNames` says, besides those of CA, Autocert and `kubernetes.default`: DNS
   * patterns, IP addresses and CIDR blocks. List where the API server is reached. @default - none
   * @see docs/constructs.md#names-that-nobody-gets
   */
  readonly reservedNames?: readonly string[];
  /**
   * Whether `<service>.<namespace>` is a name of a namespace. Where the namespace is called like a top-level domain
   * (`shop`, `dev`, `io`, `local`) it never is. @default true
   */
  readonly shortNames?: boolean;
  /**
   * The signer of native delivery, which also keeps the webhook's `caBundle`. `false`: none runs. Every pod gets a sidecar
   * then, and the CA's root has to be known at synth. @default - two pods; kubelet renews when two thirds of the lifetime are gone
   * @see docs/constructs.md#without-a-signer
   */
  readonly signer?: SignerOptions | false;
  /**
   * Whether each certificate that a pod gets is an Event of type Normal on it, besides the line in the log.
   * @default false
   */
  readonly issuanceEvents?: boolean;
  /**
   * Whether ValidatingAdmissionPolicies (Kubernetes 1.30 and later) keep the annotations of pods as they were admitted, and
   * let the signer change nothing of the webhook's registration but `caBundle`. Set `false` before Kubernetes 1.30.
   * @default true
   */
  readonly guard?: boolean;
  /**
   * Whether the platform says who pods run as, as OpenShift's `restricted-v2` does: then webhook, signer and injected agents
   * ask for no uid and no group, but for those that a pod's annotation `owner` names. @default false
   * @see docs/constructs.md#openshift
   */
  readonly userFromPlatform?: boolean;
}

/** A policy of the API server injects before another one refuses: what is refused would wait for its files for ever. */
function checkMode(value: unknown, hasWebhook: boolean): AdmissionMode {
  const mode = checkOneOf('mode', value, ADMISSION_MODES);
  if (mode === 'enforce' || hasWebhook) return mode;
  return refuse(
    'mode',
    value,
    'Injector.policy() injects before anybody judges, and what is only reported would wait for its certificate for ever: take Injector.webhook() as long as you report',
  );
}

const checkInjector = checkInstance('it takes Injector.webhook(…) or Injector.policy()', Injector);

/**
 * The injector, the certificate endpoint, and the signer for native delivery. Wherever a namespace has the label
 * `autocert.step.sm=enabled`, or that of `namespaceLabel`, new pods with the annotation `autocert.step.sm/name` get a certificate.
 *
 * @example
 * const webhook = new AutocertWebhook(chart, 'autocert', { ca, injector: Injector.webhook({ replicas: 3 }) });
 */
export class AutocertWebhook extends Construct implements IAutocertWebhook {
  /** CA that signs. */
  readonly ca: IStepCa;
  /** Whether a webhook runs, and with it the certificate endpoint: not with `Injector.policy()`. */
  readonly hasServer: boolean;
  /** Whether a signer runs: not with `signer: false`. */
  readonly hasSigner: boolean;
  readonly #label: NamespaceLabel;
  readonly #issuanceEvents: boolean;
  readonly #shortNames: boolean;
  readonly #reserved: readonly string[];
  readonly #excluded: Set<string>;
  readonly #namespaces = new Map<string, NamespacePolicy>();

  /** Makes the objects of webhook and signer; none of them is named after `id`. */
  constructor(scope: Construct, id: string, props: AutocertWebhookProps) {
    super(scope, id);
    this.ca = checkStepCa('ca', props.ca);
    this.#label = checkOptional('namespaceLabel', props.namespaceLabel, checkNamespaceLabel) ?? NAMESPACE_LABEL;
    this.#excluded = new Set(excludedNamespaces({ namespace: this.ca.namespace, excludedNamespaces: [] }));
    checkList('excludedNamespaces', props.excludedNamespaces ?? [], (prop, name) => this.#exclude(prop, name));
    const reserved = checkList('reservedNames', props.reservedNames ?? [], checkReservedName);
    this.#reserved = [...new Set([...this.ca.hosts, ...servingNames(this.ca), ...reserved])];
    this.#shortNames = checkFlag('shortNames', props.shortNames ?? true);
    // The CA's namespace comes first, whichever charts the two are in.
    this.node.addDependency(this.ca);
    this.#refuseSecond();
    const image = checkedImage('image', props.image ?? DEFAULT_IMAGE, props.imagePullPolicy);
    const { webhook } = checkInjector('injector', props.injector ?? Injector.webhook());
    const signer = checkSigner(props.signer, webhook, this.ca);
    const mode = checkMode(props.mode ?? 'enforce', webhook !== undefined);
    this.hasServer = webhook !== undefined;
    this.hasSigner = signer !== false;
    this.#issuanceEvents = checkFlag('issuanceEvents', props.issuanceEvents ?? false);
    const userFromPlatform = checkFlag('userFromPlatform', props.userFromPlatform ?? false);
    const known = { ...podProps(props), ca: this.ca, image, userFromPlatform, policy: () => this.policy() };
    this.ca.limitNames({ ...known, servingNames: webhook ? servingNames(this.ca) : [] });
    const agentImage = props.agentImage && checkedImage('agentImage', props.agentImage).image;
    if (webhook) addWebhookServer(this, { ...known, agentImage, settings: webhook, hasSigner: this.hasSigner, mode });
    else new InjectionPolicy(this, 'Resource', known);
    if (webhook?.workloadPolicy ?? true) {
      const by = { policyInjector: webhook === undefined, nativeDelivery: this.hasSigner, mode };
      new ValidationPolicy(this, 'Validation', { ...known, ...by });
    }
    const kept = webhook ? { webhookConfiguration: registrationName(this.ca) } : {};
    if (signer !== false) new AutocertSigner(this, 'Signer', { ...signer, ...known, ...kept });
    if (!checkFlag('guard', props.guard ?? true)) return;
    // Whatever the mode: others rest upon these two, and what they refuse is no pod that is being created.
    new ImmutableAnnotations(this, 'Annotations', { namespace: this.ca.namespace });
    if (signer !== false) new SignerLimits(this, 'SignerLimits', { namespace: this.ca.namespace, name: SIGNER });
  }

  /** Never gives a certificate to pods of a namespace, even where it is labelled. */
  excludeNamespace(name: string): void {
    this.#exclude('excludedNamespaces', name);
  }

  /** Says what the pods of a namespace may have. `AutocertNamespace` calls this. */
  addNamespace(name: string, rules: NamespaceRules): void {
    checkName('name', name);
    if (this.#excluded.has(name)) refuse('name', name, 'the pods of this namespace never get a certificate');
    if (this.#namespaces.has(name)) refuse('name', name, 'the rules of this namespace are given already');
    const maxDuration = checkOptional('maxDuration', rules.maxDuration, checkDuration);
    if (maxDuration !== undefined) {
      checkOrder(['maxDuration', maxDuration], ["the CA's maxDuration", this.ca.maxDuration]);
      checkOrder(["the CA's minDuration", this.ca.minDuration], ['maxDuration', maxDuration]);
    }
    const allowedNames = checkList('allowedNames', rules.allowedNames ?? [], checkAllowedName(this.policy()));
    const serviceAccounts = this.#accounts(name, rules);
    this.#namespaces.set(name, {
      allowedNames,
      ...(maxDuration && { maxDuration: goDuration(maxDuration) }),
      ...(serviceAccounts && { serviceAccounts }),
    });
  }

  #accounts(namespace: string, { serviceAccounts }: NamespaceRules): NamespacePolicy['serviceAccounts'] {
    if (serviceAccounts === undefined) return undefined;
    const policy = this.policy();
    return checkMap('serviceAccounts', serviceAccounts, (prop, rules) => {
      checkObjectName('serviceAccounts', prop.slice('serviceAccounts.'.length));
      const { allowedNames } = checkObject(prop, rules) as Partial<ServiceAccountRules>;
      const names = checkList(`${prop}.allowedNames`, allowedNames, checkAllowedName(policy));
      return { allowedNames: [...new Set(names.flatMap((pattern) => spellingsOf(pattern, namespace, policy)))] };
    });
  }

  /** The label of the namespaces that it serves, such as `autocert.step.sm=enabled`. */
  get namespaceLabel(): string {
    return labelText(this.#label);
  }

  /** The namespaces whose pods never get a certificate, in order. */
  get excludedNamespaces(): readonly string[] {
    return [...this.#excluded].sort();
  }

  /** Names and lifetimes that pods may have, as far as they are known by now; complete at synth. */
  policy(): PolicyConfig {
    const namespaces = [...this.#namespaces].sort(([one], [other]) => (one < other ? -1 : 1));
    return {
      namespace: this.ca.namespace,
      clusterDomain: this.ca.clusterDomain,
      reservedNames: this.#reserved,
      ...(!this.#shortNames && { shortNames: false }),
      ...goLifetimes(this.ca),
      ...(this.namespaceLabel !== labelText(NAMESPACE_LABEL) && { namespaceLabel: this.#label }),
      excludedNamespaces: this.excludedNamespaces,
      namespaces: Object.fromEntries(namespaces),
      ...(this.#issuanceEvents && { issuanceEvents: true }),
    };
  }

  #clashesWith(other: AutocertWebhook): boolean {
    return other.ca.namespace === this.ca.namespace || other.namespaceLabel === this.namespaceLabel;
  }

  #exclude(prop: string, value: unknown): string {
    const name = checkName(prop, value);
    if (this.#namespaces.has(name)) refuse(prop, name, 'the rules of this namespace are given already');
    this.#excluded.add(name);
    return name;
  }

  /** Two of one cluster have objects of the same names unless their namespaces differ, and inject the same pods by the same label. */
  #refuseSecond(): void {
    refuseTwins(this, {
      isTwin: (other) =>
        other instanceof AutocertWebhook &&
        (other.ca === this.ca || (Chart.of(other) === Chart.of(this) && this.#clashesWith(other))),
      problem: ({ node }) =>
        `AutocertWebhook "${this.node.path}" is the second beside "${node.path}", with the same CA, namespace or ` +
        'namespaceLabel: one serves any number of namespaces, and a second in a cluster takes all three of its own.',
    });
  }
}
