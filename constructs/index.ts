/**
 * Autocert as constructs for any cdk8s app.
 * @module
 */
export type { Delivery, NamespacePolicy, PolicyConfig, SidecarStyle } from '../runtime/contract.ts';
export { AutocertNamespace, type AutocertNamespaceProps, type PodSecurityLevel } from './autocert-namespace.ts';
export { AutocertSigner, type AutocertSignerProps, type SignerOptions } from './autocert-signer.ts';
export { AutocertWebhook, type AutocertWebhookProps } from './autocert-webhook.ts';
export { CaDatabase, type PersistentDatabaseOptions, type SharedDatabaseOptions } from './ca-database.ts';
export type { CaServiceOptions } from './ca-service.ts';
export type { CaProvisionerOptions, CaSettings } from './ca-settings.ts';
export type { IAutocertWebhook, NamespaceRules, ServiceAccountRules } from './i-autocert-webhook.ts';
export type { IStepCa } from './i-step-ca.ts';
export type { StepCaFromUrlProps } from './imported-step-ca.ts';
export { InjectionPolicy, type InjectionPolicyProps } from './injection-policy.ts';
export { type ApiServerClientCa, Injector, type WebhookInjectorOptions } from './injector.ts';
export { writeKustomization } from './kustomization.ts';
export type { LifetimeProps } from './lifetimes.ts';
export { AutocertMonitoring, type AutocertMonitoringProps } from './monitoring.ts';
export type { NetworkDestination } from './network-peers.ts';
export type { ApiServerOptions, NetworkProps, SystemNetwork } from './network-policies.ts';
export { type ExistingPkiOptions, type InClusterPkiOptions, type NameConstraints, Pki } from './pki.ts';
export type { ContainerImage, ContainerResources, ImagePullPolicy, PodProps, SchedulingProps } from './pods.ts';
export { StepCa, type StepCaProps } from './step-ca.ts';
export { ValidationPolicy, type ValidationPolicyProps } from './validation-policy.ts';
