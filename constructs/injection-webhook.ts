/**
 * How the API server is told to ask the webhook.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { Annotation, DOMAIN, type PolicyConfig, WebhookPath } from '../runtime/contract.ts';
import { metadata } from './objects.ts';
import { enabledNamespaces } from './policy-scope.ts';

/** What the registration is made from. */
export interface InjectionWebhookInput {
  /** Name of the registration. */
  readonly name: string;
  /** Name of the webhook's Service. */
  readonly service: string;
  readonly namespace: string;
  /** PEM roots by which the API server trusts the webhook. Absent: the signer fills them in. */
  readonly caBundle: string | undefined;
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly timeoutSeconds: number;
  /** Asked for at synth. */
  readonly policy: () => PolicyConfig;
}

/** CEL: the pod asks for a certificate. Kubernetes before 1.28 drops the condition and sends every pod. */
const ASKS_FOR_CERTIFICATE = `has(object.metadata.annotations) && "${Annotation.name}" in object.metadata.annotations`;

/** Registers the webhook for annotated pods of labelled namespaces. */
export function addInjectionWebhook(scope: Construct, props: InjectionWebhookInput): void {
  const { name, service, namespace, caBundle } = props;
  new k8s.KubeMutatingWebhookConfiguration(scope, 'Registration', {
    metadata: metadata(name),
    webhooks: [
      {
        name: DOMAIN,
        admissionReviewVersions: ['v1', 'v1beta1'],
        clientConfig: {
          service: { name: service, namespace, path: WebhookPath.mutate, port: 443 },
          ...(caBundle && { caBundle: Buffer.from(caBundle).toString('base64') }),
        },
        rules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' },
        ],
        namespaceSelector: enabledNamespaces(props.policy),
        matchConditions: [{ name: 'asks-for-certificate', expression: ASKS_FOR_CERTIFICATE }],
        // It writes nothing: `kubectl apply --dry-run=server` is safe.
        sideEffects: 'None',
        // Others may add containers after us; kubelet runs those too, only without the certificate's mount. Being asked
        // again would find the pod marked as injected and change nothing.
        reinvocationPolicy: 'Never',
        failurePolicy: props.failurePolicy,
        timeoutSeconds: props.timeoutSeconds,
      },
    ],
  });
}
