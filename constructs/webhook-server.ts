/**
 * The webhook's Deployment with its token endpoint, and its registration with the API server.
 * @module
 */
import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { CONTAINER_PORT, type PolicyConfig, type WebhookConfig, WebhookPath } from '../runtime/contract.ts';
import type { AutocertWebhookProps } from './autocert-webhook.ts';
import { addInjectionWebhook, type InjectionWebhookInput } from './injection-webhook.ts';
import { metadata } from './objects.ts';
import { type ContainerImage, type ContainerResources, checkResources, scheduling } from './pods.ts';
import { addProgram, caConfig, type ProgramInput } from './program.ts';
import { checkOneOf, checkReplicas, refuse, shownDuration } from './validation.ts';

/** Name of every object, and the label `app` of the pods. */
const NAME = 'autocert';

const WEBHOOK_RESOURCES: ContainerResources = {
  // Node idles at about 60 MiB with the webhook loaded; a thousand admissions a second stay under 120.
  requests: { cpu: '50m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

const AGENT_RESOURCES: ContainerResources = {
  // A bare Node holds 45 MiB, half of it shared with the other agents of the node. CPU is used for a tenth of a second
  // at start and at each renewal. Agent and hook run at once then: half a CPU would stop both for 90 ms of the pod's start.
  requests: { cpu: '10m', memory: '64Mi' },
  limits: { cpu: '1', memory: '128Mi' },
};

/** What the webhook asks of the API server, and no more: who sent a token, which pod that is, and where it runs. */
const RULES: readonly k8s.PolicyRule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
];

/** What is known elsewhere. */
export interface WebhookServerInput {
  /** Image of webhook and agents. */
  readonly image: ContainerImage;
  /** Asked for at synth. */
  readonly policy: () => PolicyConfig;
  /** Namespaces whose pods are never sent; asked for at synth. */
  readonly excludedNamespaces: () => readonly string[];
}

/** Makes the objects in `scope`; the Deployment is its `Resource`. */
export function addWebhookServer(scope: Construct, props: AutocertWebhookProps, input: WebhookServerInput): void {
  const { ca } = props;
  const config = webhookConfig(props, input.image);
  const program: ProgramInput = {
    ...scheduling(props),
    name: NAME,
    subcommand: 'webhook',
    ca,
    config: () => ({ ...input.policy(), ...config }) satisfies WebhookConfig,
    configMap: `${NAME}-config`,
    image: input.image,
    replicas: checkReplicas('replicas', props.replicas ?? 2),
    resources: { prop: 'resources', values: props.resources ?? WEBHOOK_RESOURCES },
    port: { name: 'https', number: CONTAINER_PORT, scheme: 'HTTPS' },
    healthz: WebhookPath.healthz,
    readyz: WebhookPath.readyz,
    rules: RULES,
  };
  addProgram(scope, program);
  new k8s.KubeService(scope, 'Service', {
    metadata: metadata(NAME, ca.namespace, { app: NAME }),
    spec: {
      selector: { app: NAME },
      ports: [{ name: 'https', port: 443, targetPort: k8s.IntOrString.fromNumber(CONTAINER_PORT) }],
    },
  });
  const caBundle = ca.caBundleFor(NAME);
  const registration: InjectionWebhookInput = {
    name: NAME,
    namespace: ca.namespace,
    ...(caBundle && { caBundle }),
    failurePolicy: checkOneOf('failurePolicy', props.failurePolicy ?? 'Fail', ['Fail', 'Ignore']),
    timeoutSeconds: checkTimeout(props.timeout ?? Duration.seconds(5)),
    excludedNamespaces: input.excludedNamespaces,
  };
  addInjectionWebhook(scope, registration);
}

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
