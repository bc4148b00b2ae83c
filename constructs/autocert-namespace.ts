/**
 * A namespace whose pods get certificates.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { NAMESPACE_LABEL } from '../runtime/contract.ts';
import type { AutocertWebhook, NamespaceRules } from './autocert-webhook.ts';
import { metadata } from './objects.ts';
import { checkOneOf } from './validation.ts';

/** Pod Security Standards. */
export type PodSecurityLevel = 'privileged' | 'baseline' | 'restricted';

/** Properties of {@link AutocertNamespace}. */
export interface AutocertNamespaceProps extends NamespaceRules {
  /** Webhook that serves the namespace. */
  readonly webhook: AutocertWebhook;
  /** Name of the namespace. */
  readonly name: string;
  /**
   * Whether the namespace is these manifests' own. If `false`, it exists, and these manifests only label it: apply them
   * server-side (`kubectl apply --server-side`), so that its owner's labels and ours have an owner each, and never
   * `kubectl delete -f` them, since they name the namespace. Argo CD is told not to prune or delete it.
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
    const { webhook, name, podSecurity, create = true } = props;
    webhook.addNamespace(name, props);
    this.name = name;
    const levels = ['privileged', 'baseline', 'restricted'] as const;
    const security = podSecurity && {
      'pod-security.kubernetes.io/enforce': checkOneOf('podSecurity', podSecurity, levels),
    };
    const labels = { ...props.labels, ...security, [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
    new k8s.KubeNamespace(this, 'Resource', {
      metadata: create
        ? metadata(name, undefined, labels)
        : {
            name,
            labels,
            annotations: { 'argocd.argoproj.io/sync-options': 'Delete=false,Prune=false,ServerSideApply=true' },
          },
    });
  }
}
