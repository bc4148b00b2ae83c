/**
 * The webhook's Deployment with the certificate endpoint, and its registration with the API server.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import {
  type AdmissionMode,
  CERTIFICATE_PORT,
  CONTAINER_PORT,
  type PolicyConfig,
  WEBHOOK_HEALTH_PORT,
  type WebhookConfig,
} from '../runtime/contract.ts';
import { clusterName } from '../runtime/policy/cluster-names.ts';
import type { IStepCa } from './i-step-ca.ts';
import { addInjectionWebhook } from './injection-webhook.ts';
import type { WebhookSettings } from './injector.ts';
import { closeWebhook } from './network-policies.ts';
import { defined, metadata } from './objects.ts';
import type { ContainerImage, PodProps } from './pods.ts';
import { addProgram, CLIENT_CA_FILE, caConfig } from './program.ts';
import { WEBHOOK_RIGHTS } from './rights.ts';

/** Name of every object, and the label `app` of the pods. */
const NAME = 'autocert';

/** Name of the webhook's registration, which is in no namespace. */
export function registrationName({ namespace }: IStepCa): string {
  return clusterName(NAME, namespace);
}

/** What the API server reaches, and what pods reach. */
const ADMISSION = { name: 'https', number: CONTAINER_PORT };
const CERTIFICATES = { name: 'certificates', number: CERTIFICATE_PORT };

/** What the webhook is made from. */
export interface WebhookServerInput extends PodProps {
  /** CA that signs; the webhook runs in its namespace. */
  readonly ca: IStepCa;
  readonly image: ContainerImage;
  /** Of agents; absent: `image`. */
  readonly agentImage: string | undefined;
  /** Whether the platform says who webhook and agents run as. */
  readonly userFromPlatform: boolean;
  /** Asked for at synth. */
  readonly policy: () => PolicyConfig;
  readonly settings: WebhookSettings;
  /** Whether a signer runs. */
  readonly hasSigner: boolean;
  readonly mode: AdmissionMode;
}

/** Makes the objects in `scope`; the Deployment is its `Resource`. */
export function addWebhookServer(scope: Construct, input: WebhookServerInput): void {
  const { ca, image, policy, settings } = input;
  const { namespace } = ca;
  const clientCa = settings.apiServerClientCa;
  const atStart = {
    port: ADMISSION.number,
    certificatePort: CERTIFICATES.number,
    healthPort: WEBHOOK_HEALTH_PORT,
    ...(clientCa && {
      apiServer: { clientCaFile: CLIENT_CA_FILE, ...defined({ commonNames: clientCa.commonNames }) },
    }),
  };
  const config = webhookConfig(input);
  if (ca.network !== undefined) closeWebhook(scope, ca.network);
  addProgram(scope, {
    ...input,
    name: NAME,
    subcommand: 'webhook',
    atStart,
    followed: () => ({ ...policy(), ...config, ...atStart }) satisfies WebhookConfig,
    image,
    replicas: settings.replicas,
    resources: settings.resources,
    ports: [ADMISSION, CERTIFICATES],
    clientCa,
    rights: WEBHOOK_RIGHTS,
  });
  const servicePort = (port: number, { name, number }: typeof ADMISSION) => {
    return { name, port, targetPort: k8s.IntOrString.fromNumber(number) };
  };
  new k8s.KubeService(scope, 'Service', {
    metadata: metadata(NAME, namespace, { app: NAME }),
    spec: {
      selector: { app: NAME },
      ports: [servicePort(443, ADMISSION), servicePort(CERTIFICATE_PORT, CERTIFICATES)],
    },
  });
  const { failurePolicy, timeoutSeconds } = settings;
  const caBundle = ca.rootCertificate;
  const name = registrationName(ca);
  addInjectionWebhook(scope, { name, service: NAME, namespace, caBundle, failurePolicy, timeoutSeconds, policy });
}

/** Names at which Autocert is reached, of the webhook's own certificate; the first is its common name. They are reserved. */
export function servingNames({ namespace, clusterDomain }: IStepCa): readonly [string, ...string[]] {
  const host = `${NAME}.${namespace}`;
  return [`${host}.svc`, `${host}.svc.${clusterDomain}`, host];
}

function webhookConfig(input: WebhookServerInput) {
  const { ca, image, agentImage, userFromPlatform, settings, hasSigner, mode } = input;
  const names = servingNames(ca);
  return {
    ...caConfig(ca),
    autocertUrl: `https://${names[0]}:${CERTIFICATE_PORT}`,
    servingNames: names,
    // Without an image of their own, agents are of the webhook's, whatever it is changed to afterwards.
    agent: {
      ...defined({ image: agentImage }),
      imagePullPolicy: image.imagePullPolicy,
      ...defined({ imagePullSecrets: settings.agentImagePullSecrets }),
      resources: settings.agentResources,
      ...(userFromPlatform && { userFromPlatform }),
    },
    // A webhook of an earlier version does not know the second.
    ...(hasSigner ? { delivery: settings.delivery } : { delivery: 'sidecar' as const, signer: false as const }),
    sidecar: settings.sidecar,
    ...(mode !== 'enforce' && { mode }),
  };
}
