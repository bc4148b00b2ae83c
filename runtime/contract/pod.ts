/**
 * What a pod asks for, by annotations, and what it is given.
 * @module
 */
import { DOMAIN } from './domain.ts';

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
