/**
 * Configuration files of webhook and signer, and the policy in them.
 * @module
 */
import type { NamespaceLabel } from './domain.ts';
import type { Delivery, SidecarStyle } from './pod.ts';

/**
 * What becomes of a pod that the rules refuse. `enforce`: it is not created. `report`: it is created as it is, without a
 * certificate, and whoever creates it is told. Of admission alone: the signer and the certificate endpoint do not know
 * it, and judge each pod as ever, so that nobody gets a certificate by it.
 */
export type AdmissionMode = (typeof ADMISSION_MODES)[number];

/** The words of {@link AdmissionMode}. */
export const ADMISSION_MODES = ['enforce', 'report'] as const;

/** Names of the pods that run as one service account. */
export interface ServiceAccountPolicy {
  /** Patterns as in {@link NamespacePolicy.allowedNames}: these names are for the pods of this account, and nobody else's. */
  readonly allowedNames: readonly string[];
}

/** Names that the pods of one namespace may have beyond those of the namespace itself. */
export interface NamespacePolicy {
  /**
   * DNS patterns (`*` stands for one label, `**` for one or more), IP addresses, CIDR blocks, and URIs (`*` stands for
   * one path segment, `**` for the rest).
   */
  readonly allowedNames?: readonly string[];
  /** Longest lifetime, Go duration. Absent: the CA's own limit. */
  readonly maxDuration?: string;
  /** Keyed by service account. A name that none of them lists is for pods of all accounts. */
  readonly serviceAccounts?: Readonly<Record<string, ServiceAccountPolicy>>;
}

/** What webhook, certificate endpoint and signer need to know to judge a pod. Part of {@link WebhookConfig} and {@link SignerConfig}. */
export interface PolicyConfig {
  /** Namespace of Autocert itself: its pods get nothing, and its names are nobody's. */
  readonly namespace: string;
  /** The cluster's DNS domain, such as `cluster.local`. */
  readonly clusterDomain: string;
  /**
   * DNS patterns, IP addresses and CIDR blocks as in {@link NamespacePolicy.allowedNames}, which no pod gets: the hosts of
   * CA and Autocert among them. The names of `namespace`, and `kubernetes.default` in each spelling, are reserved anyway.
   */
  readonly reservedNames: readonly string[];
  /** `false`: `<service>.<namespace>` is no name of a namespace. Absent: it is, where `<namespace>` is no top-level domain. */
  readonly shortNames?: boolean;
  /** Lifetimes the CA's provisioner gives and accepts, Go durations. */
  readonly defaultDuration: string;
  readonly minDuration: string;
  readonly maxDuration: string;
  /** The label of namespaces that turns Autocert on. Absent: `NAMESPACE_LABEL`. */
  readonly namespaceLabel?: NamespaceLabel;
  /** Namespaces whose pods get nothing, even where they are labelled, besides `kube-system` and `namespace`. */
  readonly excludedNamespaces: readonly string[];
  /** Keyed by namespace. */
  readonly namespaces: Readonly<Record<string, NamespacePolicy>>;
  /** `true`: each certificate that a pod gets is an Event of type Normal on it. Absent: none is. */
  readonly issuanceEvents?: boolean;
}

/** How webhook and signer reach the CA, and which provisioner's key they sign one-time tokens with. */
export interface CaConfig {
  /** Base URL, such as `https://ca.step.svc.cluster.local`. */
  readonly caUrl: string;
  /** File with the root certificate(s), PEM. */
  readonly rootFile: string;
  /** Name of the JWK provisioner. */
  readonly provisioner: string;
  /** File with the password of the provisioner's key. */
  readonly provisionerPasswordFile: string;
  /** File with the password that is about to replace it, tried when the first does not open the key; mostly not there. */
  readonly provisionerNextPasswordFile?: string;
}

/** When kubelet pulls an image: the words of the Kubernetes API. */
export const IMAGE_PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;

/** Image and limits of an injected container. */
export interface AgentContainer {
  /** Absent: that of the webhook itself. */
  readonly image?: string;
  readonly imagePullPolicy: string;
  /** Names of Secrets of the pod's namespace by which kubelet pulls the image, besides the pod's own. Absent: none. */
  readonly imagePullSecrets?: readonly string[];
  /** `resources` of the container as the Kubernetes API has it. */
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>;
  /** `true`: the platform says who it runs as, unless the pod does. Absent: user and group 65532. */
  readonly userFromPlatform?: boolean;
}

/** The webhook's configuration: a JSON file in a ConfigMap, synthesized by `AutocertWebhook`. */
export interface WebhookConfig extends PolicyConfig, CaConfig {
  /** Base URL at which agents reach the certificate endpoint, such as `https://autocert.step.svc:4444`. */
  readonly autocertUrl: string;
  /** Names of the webhook's own serving certificate; the first is its common name. */
  readonly servingNames: readonly string[];
  /** Address to listen on. Absent: all. */
  readonly host?: string;
  /** Port of admission, for the API server. */
  readonly port: number;
  /** Port of the certificate endpoint. */
  readonly certificatePort: number;
  /** Port of `/healthz`, `/readyz` and `/metrics` (plain HTTP). */
  readonly healthPort: number;
  /** Who may ask for admission: holders of certificates under these roots (PEM), with these common names. Absent: everybody. */
  readonly apiServer?: { readonly clientCaFile: string; readonly commonNames?: readonly string[] };
  readonly agent: AgentContainer;
  readonly delivery: Delivery;
  /** `false`: no signer runs, so native delivery would never come to an end: no pod gets it. Absent: one does. */
  readonly signer?: false;
  readonly sidecar: SidecarStyle;
  /** See {@link AdmissionMode}. Absent: `enforce`. */
  readonly mode?: AdmissionMode;
}

/** The signer's configuration: a JSON file in a ConfigMap. */
export interface SignerConfig extends PolicyConfig, CaConfig {
  /** Namespace and name of the Lease by which replicas elect a leader. */
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Port of `/healthz`, `/readyz` and `/metrics` (plain HTTP). */
  readonly port: number;
  /**
   * End of the window in which kubelet renews, as a share of the lifetime, between 0 and 1; the window begins at three
   * quarters of it. Absent: two thirds.
   */
  readonly renewAt?: number;
  /** Name of the MutatingWebhookConfiguration whose `caBundle` the leader keeps. Absent: there is no webhook. */
  readonly webhookConfiguration?: string;
}
