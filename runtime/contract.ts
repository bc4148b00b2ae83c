/**
 * The words that both halves share: what the constructs write into manifests and what the runtime reads out of them,
 * and what users write on their pods. The one file that `constructs/` and `runtime/` both import; it imports nothing.
 * Everything here is public: changing a value breaks pods that are running today.
 * @module
 */

/** The domain of every key that Autocert owns. */
export const DOMAIN = 'autocert.step.sm';

/** The namespace label that turns Autocert on: `autocert.step.sm=enabled`. */
export const NAMESPACE_LABEL = { key: DOMAIN, value: 'enabled' } as const;

/** Annotations of a pod. All but `status` are written by the pod's author. */
export const Annotation = {
  /** Common name and, unless `sans` is given, the only SAN. Its presence asks for a certificate. */
  name: `${DOMAIN}/name`,
  /** Comma-separated SANs (DNS names, IP addresses, URIs); replaces the SAN list. */
  sans: `${DOMAIN}/sans`,
  /** Lifetime of the certificate in Go syntax, such as `1h30m`. */
  duration: `${DOMAIN}/duration`,
  /** `"true"`: the agent runs before the pod's own init containers, so that they can use the certificate. */
  initFirst: `${DOMAIN}/init-first`,
  /** `"true"`: one certificate, no renewal. */
  bootstrapperOnly: `${DOMAIN}/bootstrapper-only`,
  /** `uid:gid` that owns the three files. */
  owner: `${DOMAIN}/owner`,
  /** Mode of the three files in octal, such as `0600`. */
  mode: `${DOMAIN}/mode`,
  /** `auto`, `native` or `sidecar`: see {@link Delivery}. */
  delivery: `${DOMAIN}/delivery`,
  /** Written by the injector: `injected`. A pod that carries it is left alone. */
  status: `${DOMAIN}/status`,
} as const;

/** The value of {@link Annotation.status}. */
export const STATUS_INJECTED = 'injected';

/** Where every container of an injected pod finds its files. */
export const CERTIFICATE_DIR = '/var/run/autocert.step.sm';

/** File names under {@link CERTIFICATE_DIR}. */
export const CertificateFile = {
  /** Leaf, then intermediate, PEM. */
  certificate: 'site.crt',
  /** Private key, PKCS#8 PEM. */
  key: 'site.key',
  /** Root certificate, or all of them during a rotation, PEM. */
  root: 'root.crt',
} as const;

/** Names of injected containers. */
export const ContainerName = {
  /** Obtains the first certificate and ends (`bootstrapper-only`, and the `classic` sidecar style). */
  bootstrapper: 'autocert-bootstrapper',
  /** Obtains and renews. */
  renewer: 'autocert-renewer',
} as const;

/** Names of injected volumes. */
export const VolumeName = { certificates: 'autocert-certs', token: 'autocert-token' } as const;

/** The projected service-account token by which the agent proves which pod it is (TokenReview API). */
export const AttestationToken = {
  audience: DOMAIN,
  dir: '/var/run/secrets/autocert.step.sm',
  file: 'token',
  /** Seconds; kubelet replaces the token at 80 % of it. */
  expirationSeconds: 3600,
} as const;

/** Environment of the agent. */
export const AgentEnv = {
  /** Base URL of the certificate endpoint, the agent's only peer. */
  autocertUrl: 'AUTOCERT_URL',
  /** Root certificates by which to trust it, PEM; those that it has told of since are trusted as well. */
  roots: 'AUTOCERT_ROOTS',
  /** Mode of the files in octal; absent: 0644. */
  mode: 'MODE',
  /** `name=address` pairs separated by commas, for pods on the host's network, which has no cluster DNS. */
  hostAliases: 'AUTOCERT_HOST_ALIASES',
  /** Name of the pod (downward API), for logs. */
  podName: 'POD_NAME',
  /** Namespace of the pod (downward API), for logs and for asking what is to be renewed. */
  namespace: 'NAMESPACE',
  /** Folder of the three files; absent: {@link CERTIFICATE_DIR}. */
  certificateDir: 'AUTOCERT_DIR',
  /** Attestation token; absent: the path that {@link AttestationToken} gives. */
  tokenFile: 'AUTOCERT_TOKEN_FILE',
  /** Program that the agent's shell starts for each piece of work; absent: that of the image. */
  worker: 'AUTOCERT_AGENT_WORKER',
} as const;

/** Programs of the image. */
export const Program = {
  /** A shell script: `run`, `once`, `wait`. */
  agent: '/usr/local/bin/autocert-agent',
  /** `agent.cjs`, which the script starts for each piece of work. */
  agentWorker: '/usr/local/bin/autocert-agent-worker',
  /** Everything else. */
  autocert: '/usr/local/bin/autocert',
} as const;

/** The agent's first argument. */
export const AgentCommand = {
  /** Obtain, then renew for ever: a shell that sleeps, and starts Node for each piece of work. */
  run: 'run',
  /** Obtain, then end. */
  once: 'once',
  /** Return when the three files are there: the `postStart` hook that holds app containers back. */
  wait: 'wait',
} as const;

/** Paths of the webhook's HTTPS server, on {@link CONTAINER_PORT}. */
export const WebhookPath = {
  mutate: '/mutate',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
} as const;

/** Paths of the certificate endpoint, on {@link CERTIFICATE_PORT}. */
export const CertificatePath = {
  /** POST: a {@link CertificateRequestBody} with a service-account token as Bearer gives a {@link CertificateAnswer}. */
  certificate: '/certificate',
  /** GET, `?namespace=`: a {@link RenewalInfo}; cacheable, the same for all pods of a namespace. */
  renewalInfo: '/renewal-info',
} as const;

/** What an agent sends for a certificate. */
export interface CertificateRequestBody {
  /** PKCS#10, PEM: a key and the proof of its possession. Nothing else of it is looked at. */
  readonly csr: string;
  /** `true`: the pod has no usable certificate, and waits for this one. */
  readonly starting?: boolean;
}

/** What it gets. */
export interface CertificateAnswer {
  /** Leaf, then intermediates, PEM. */
  readonly certificate: string;
  readonly renewal: RenewalInfo;
}

/** By what agents go until they ask again; the model is RFC 9773 (ACME Renewal Information). */
export interface RenewalInfo {
  /** When to renew, in shares (0 to 1) of the lifetime; each agent takes a time within it. */
  readonly suggestedWindow: { readonly start: number; readonly end: number };
  /** All roots to trust: the CA's own, announced and federated ones, PEM. Never empty. */
  readonly roots: string;
  /** Those of them by which to trust Autocert itself: the federated ones are left out. */
  readonly anchors: string;
  /** Certificates issued before this time (RFC 3339) are to be replaced, spread over `withinSeconds` from it. */
  readonly replace?: { readonly issuedBefore: string; readonly withinSeconds: number };
  /** When to ask for this again. */
  readonly askAgainSeconds: number;
}

/** The body of every refusal. `retry-after` (RFC 9110, seconds) tells when to come again, where that may help. */
export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string };
}

/**
 * The ConfigMap in Autocert's namespace by which `autocert renew` has certificates replaced: a time (RFC 3339) by
 * namespace, and under {@link RENEW_ALL} one for all.
 */
export const RENEWALS_CONFIG_MAP = 'autocert-renewals';

/** Key of {@link RENEWALS_CONFIG_MAP} that stands for all namespaces; no namespace can have this name. */
export const RENEW_ALL = '_all';

/** Signer of native delivery: `spec.signerName` of `PodCertificateRequest` and `ClusterTrustBundle`. */
export const SIGNER_NAME = `${DOMAIN}/workload`;

/** The `ClusterTrustBundle` with the CA's roots, kept by the signer; the API wants the signer's name in front. */
export const TRUST_BUNDLE_NAME = `${DOMAIN}:workload:root`;

/** Port of the webhook's and the CA's containers; their Services listen on 443. */
export const CONTAINER_PORT = 4443;

/** Port of the certificate endpoint, of the container and of the Service: pods reach it, and not what the API server asks. */
export const CERTIFICATE_PORT = 4444;

/**
 * How a pod gets its files. `native`: kubelet makes the key and renews (pod certificates, Kubernetes 1.37 and later);
 * `sidecar`: an injected agent does; `auto`: native where the cluster and the pod's wishes allow it, else sidecar.
 */
export type Delivery = (typeof DELIVERIES)[number];

/** The words of {@link Delivery}. */
export const DELIVERIES = ['auto', 'native', 'sidecar'] as const;

/**
 * Shape of `sidecar` delivery. `native`: one init container with `restartPolicy: Always` (Kubernetes 1.29 and later);
 * `classic`: an init container and a regular container; `auto`: native where the cluster has it.
 */
export type SidecarStyle = (typeof SIDECAR_STYLES)[number];

/** The words of {@link SidecarStyle}. */
export const SIDECAR_STYLES = ['auto', 'native', 'classic'] as const;

/** Names that the pods of one namespace may have beyond those of the namespace itself. */
export interface NamespacePolicy {
  /**
   * DNS patterns (`*` stands for one label, `**` for one or more), IP addresses, CIDR blocks, and URIs (`*` stands for
   * one path segment, `**` for the rest).
   */
  readonly allowedNames?: readonly string[];
  /** Longest lifetime, Go duration. Absent: the CA's own limit. */
  readonly maxDuration?: string;
}

/** What webhook, certificate endpoint and signer need to know to judge a pod. Part of {@link WebhookConfig} and {@link SignerConfig}. */
export interface PolicyConfig {
  /** The cluster's DNS domain, such as `cluster.local`. */
  readonly clusterDomain: string;
  /** Lifetimes the CA's provisioner gives and accepts, Go durations. */
  readonly defaultDuration: string;
  readonly minDuration: string;
  readonly maxDuration: string;
  /** Namespaces whose pods get nothing, even where they are labelled. */
  readonly excludedNamespaces: readonly string[];
  /** Keyed by namespace. */
  readonly namespaces: Readonly<Record<string, NamespacePolicy>>;
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
}

/** When kubelet pulls an image: the words of the Kubernetes API. */
export const IMAGE_PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'] as const;

/** Image and limits of an injected container. */
export interface AgentContainer {
  readonly image: string;
  readonly imagePullPolicy: string;
  /** `resources` of the container as the Kubernetes API has it. */
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>;
}

/** The webhook's configuration: a JSON file in a ConfigMap, synthesized by `AutocertWebhook`. */
export interface WebhookConfig extends PolicyConfig, CaConfig {
  /** Base URL at which agents reach the certificate endpoint, such as `https://autocert.step.svc:4444`. */
  readonly autocertUrl: string;
  /** Names of the webhook's own serving certificate; the first is its common name. */
  readonly servingNames: readonly string[];
  /** Namespace of Autocert itself. */
  readonly namespace: string;
  /** Address to listen on. Absent: all. */
  readonly host?: string;
  /** Port for the API server, probes and metrics. */
  readonly port: number;
  /** Port of the certificate endpoint. */
  readonly certificatePort: number;
  readonly agent: AgentContainer;
  readonly delivery: Delivery;
  readonly sidecar: SidecarStyle;
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
}

/** Objects that the init Job makes when the PKI is made in the cluster, and that an existing PKI brings along. */
export const PkiObject = {
  /** ConfigMap: `root_ca.crt`, `intermediate_ca.crt`. */
  certificates: 'ca-certs',
  /** Secret: `root_ca_key`, encrypted with the password in `ca-password`. No running pod mounts it. */
  rootKey: 'ca-root-key',
  /** Secret: `intermediate_ca_key`, encrypted with the password in `ca-password`. */
  intermediateKey: 'ca-intermediate-key',
  /** Secret: `provisioners.json`, the provisioners as step-ca's configuration has them, their keys encrypted. */
  provisioners: 'ca-provisioners',
  /** Secret: `password`, of the CA's keys and of the provisioner `admin`. */
  caPassword: 'ca-password',
  /** Secret: `password`, of the provisioner `autocert`. */
  autocertPassword: 'autocert-password',
} as const;

/** Keys of the objects in {@link PkiObject}, which are file names once mounted. */
export const PkiFile = {
  root: 'root_ca.crt',
  intermediate: 'intermediate_ca.crt',
  rootKey: 'root_ca_key',
  intermediateKey: 'intermediate_ca_key',
  provisioners: 'provisioners.json',
  password: 'password',
} as const;

/** Where the CA's container keeps its files (`STEPPATH`), as the tutorial's commands expect it. */
export const STEP_PATH = '/home/step/.step';

/** Names of the two JWK provisioners. */
export const Provisioner = { admin: 'admin', autocert: 'autocert' } as const;
