/**
 * What the cluster can do, asked of the API server by its discovery documents, which every service account may read.
 * @module
 */

import type { KubernetesApi } from '../kubernetes/client.ts';
import { hasPodCertificates } from '../kubernetes/cluster-state.ts';

/** What injection depends on. */
export interface Capabilities {
  /** `PodCertificateRequest` and `ClusterTrustBundle` in `certificates.k8s.io/v1`: native delivery. */
  readonly podCertificates: boolean;
  /** Init containers with `restartPolicy: Always`: Kubernetes 1.29 and later. */
  readonly nativeSidecars: boolean;
}

/** First version with native sidecars on without a feature gate. */
const SIDECARS_SINCE = [1, 29] as const;

/** Asks the API server. */
export async function findCapabilities(api: Pick<KubernetesApi, 'get'>): Promise<Capabilities> {
  const [version, podCertificates] = await Promise.all([
    api.get<{ major?: string; minor?: string }>('/version'),
    hasPodCertificates(api),
  ]);
  return { podCertificates, nativeSidecars: isAtLeast(version.major, version.minor) };
}

/** Some distributions write the minor version as `29+`. */
function isAtLeast(major = '', minor = ''): boolean {
  const [wantedMajor, wantedMinor] = SIDECARS_SINCE;
  const given = Number.parseInt(major, 10);
  return given > wantedMajor || (given === wantedMajor && Number.parseInt(minor, 10) >= wantedMinor);
}
