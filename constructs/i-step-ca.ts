/**
 * What others need to know of a CA, wherever it runs.
 * @module
 */
import { Chart, type Duration } from 'cdk8s';
import type { IConstruct } from 'constructs';
import type { PolicyConfig } from '../runtime/contract.ts';
import type { SystemNetwork } from './network-policies.ts';
import { refuseTwins } from './twins.ts';
import { check } from './validation.ts';

/** What the pods of a webhook may have signed. */
export interface SignedNames {
  /** Asked at synth, when all namespaces are known. */
  readonly policy: () => PolicyConfig;
  /** Host names of the webhook's own certificate. */
  readonly servingNames: readonly string[];
}

/** A step-ca: made by `StepCa`, or running elsewhere and named by `StepCa.fromUrl`. */
export interface IStepCa extends IConstruct {
  /** Base URL at which webhook and signer reach the CA. */
  readonly url: string;
  /** Namespace of the CA's objects; webhook and signer run there too. */
  readonly namespace: string;
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** Host names and addresses at which others reach the CA: no pod gets them. */
  readonly hosts: readonly string[];
  /** ConfigMap in `namespace` with the root certificates under `root_ca.crt`. */
  readonly rootConfigMap: string;
  /** The root certificates, PEM, if they are known at synth: they are in the webhook's `caBundle` from the start then. */
  readonly rootCertificate: string | undefined;
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
   * Says which names the provisioner has to sign, so that the CA itself refuses all others. `AutocertWebhook` calls this.
   * A CA that runs elsewhere cannot be told.
   */
  limitNames(names: SignedNames): void;
  /** How the network of `namespace` is closed; absent: there are no NetworkPolicies. */
  readonly network: SystemNetwork | undefined;
}

function isStepCa(value: unknown): value is IStepCa {
  return typeof (value as IStepCa | null | undefined)?.provisionerPasswordSecret === 'string';
}

/** A prop that takes one. */
export const checkStepCa = check('it takes a StepCa, or what StepCa.fromUrl gives', isStepCa);

/** Two CAs in one namespace of one cluster would be one: their objects have the same names. */
export function refuseSecondCa(ca: IStepCa): void {
  refuseTwins(ca, {
    isTwin: (other) => isStepCa(other) && other.namespace === ca.namespace && Chart.of(other) === Chart.of(ca),
    problem: (first) =>
      `namespace: got "${ca.namespace}", but the CA of "${first.node.path}" is in this namespace, and its objects have the ` +
      'same names: give one of them another namespace',
  });
}
