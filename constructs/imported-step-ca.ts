/**
 * A CA that lives elsewhere.
 * @module
 */
import type { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { PkiFile, PkiObject, Provisioner } from '../runtime/contract.ts';
import { USUAL_NAMESPACE } from '../runtime/policy/cluster-names.ts';
import { checkCaCertificates } from './ca-certificates.ts';
import { type IStepCa, refuseSecondCa, type SignedNames } from './i-step-ca.ts';
import { checkLifetimes, type LifetimeProps } from './lifetimes.ts';
import { type NetworkProps, type SystemNetwork, systemNetwork, toUrl } from './network-policies.ts';
import { metadata } from './objects.ts';
import { systemNamespace } from './system-namespace.ts';
import {
  checkClusterDomain,
  checkFlag,
  checkHttpsOrigin,
  checkName,
  checkObjectName,
  checkText,
} from './validation.ts';

/** A step-ca that these manifests do not run; see `StepCa.fromUrl`. */
export interface StepCaFromUrlProps extends LifetimeProps, NetworkProps {
  /** Base URL, such as `https://ca.example.com`, that webhook and signer reach. */
  readonly url: string;
  /** Root certificate of the CA, PEM; several while one replaces the other. */
  readonly rootCertificate: string;
  /** Name of a JWK provisioner of that CA, which nobody else uses. @default 'autocert' */
  readonly provisioner?: string;
  /** Secret in `namespace`, yours to make, with the password of the provisioner's key under `password`. @default 'autocert-password' */
  readonly passwordSecret?: string;
  /** Namespace of webhook and signer. @default 'step' */
  readonly namespace?: string;
  /** Whether to make the namespace. @default true */
  readonly createNamespace?: boolean;
  /** DNS domain of the cluster. @default 'cluster.local' */
  readonly clusterDomain?: string;
}

/** What `StepCa.fromUrl` answers: nothing but the root certificate, in a ConfigMap. */
export class ImportedStepCa extends Construct implements IStepCa {
  readonly url: string;
  readonly namespace: string;
  readonly clusterDomain: string;
  readonly hosts: readonly string[];
  readonly rootConfigMap = PkiObject.certificates;
  readonly provisioner: string;
  readonly provisionerPasswordSecret: string;
  readonly defaultDuration: Duration;
  readonly minDuration: Duration;
  readonly maxDuration: Duration;
  readonly rootCertificate: string;
  readonly network: SystemNetwork | undefined;

  /** Checks the props and keeps the root certificate for webhook and signer. */
  constructor(scope: Construct, id: string, props: StepCaFromUrlProps) {
    super(scope, id);
    this.url = checkHttpsOrigin('url', props.url);
    this.hosts = [new URL(this.url).hostname.replace(/^\[|\]$/g, '')];
    checkCaCertificates('rootCertificate', props.rootCertificate);
    this.rootCertificate = props.rootCertificate;
    this.namespace = checkName('namespace', props.namespace ?? USUAL_NAMESPACE);
    this.clusterDomain = checkClusterDomain('clusterDomain', props.clusterDomain ?? 'cluster.local');
    this.provisioner = checkText('provisioner', props.provisioner ?? Provisioner.autocert);
    const passwordSecret = props.passwordSecret ?? PkiObject.autocertPassword;
    this.provisionerPasswordSecret = checkObjectName('passwordSecret', passwordSecret);
    const lifetimes = checkLifetimes(props);
    this.defaultDuration = lifetimes.defaultDuration;
    this.minDuration = lifetimes.minDuration;
    this.maxDuration = lifetimes.maxDuration;
    this.network = systemNetwork(props, this.namespace, toUrl(new URL(this.url), this.clusterDomain));
    refuseSecondCa(this);
    if (checkFlag('createNamespace', props.createNamespace ?? true)) systemNamespace(this, this.namespace);
    new k8s.KubeConfigMap(this, 'Resource', {
      metadata: metadata(this.rootConfigMap, this.namespace),
      data: { [PkiFile.root]: this.rootCertificate },
    });
  }

  /** Does nothing: these manifests do not configure the CA. docs/constructs.md says how whoever does can. */
  limitNames(_names: SignedNames): void {}
}
