/**
 * A namespace whose pods get certificates.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { checkWebhook, type IAutocertWebhook, type NamespaceRules } from './i-autocert-webhook.ts';
import { checkLabels, checkNamespaceLabel } from './labels.ts';
import { metadata } from './objects.ts';
import { NOT_PRUNED_BY_FLUX } from './retention.ts';
import { checkFlag, checkName, checkOneOf } from './validation.ts';

const POD_SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'] as const;

/** Pod Security Standards. */
export type PodSecurityLevel = (typeof POD_SECURITY_LEVELS)[number];

/** Properties of {@link AutocertNamespace}. */
export interface AutocertNamespaceProps extends NamespaceRules {
  /** The `AutocertWebhook` that serves the namespace. */
  readonly webhook: IAutocertWebhook;
  /** Name of the namespace. */
  readonly name: string;
  /**
   * Whether the namespace is these manifests' own. If `false`, it exists, and these manifests only label it: apply them
   * server-side (`kubectl apply --server-side`), so that its owner's labels and ours have an owner each, and never
   * `kubectl delete -f` them, since they name the namespace. Argo CD and Flux are told not to prune or delete it.
   * @default true
   */
  readonly create?: boolean;
  /** Pod Security level that the namespace enforces; injected containers comply with all. @default - none is set */
  readonly podSecurity?: PodSecurityLevel;
  /** More labels of the namespace. @default - none */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Turns Autocert on in a namespace, and says which names its pods may have beyond their own
 * (`*.shop.svc.cluster.local` and the like) and for how long.
 *
 * @example
 * new AutocertNamespace(chart, 'shop', { webhook, name: 'shop', allowedNames: ['*.shop.example.com'] });
 */
export class AutocertNamespace extends Construct {
  /** Name of the namespace. */
  readonly name: string;

  /** Labels the namespace and hands its rules to the webhook. */
  constructor(scope: Construct, id: string, props: AutocertNamespaceProps) {
    super(scope, id);
    this.name = checkName('name', props.name);
    const { podSecurity } = props;
    const security = podSecurity !== undefined && {
      'pod-security.kubernetes.io/enforce': checkOneOf('podSecurity', podSecurity, POD_SECURITY_LEVELS),
    };
    const more = checkLabels('labels', props.labels ?? {});
    const webhook = checkWebhook('webhook', props.webhook);
    const label = checkNamespaceLabel('webhook.namespaceLabel', webhook.namespaceLabel);
    const labels = { ...more, ...security, [label.key]: label.value };
    const own = metadata(this.name, undefined, labels);
    const annotations = {
      'argocd.argoproj.io/sync-options': 'Delete=false,Prune=false,ServerSideApply=true',
      ...NOT_PRUNED_BY_FLUX,
    };
    webhook.addNamespace(this.name, props);
    new k8s.KubeNamespace(this, 'Resource', {
      // It is not a part of Autocert if it is not ours.
      metadata: checkFlag('create', props.create ?? true) ? own : { ...own, labels, annotations },
    });
  }
}
