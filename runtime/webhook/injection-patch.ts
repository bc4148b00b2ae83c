/**
 * Sidecar delivery: the JSON Patch that gives an annotated pod its agent. Pure: same pod, same patch.
 *
 * - `native`: one init container that keeps running (`restartPolicy: Always`); its `postStart` hook returns when the files
 *   are there, and no container after it starts before that.
 * - `classic`, for Kubernetes before 1.29: an init container that obtains, a container that renews.
 * - `bootstrapper-only`: an init container that obtains, and nothing that renews.
 *
 * The injected containers pass Pod Security `restricted`, unless `owner` is root, and have limits of their own: neither
 * LimitRange defaults nor the service account's token reach a container that a webhook adds.
 * @module
 */

import type { AgentContainer } from '../contract.ts';
import {
  AgentCommand,
  AgentEnv,
  AttestationToken,
  CERTIFICATE_DIR,
  ContainerName,
  Program,
  VolumeName,
} from '../contract.ts';
import type { CertificateSpec } from '../policy/certificate-spec.ts';
import { addTo, type JsonPatch, markInjected, mountFiles } from './patch.ts';
import type { Pod, PodSpec } from './pod.ts';

/** How the agent is run. */
export type AgentStyle = 'native' | 'classic';

/** What every injected agent is told, whatever its pod. */
export interface AgentSettings {
  readonly agent: AgentContainer & { readonly image: string };
  readonly autocertUrl: string;
  /** Roots by which to trust the certificate endpoint, each PEM. */
  readonly anchors: readonly string[];
  /** `name=address` pairs for pods without cluster DNS; empty while they are not known. */
  readonly hostAliases: string;
}

/** Makes the patch for one pod. */
export type SidecarPatch = (pod: Pod, spec: CertificateSpec, style: AgentStyle) => JsonPatch;

/** User and group of an agent for which nothing else is asked: the `nonroot` of distroless images. */
const NONROOT = 65532;

const VOLUMES = [
  { name: VolumeName.certificates, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
  {
    name: VolumeName.token,
    projected: {
      sources: [
        {
          serviceAccountToken: {
            audience: AttestationToken.audience,
            expirationSeconds: AttestationToken.expirationSeconds,
            path: AttestationToken.file,
          },
        },
      ],
    },
  },
];

const AGENT_MOUNTS = [
  { name: VolumeName.certificates, mountPath: CERTIFICATE_DIR },
  { name: VolumeName.token, mountPath: AttestationToken.dir, readOnly: true },
];

/** Environment that comes from the pod itself. */
const DOWNWARD = [
  { name: AgentEnv.podName, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  { name: AgentEnv.namespace, valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
];

/** Prepares the patch for all pods; what does not depend on the pod is made once, here. */
export function sidecarPatch(settings: AgentSettings): SidecarPatch {
  const { image, imagePullPolicy, imagePullSecrets = [], resources, userFromPlatform } = settings.agent;
  const environment = [
    { name: AgentEnv.autocertUrl, value: settings.autocertUrl },
    { name: AgentEnv.roots, value: settings.anchors.join('') },
  ];
  const container = (name: string, command: string, pod: Pod, spec: CertificateSpec, extra = {}) => ({
    name,
    image,
    imagePullPolicy,
    command: [Program.agent, command],
    ...extra,
    env: [...environment, ...ownEnvironment(pod.spec, spec, settings.hostAliases), ...DOWNWARD],
    resources,
    securityContext: securityContext(pod.spec, spec, userFromPlatform ?? false),
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: AGENT_MOUNTS,
  });

  return (pod, spec, style) => {
    const alone = style === 'native' && !spec.bootstrapperOnly;
    const first = alone
      ? container(ContainerName.renewer, AgentCommand.run, pod, spec, STAYS)
      : container(ContainerName.bootstrapper, AgentCommand.once, pod, spec);
    const renews = !alone && !spec.bootstrapperOnly;
    const renewer = renews && container(ContainerName.renewer, AgentCommand.run, pod, spec);
    const { volumes, initContainers, containers, imagePullSecrets: own } = pod.spec;
    const missing = imagePullSecrets.filter((name) => !own?.some((secret) => secret.name === name));
    return [
      ...addAll('/spec/volumes', volumes, VOLUMES),
      ...mountFiles(pod),
      addTo('/spec/initContainers', initContainers, first, spec.initFirst ? 'first' : 'last'),
      ...(renewer ? [addTo('/spec/containers', containers, renewer)] : []),
      ...addAll(
        '/spec/imagePullSecrets',
        own,
        missing.map((name) => ({ name })),
      ),
      markInjected,
    ];
  };
}

const STAYS = {
  restartPolicy: 'Always',
  lifecycle: { postStart: { exec: { command: [Program.agent, AgentCommand.wait] } } },
};

function addAll(path: string, list: readonly unknown[] | null | undefined, values: readonly unknown[]): JsonPatch {
  if (values.length === 0) return [];
  return list?.length ? values.map((value) => addTo(path, list, value)) : [{ op: 'add', path, value: values }];
}

function ownEnvironment(pod: PodSpec, { mode }: CertificateSpec, hostAliases: string) {
  return [
    ...(mode === undefined ? [] : [{ name: AgentEnv.mode, value: `0${mode.toString(8)}` }]),
    ...(hostAliases && lacksClusterDns(pod) ? [{ name: AgentEnv.hostAliases, value: hostAliases }] : []),
  ];
}

/** Whether the pod's containers cannot resolve the names of Services. */
export function lacksClusterDns({ hostNetwork, dnsPolicy }: PodSpec): boolean {
  if (dnsPolicy === 'ClusterFirstWithHostNet') return false;
  return hostNetwork === true || dnsPolicy === 'Default' || dnsPolicy === 'None';
}

/**
 * The files belong to whom the agent runs as: the owner asked for, else the pod's own user, else {@link NONROOT}, or whom
 * the platform chooses. That one chooses for pods without a user; where the pod's is root, the agent's is another.
 */
function securityContext({ securityContext: pod }: PodSpec, { owner }: CertificateSpec, userFromPlatform: boolean) {
  const usual = userFromPlatform && pod?.runAsUser !== 0 ? undefined : NONROOT;
  const user = owner?.uid ?? (pod?.runAsUser || usual);
  const group = owner?.gid ?? ((pod?.runAsUser && pod.runAsGroup) || usual);
  return {
    ...(user !== undefined && { runAsUser: user }),
    ...(group !== undefined && { runAsGroup: group }),
    runAsNonRoot: user !== 0,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
}
