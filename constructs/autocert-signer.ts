/**
 * The signer: native delivery, and what is to be kept in the cluster.
 * @module
 */
import { Construct } from 'constructs';
import { type PolicyConfig, type SignerConfig, WEBHOOK_HEALTH_PORT } from '../runtime/contract.ts';
import { checkStepCa, type IStepCa } from './i-step-ca.ts';
import type { WebhookSettings } from './injector.ts';
import { closeSigner } from './network-policies.ts';
import { defined } from './objects.ts';
import { type ContainerImage, type ContainerResources, checkResources, type PodProps, podProps } from './pods.ts';
import { addProgram, caConfig } from './program.ts';
import { signerRights } from './rights.ts';
import { checkFlag, checkObject, checkOptional, checkReplicas, checkShare, refuse } from './validation.ts';

/** Name of every object, and the label `app` of the pods. */
export const SIGNER = 'autocert-signer';

const SIGNER_RESOURCES: ContainerResources = {
  requests: { cpu: '20m', memory: '80Mi' },
  limits: { cpu: '2', memory: '256Mi' },
};

/** What of the signer can be chosen. */
export interface SignerOptions {
  /** Number of pods, spread over nodes; one leads, the others take over within seconds. @default 2 */
  readonly replicas?: number;
  /** CPU and memory of a pod. @default - requests 20m and 80Mi, at most 2 CPU and 256Mi */
  readonly resources?: ContainerResources;
  /**
   * End of the window in which kubelet renews a natively delivered certificate, as a share of the lifetime, between 0
   * and 1; the window begins at three quarters of it. Never within ten minutes of either end, and up to five minutes
   * later, which is kubelet's jitter. @default 2/3
   */
  readonly renewAt?: number;
}

const WITHOUT = 'or leave signer out';

/**
 * The prop `signer` of `AutocertWebhook`. Without a signer nobody writes the webhook's `caBundle`, so that the root has to be
 * in the manifests, and nobody answers kubelet.
 */
export function checkSigner(value: unknown, webhook: WebhookSettings | undefined, ca: IStepCa): SignerOptions | false {
  if (value !== false) return value === undefined ? {} : checkObject('signer', value);
  if (webhook === undefined) {
    return refuse(
      'signer',
      value,
      `Injector.policy() needs it, which signs every certificate then: take Injector.webhook(), ${WITHOUT}`,
    );
  }
  if (webhook.delivery === 'native') {
    return refuse('signer', value, `delivery "native" of the injector needs it: take "auto" or "sidecar", ${WITHOUT}`);
  }
  if (ca.rootCertificate !== undefined) return false;
  return refuse(
    'signer',
    value,
    'the API server trusts the webhook by its caBundle, which the signer fills in where the root is made in the cluster: ' +
      `give a root that is known at synth, by pki: Pki.existing({ rootCertificate, … }) or StepCa.fromUrl, ${WITHOUT}`,
  );
}

/** Properties of {@link AutocertSigner}. */
export interface AutocertSignerProps extends SignerOptions, PodProps {
  /** CA that signs. */
  readonly ca: IStepCa;
  /** Names and lifetimes that pods may have; asked for at synth. */
  readonly policy: () => PolicyConfig;
  /** Image with our programs. */
  readonly image: ContainerImage;
  /** Whether the platform says who the pods run as. @default false */
  readonly userFromPlatform?: boolean;
  /** Name of the MutatingWebhookConfiguration whose `caBundle` the signer keeps. @default - there is no webhook */
  readonly webhookConfiguration?: string;
}

/**
 * Keeps the `caBundle` of the webhook's registration; on Kubernetes 1.37 and later it answers kubelet's
 * PodCertificateRequests, too, and keeps the ClusterTrustBundle with the roots. On older clusters it waits for that API, so
 * that the same manifests fit both. `AutocertWebhook` makes it.
 */
export class AutocertSigner extends Construct {
  /** Makes the signer's objects; none of them is named after `id`. */
  constructor(scope: Construct, id: string, props: AutocertSignerProps) {
    super(scope, id);
    const ca = checkStepCa('ca', props.ca);
    const atStart = { lease: { namespace: ca.namespace, name: SIGNER }, port: WEBHOOK_HEALTH_PORT };
    const renewAt = checkOptional('signer.renewAt', props.renewAt, checkShare);
    if (ca.network !== undefined) closeSigner(this, ca.network);
    addProgram(this, {
      ...podProps(props),
      name: SIGNER,
      subcommand: 'signer',
      ca,
      atStart,
      followed: () =>
        ({
          ...props.policy(),
          ...caConfig(ca),
          ...defined({ renewAt, webhookConfiguration: props.webhookConfiguration }),
          ...atStart,
        }) satisfies SignerConfig,
      image: props.image,
      userFromPlatform: checkFlag('userFromPlatform', props.userFromPlatform ?? false),
      replicas: checkReplicas('signer.replicas', props.replicas ?? 2),
      resources: checkResources('signer.resources', props.resources ?? SIGNER_RESOURCES),
      ports: [],
      rights: signerRights(ca.namespace, SIGNER, props.webhookConfiguration),
    });
  }
}
