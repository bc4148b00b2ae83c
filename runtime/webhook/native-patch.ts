/**
 * Native delivery: kubelet makes the key, asks for the certificate and renews it; nothing is injected but a volume.
 * Pure. The MutatingAdmissionPolicy (`constructs/injection-policy.ts`) makes byte-equal pods by these rules:
 *
 * 1. Volume `autocert-certs` at the end of `spec.volumes`: projected, `defaultMode` the annotation's mode or 0644, sources
 *    `podCertificate` (signer, `ECDSAP256`, `maxExpirationSeconds` the lifetime in whole seconds, always written), then
 *    `clusterTrustBundle` (signer, an empty label selector, `root.crt`).
 * 2. A read-only mount of it at the end of `volumeMounts` of every init container and container.
 * 3. The status annotation.
 *
 * `init-first` and `bootstrapper-only` change nothing here: the files are there before the first init container starts,
 * and no container keeps a Job from ending. What native delivery cannot do ({@link nativeObstacle}):
 *
 * - lifetimes under an hour or over 91 days, which the API refuses;
 * - an `owner` that kubelet does not give the files to: they belong to the one uid that all containers run as, if there
 *   is one, and to the group `fsGroup`, if there is one; so it takes uid or gid of the owner to be that;
 * - a `mode` other than kubelet's own, which is 0640 with `fsGroup`, else 0600 with one uid for all containers.
 * @module
 */
import { CertificateFile, VolumeName } from '../contract.ts';
import type { CertificateSpec } from '../policy/certificate-spec.ts';
import { formatDuration } from '../policy/duration.ts';
import { POD_CERTIFICATE } from '../policy/lifetimes.ts';
import { addTo, type JsonPatch, markInjected, mountFiles } from './patch.ts';
import { containersOf, type Pod, type PodSpec } from './pod.ts';

/** Of the files, where neither annotation nor kubelet says otherwise. */
export const DEFAULT_MODE = 0o644;

/** Why a pod cannot have native delivery; `undefined`: it can. `duration`: the certificate's lifetime, milliseconds. */
export function nativeObstacle({ spec }: Pod, { owner, mode }: CertificateSpec, duration: number): string | undefined {
  if (duration < POD_CERTIFICATE.leastMs || duration > POD_CERTIFICATE.mostMs) {
    return `a lifetime of ${formatDuration(duration)} is not possible: the API takes 1h to 2184h (91 days) for pod certificates`;
  }
  const { user, group, mode: fixed = mode } = filesByKubelet(spec);
  if (owner && owner.uid !== user && owner.gid !== group) {
    return `owner ${owner.uid}:${owner.gid} is not possible: set securityContext.runAsUser ${owner.uid} for all containers or securityContext.fsGroup ${owner.gid}`;
  }
  if (mode !== undefined && mode !== fixed) {
    return `mode ${octal(mode)} is not possible: kubelet gives the files mode ${octal(fixed ?? 0)} because of ${group !== undefined ? 'fsGroup' : 'runAsUser'}`;
  }
  return undefined;
}

/** The patch for native delivery by `signerName`. */
export function nativePatch(pod: Pod, { mode }: CertificateSpec, duration: number, signerName: string): JsonPatch {
  const volume = {
    name: VolumeName.certificates,
    projected: {
      defaultMode: mode ?? DEFAULT_MODE,
      sources: [
        {
          podCertificate: {
            signerName,
            keyType: 'ECDSAP256',
            maxExpirationSeconds: Math.floor(duration / 1000),
            keyPath: CertificateFile.key,
            certificateChainPath: CertificateFile.certificate,
          },
        },
        { clusterTrustBundle: { signerName, labelSelector: {}, path: CertificateFile.root } },
      ],
    },
  };
  return [addTo('/spec/volumes', pod.spec.volumes, volume), ...mountFiles(pod), markInjected];
}

/** How kubelet gives out the files of a pod, as far as its security contexts say; absent: as the volume says, and to root. */
export function filesByKubelet(spec: PodSpec): {
  readonly user: number | undefined;
  readonly group: number | undefined;
  readonly mode: number | undefined;
} {
  const user = commonUser(spec);
  const group = spec.securityContext?.fsGroup ?? undefined;
  const mode = group !== undefined ? 0o640 : user !== undefined ? 0o600 : undefined;
  return { user, group, mode };
}

/** The one uid that every container runs as, by the pod's or its own `runAsUser`; `undefined` if there is none. */
function commonUser(spec: PodSpec): number | undefined {
  const users = new Set(
    containersOf(spec).map(
      (container) => container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser ?? undefined,
    ),
  );
  const [user] = users;
  return users.size === 1 ? user : undefined;
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
