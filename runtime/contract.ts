/**
 * The words that both halves share: what the constructs write into manifests and what the runtime reads out of them,
 * and what users write on their pods. The one file that `constructs/` and `runtime/` both import; it imports nothing.
 * Everything here is public: changing a value breaks pods that are running today.
 * @module
 */

/** The domain of every key that Autocert owns. */
export const DOMAIN = 'autocert.step.sm';

/** The label by which everything of Autocert is found again: `kubectl get … -A -l app.kubernetes.io/part-of=autocert`. */
export const PART_OF = { key: 'app.kubernetes.io/part-of', value: 'autocert' } as const;

/** A label of namespaces that turns Autocert on. */
export interface NamespaceLabel {
  readonly key: string;
  readonly value: string;
}

/** The usual one: `autocert.step.sm=enabled`. {@link PolicyConfig.namespaceLabel} may name another. */
export const NAMESPACE_LABEL = { key: DOMAIN, value: 'enabled' } as const satisfies NamespaceLabel;

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
  /** A static shell, for containers of other images too. */
  busybox: '/bin/busybox',
  /** What the container `step-ca` runs in that shell: it starts and stops step-ca as the supervisor says. */
  ca: '/usr/local/share/autocert/ca.sh',
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

/** Path of admission, the only one on the webhook's {@link CONTAINER_PORT}. */
export const WebhookPath = { mutate: '/mutate' } as const;

/** Paths of the certificate endpoint, on {@link CERTIFICATE_PORT}. */
export const CertificatePath = {
  /** POST: a {@link CertificateRequestBody} with a service-account token as Bearer gives a {@link CertificateAnswer}. */
  certificate: '/certificate',
  /** GET, `?namespace=`: a {@link RenewalInfo}; cacheable, the same for all pods of a namespace. */
  renewalInfo: '/renewal-info',
  /** POST: a {@link FailureReport} with a service-account token as Bearer gives 204. Webhooks of before answer 404. */
  report: '/report',
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

/**
 * What an agent sends that has failed for an hour, or that holds a certificate which is late; at most once an hour. Times
 * are RFC 3339, by the agent's clock.
 */
export interface FailureReport {
  /** Why the last attempt failed; of more than {@link MAX_REPORTED_REASON} characters the rest is cut off. */
  readonly reason: string;
  /** The error code of the answer that the endpoint itself gave, if it gave one. */
  readonly code?: string;
  /** Since when no attempt has succeeded. */
  readonly since: string;
  /** When the certificate in hand expires; absent: there is none. */
  readonly notAfter?: string;
  /** `true`: the certificate in hand is past the end of its renewal window by more than a tenth of its lifetime. */
  readonly late?: boolean;
}

/** Longest {@link FailureReport.reason}, characters. */
export const MAX_REPORTED_REASON = 500;

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

/** Signer of native delivery in the namespace `step`; `policy/cluster-names.ts` has those of others. */
export const SIGNER_NAME = `${DOMAIN}/workload`;

/** The `ClusterTrustBundle` with its CA's roots, which the signer keeps. */
export const TRUST_BUNDLE_NAME = `${DOMAIN}:workload:root`;

/** Port of the webhook's and the CA's containers; their Services listen on 443. The webhook's is for the API server alone. */
export const CONTAINER_PORT = 4443;

/** Port of `/healthz`, `/readyz` and `/metrics` of the webhook, and of the signer: plain HTTP, for kubelet and Prometheus. */
export const WEBHOOK_HEALTH_PORT = 9402;

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
  /** The label of namespaces that turns Autocert on. Absent: {@link NAMESPACE_LABEL}. */
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

/**
 * Annotation that an object of the PKI, or its namespace, must have with the value `"true"` before it can be deleted: it
 * holds what nobody can make again.
 */
export const ALLOW_DELETION = `${DOMAIN}/allow-deletion`;

/** Objects of the PKI: made by the init Job, or brought along with an existing PKI. */
export const PkiObject = {
  /** ConfigMap: `root_ca.crt`, `intermediate_ca.crt`. What everybody may read; it can be made again from the Secrets. */
  certificates: 'ca-certs',
  /** Secret: `root_ca_key`, encrypted with the password in `ca-password`, and its certificate. No running pod mounts it. */
  rootKey: 'ca-root-key',
  /**
   * Secret: `intermediate_ca_key`, encrypted with the password in `ca-password`, and `intermediate_ca.crt`, what step-ca
   * sends with each leaf. One object, so that the CA never sees a key without its certificate.
   */
  intermediateKey: 'ca-intermediate-key',
  /** Secret: `provisioners.json`, the provisioners as step-ca's configuration has them, their keys encrypted. */
  provisioners: 'ca-provisioners',
  /** Secret: `password`, of the CA's keys and of the provisioner `admin`; `next-password` while one replaces the other. */
  caPassword: 'ca-password',
  /** Secret: `password`, of the provisioner `autocert`; `next-password` while one replaces the other. */
  autocertPassword: 'autocert-password',
  /** Secret, there only while one root replaces the other: the new root, its key, and its cross certificate. */
  nextRoot: 'ca-next-root',
} as const;

/**
 * Secret, there only while the PKI is being made: all of it in one piece, so that whoever is killed over it can be gone on
 * from. It is the one with a key that the init Job's account may read, and it is gone when the PKI is there.
 */
export const PKI_DRAFT = 'ca-draft';

/** Keys of the objects in {@link PkiObject}, which are file names once mounted. */
export const PkiFile = {
  /** One root, or the old and the new one while one replaces the other. */
  root: 'root_ca.crt',
  /** The intermediate; behind it, while one root replaces the other, the cross certificate of the new root. */
  intermediate: 'intermediate_ca.crt',
  rootKey: 'root_ca_key',
  intermediateKey: 'intermediate_ca_key',
  provisioners: 'provisioners.json',
  password: 'password',
  nextPassword: 'next-password',
  /** The new root's key, signed by the old root (RFC 4210, §4.4): who knows the old root only trusts the new one by it. */
  cross: 'cross.crt',
} as const;

/** The ConfigMap with the CA's configuration, and its keys. */
export const CaConfigFile = {
  configMap: 'ca-config',
  /** step-ca's configuration as far as it is known at synth; under this name step-ca is given the whole of it. */
  template: 'ca.json',
  /** A {@link SupervisorConfig}. */
  supervisor: 'supervisor.json',
  /** {@link CaNameRules}; `null`: the provisioner `autocert` signs any name. */
  names: 'names.json',
} as const;

/**
 * Which names step-ca signs for the provisioner `autocert`: what holds when whoever has its password is an attacker. The
 * regular expressions are in RE2's syntax and match whole names in the one spelling that `runtime/policy/names.ts` allows.
 */
export interface CaNameRules {
  /** DNS names that are signed whatever the others say: Autocert's own. */
  readonly own: readonly string[];
  /** DNS names that are never signed else. */
  readonly neverDns: readonly string[];
  /**
   * DNS names that are signed, as patterns of `allowedNames` whose only wildcard is in front: each between two spaces, since
   * step-ca reads a regular expression anew for each request, and looks thousands of patterns through in no time.
   */
  readonly patterns: string;
  /** DNS names that are signed besides. */
  readonly dns: readonly string[];
  /** DNS names that are signed unless one of `notClusterDns` matches. */
  readonly clusterDns: readonly string[];
  readonly notClusterDns: readonly string[];
  /** As `clusterDns`, unless one of `notShortDns` matches, or the last label is in `topLevel`, each between two spaces. */
  readonly shortDns: readonly string[];
  readonly notShortDns: readonly string[];
  readonly topLevel: string;
  /** Addresses that are never signed, and those that are: as hexadecimal digits, 8 (IPv4) or 32 (IPv6) of them. */
  readonly neverIp: readonly string[];
  readonly ip: readonly string[];
  /** URIs that are never signed, and those that are. */
  readonly neverUri: readonly string[];
  readonly uri: readonly string[];
}

/** Where the CA's container keeps its files (`STEPPATH`), as the tutorial's commands expect it. */
export const STEP_PATH = '/home/step/.step';

/** Names of the two JWK provisioners. */
export const Provisioner = { admin: 'admin', autocert: 'autocert' } as const;

/** The supervisor's configuration: a JSON file in the ConfigMap `ca-config`, synthesized by `StepCa`. */
export interface SupervisorConfig {
  /** Files of ConfigMaps and Secrets; what is in them is followed. */
  readonly inputs: {
    /** step-ca's `ca.json` without its provisioners. */
    readonly template: string;
    /** List of provisioners, JSON. */
    readonly provisioners: string;
    /** {@link CaNameRules} or `null`, JSON. Absent, or `null`: the provisioner `autocert` signs any name. */
    readonly names?: string;
    /** Folder with the files of {@link PkiObject.certificates}, and the federated roots. */
    readonly certificates: string;
    /** Folder with the files of {@link PkiObject.intermediateKey} and {@link PkiObject.caPassword}. */
    readonly secrets: string;
    /** File with the data source of a shared database. Absent: the database is a file. */
    readonly dataSource?: string;
  };
  /** Folder where it puts what step-ca runs with. */
  readonly out: string;
  /** Folder in which it talks with `ca.sh`. */
  readonly control: string;
  /** The database's file, and a folder on another volume for when its own is full. Absent: the database is shared. */
  readonly database?: { readonly file: string; readonly scratch: string };
  /** Base URL of step-ca in the same pod. */
  readonly caUrl: string;
  /** Port of `/healthz`, `/readyz` and `/metrics` (plain HTTP). */
  readonly port: number;
  /** A changed configuration has step-ca restarted after a random time up to this, so that replicas take turns. */
  readonly restartSpreadSeconds: number;
}

/** Ports of the CA's pod for kubelet and Prometheus, plain HTTP: of step-ca, and of its supervisor. */
export const CaPort = { metrics: 9403, supervisor: 9404 } as const;
