/**
 * What others need to know of a CA, wherever it runs.
 * @module
 */
import type { Duration } from 'cdk8s';
import type { IConstruct } from 'constructs';

/** A step-ca: made by `StepCa`, or running elsewhere and named by `StepCa.fromUrl`. */
export interface IStepCa extends IConstruct {
  /** Base URL at which pods reach the CA. */
  readonly url: string;
  /** Namespace of the CA's objects; webhook and signer run there too. */
  readonly namespace: string;
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** ConfigMap in `namespace` with the root certificates under `root_ca.crt`. */
  readonly rootConfigMap: string;
  /** Name of the JWK provisioner that signs one-time tokens for pods. */
  readonly provisioner: string;
  /** Secret in `namespace` with the password of the provisioner's key under `password`. */
  readonly provisionerPasswordSecret: string;
  /** Lifetime of a certificate whose pod asks for none. */
  readonly defaultDuration: Duration;
  /** Shortest lifetime that a pod may ask for. */
  readonly minDuration: Duration;
  /** Longest lifetime that a pod may ask for. */
  readonly maxDuration: Duration;
  /**
   * The PEM root certificates by which the API server trusts the MutatingWebhookConfiguration of that name, if they are
   * known at synth. If not, the CA sees to it that they are filled in once they exist.
   */
  caBundleFor(webhookConfiguration: string): string | undefined;
}
