/**
 * What becomes of a pod: left alone, refused in the author's words, or injected, and how. Pure.
 * @module
 */
import {
  Annotation,
  ContainerName,
  type PolicyConfig,
  STATUS_INJECTED,
  VolumeName,
  type WebhookConfig,
} from '../contract.ts';
import { shown } from '../lib/validator.ts';
import { type CertificateSpec, judgePod } from '../policy/certificate-spec.ts';
import { parseDuration } from '../policy/duration.ts';
import { MOUNT_AT_FILES } from '../policy/mount-path.ts';
import type { Capabilities } from './capabilities.ts';
import type { AgentStyle } from './injection-patch.ts';
import { nativeObstacle } from './native-patch.ts';
import { containersOf, type Pod, type PodSpec } from './pod.ts';

/** How a pod gets its files. */
export type Plan = { readonly spec: CertificateSpec } & (
  | { readonly delivery: 'native'; readonly duration: number }
  | { readonly delivery: 'sidecar'; readonly style: AgentStyle }
);

/** Why a pod is left alone, in one word for programs. */
export type SkipRule = 'AlreadyInjected' | 'NamespaceExcluded' | 'NoName';

/** By which rule a pod is refused: its names and annotations; names in it that are Autocert's; what the cluster can do. */
export type DenyRule = 'NotAllowed' | 'Conflict' | 'DeliveryImpossible';

/** The decision; `code` is an HTTP status for the API server. */
export type Decision =
  | { readonly kind: 'skip'; readonly rule: SkipRule; readonly reason: string }
  | { readonly kind: 'deny'; readonly code: 403 | 422; readonly rule: DenyRule; readonly message: string }
  | { readonly kind: 'inject'; readonly plan: Plan };

/** The settings that a decision depends on. */
export type DecisionConfig = PolicyConfig & Pick<WebhookConfig, 'delivery' | 'signer' | 'sidecar'>;

const OUR_CONTAINERS: ReadonlySet<string> = new Set(Object.values(ContainerName));
const OUR_VOLUMES: ReadonlySet<string> = new Set(Object.values(VolumeName));

/** Decides on a pod that is being created in `namespace`. */
export function decide(pod: Pod, namespace: string, config: DecisionConfig, cluster: Capabilities): Decision {
  const annotations = pod.metadata.annotations ?? {};
  if (annotations[Annotation.status] === STATUS_INJECTED) return skip('AlreadyInjected', 'it is injected already');
  const judgement = judgePod({ namespace, serviceAccount: accountOf(pod), annotations }, config);
  if (judgement.kind === 'excluded') return skip('NamespaceExcluded', 'its namespace is excluded');
  if (judgement.kind === 'none') return skip('NoName', `it has no annotation ${Annotation.name}`);
  if (judgement.kind === 'denied') return deny('NotAllowed', 403, judgement.reasons.join('; '));
  const taken = conflicts(pod);
  if (taken.length > 0) return deny('Conflict', 422, taken.join('; '));
  return choose(pod, judgement.spec, config, cluster);
}

function skip(rule: SkipRule, reason: string): Decision {
  return { kind: 'skip', rule, reason };
}

function deny(rule: DenyRule, code: 403 | 422, message: string): Decision {
  return { kind: 'deny', code, rule, message };
}

/** The pod's service account. The API server has filled it in; when it is told none, it runs the pod as `default`. */
export function accountOf({ spec }: Pod): string {
  return spec.serviceAccountName || 'default';
}

function choose(pod: Pod, spec: CertificateSpec, config: DecisionConfig, cluster: Capabilities): Decision {
  const wish = spec.delivery === 'auto' ? config.delivery : spec.delivery;
  if (wish !== 'sidecar') {
    const duration = spec.duration ?? parseDuration(config.defaultDuration);
    const obstacle = absentFor(config, cluster) ?? nativeObstacle(pod, spec, duration);
    if (obstacle === undefined) return { kind: 'inject', plan: { delivery: 'native', duration, spec } };
    if (wish === 'native') {
      const message = `native delivery: ${obstacle}; or let an agent deliver: ${Annotation.delivery}: sidecar`;
      return deny('DeliveryImpossible', 422, message);
    }
  }
  if (config.sidecar === 'native' && !cluster.nativeSidecars) {
    const message =
      'this cluster has no native sidecars (Kubernetes 1.29 and later); whoever runs it sets sidecar to auto or classic';
    return deny('DeliveryImpossible', 422, message);
  }
  const style = config.sidecar === 'classic' || !cluster.nativeSidecars ? 'classic' : 'native';
  return { kind: 'inject', plan: { delivery: 'sidecar', style, spec } };
}

/** What native delivery needs of Autocert and of the cluster, and is not there. */
function absentFor({ signer }: DecisionConfig, { podCertificates }: Capabilities): string | undefined {
  if (signer === false) return 'Autocert runs without its signer here (signer of AutocertWebhook is false)';
  if (podCertificates) return undefined;
  return 'this cluster has no pod certificates (certificates.k8s.io/v1, Kubernetes 1.37 and later)';
}

/** Conflicts that are told. */
const MAX_CONFLICTS = 5;

/** Names and mount paths of the pod that Autocert needs for itself; the first few of them. */
function conflicts({ spec }: Pod): readonly string[] {
  const found: string[] = [];
  for (const conflict of conflictsOf(spec)) {
    found.push(conflict);
    if (found.length === MAX_CONFLICTS) break;
  }
  return found;
}

function* conflictsOf(spec: PodSpec): Generator<string> {
  for (const { name } of spec.volumes ?? []) {
    if (OUR_VOLUMES.has(name)) yield `volume ${shown(name)} is Autocert's: give yours another name`;
  }
  for (const { name, volumeMounts } of containersOf(spec)) {
    if (OUR_CONTAINERS.has(name)) yield `container ${shown(name)} is Autocert's: give yours another name`;
    for (const mount of volumeMounts ?? []) {
      if (OUR_VOLUMES.has(mount.name)) {
        yield `container ${shown(name)} mounts the volume ${shown(mount.name)}: remove that mount, Autocert adds it`;
      } else if (AT_FILES.test(mount.mountPath)) {
        yield `container ${shown(name)} mounts ${shown(mount.mountPath)}, where Autocert mounts its files: mount yours elsewhere`;
      }
    }
  }
}

const AT_FILES = new RegExp(MOUNT_AT_FILES);
