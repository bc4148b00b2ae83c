/**
 * What is injected into a pod: the webhook's patch, applied, and what it comes to. Pure.
 * @module
 */
import { CERTIFICATE_DIR, CertificateFile, type WebhookConfig } from '../../contract.ts';
import { signerName } from '../../policy/cluster-names.ts';
import { formatDuration, parseDuration } from '../../policy/duration.ts';
import type { DecisionConfig, Plan } from '../../webhook/decision.ts';
import { lacksClusterDns, sidecarPatch } from '../../webhook/injection-patch.ts';
import { DEFAULT_MODE, filesByKubelet, nativePatch } from '../../webhook/native-patch.ts';
import type { JsonPatch } from '../../webhook/patch.ts';
import { containersOf, type Pod } from '../../webhook/pod.ts';
import { applyPatch } from '../json-patch.ts';
import { isOurs } from './uninjected.ts';

/** What injection depends on. Without an agent there is no webhook: the API server injects by itself, natively. */
export type InjectorConfig = DecisionConfig & Partial<Pick<WebhookConfig, 'agent' | 'autocertUrl' | 'mode'>>;

/** What is injected. */
export interface Injection {
  readonly delivery: Plan['delivery'];
  /** How the agent runs, with `sidecar` delivery. */
  readonly sidecar?: 'native' | 'classic' | 'bootstrapper-only';
  /** Absent: the name is too long for one. */
  readonly commonName?: string;
  readonly names: readonly string[];
  /** Lifetime of the certificate, Go duration. */
  readonly lifetime: string;
  readonly renewed: boolean;
  readonly files: {
    readonly folder: string;
    readonly names: readonly string[];
    /** Octal. */
    readonly mode: string;
    /** `uid:gid`; absent: whom the platform chooses. */
    readonly owner?: string;
  };
  /** What is added to the pod. */
  readonly adds: Readonly<Record<'initContainers' | 'containers' | 'volumes', readonly string[]>>;
  /** Containers that find the files. */
  readonly mounts: readonly string[];
}

/** Stand in a diff for what only the running webhook knows. */
const PLACEHOLDER = {
  anchors: '(root certificates, PEM)',
  hostAliases: '(name=address of Autocert)',
  image: '(image of the webhook)',
} as const;

/** The pod with all that is injected. */
export function injected(pod: Pod, plan: Plan, config: InjectorConfig): Pod {
  return applyPatch(pod, patchFor(pod, plan, config));
}

function patchFor(pod: Pod, plan: Plan, { agent, autocertUrl, namespace }: InjectorConfig): JsonPatch {
  if (plan.delivery === 'native') return nativePatch(pod, plan.spec, plan.duration, signerName(namespace));
  if (!agent || autocertUrl === undefined) throw new Error('sidecar delivery takes an agent');
  const { anchors, hostAliases, image } = PLACEHOLDER;
  return sidecarPatch({
    agent: { image, ...agent },
    autocertUrl,
    anchors: [anchors],
    hostAliases: lacksClusterDns(pod.spec) ? hostAliases : '',
  })(pod, plan.spec, plan.style);
}

/** What has been injected between before and after. */
export function injectionOf(before: Pod, after: Pod, plan: Plan, config: InjectorConfig): Injection {
  const { spec, delivery } = plan;
  const lifetime = spec.duration ?? parseDuration(config.defaultDuration);
  const added = (list: 'initContainers' | 'containers' | 'volumes') => {
    const own = new Set(before.spec[list]?.map(({ name }) => name));
    return (after.spec[list] ?? []).map(({ name }) => name).filter((name) => !own.has(name));
  };
  const renewed = delivery === 'native' || !spec.bootstrapperOnly;
  return {
    delivery,
    ...(plan.delivery === 'sidecar' && { sidecar: renewed ? plan.style : 'bootstrapper-only' }),
    ...(spec.commonName !== undefined && { commonName: spec.commonName }),
    names: spec.sans,
    lifetime: formatDuration(lifetime),
    renewed,
    files: { folder: CERTIFICATE_DIR, names: Object.values(CertificateFile), ...filesOf(before, after, plan) },
    adds: { initContainers: added('initContainers'), containers: added('containers'), volumes: added('volumes') },
    mounts: containersOf(before.spec).map(({ name }) => name),
  };
}

function filesOf(before: Pod, after: Pod, { delivery, spec }: Plan): { mode: string; owner?: string } {
  if (delivery === 'native') {
    const { user = 0, group = 0, mode = spec.mode ?? DEFAULT_MODE } = filesByKubelet(before.spec);
    return { mode: octal(mode), owner: `${user}:${group}` };
  }
  const agent = containersOf(after.spec).find(isOurs);
  const { runAsUser, runAsGroup } = (agent?.securityContext ?? {}) as { runAsUser?: number; runAsGroup?: number };
  const owner = runAsUser === undefined ? {} : { owner: `${runAsUser}:${runAsGroup ?? '(of the image)'}` };
  return { mode: octal(spec.mode ?? DEFAULT_MODE), ...owner };
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
