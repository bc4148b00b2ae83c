/**
 * What the cluster can do, asked of the API server by its discovery documents, which every service account may read.
 * @module
 */

import type { KubernetesApi } from '../kubernetes/client.ts';
import { hasPodCertificates } from '../kubernetes/cluster-state.ts';
import { isAtLeast, type Version } from '../kubernetes/version.ts';
import { AutocertError } from '../lib/errors.ts';
import { shown } from '../lib/validator.ts';

/** What injection depends on. */
export interface Capabilities {
  /** `PodCertificateRequest` and `ClusterTrustBundle` in `certificates.k8s.io/v1`: native delivery. */
  readonly podCertificates: boolean;
  /** Init containers with `restartPolicy: Always`: Kubernetes 1.29 and later. */
  readonly nativeSidecars: boolean;
}

/** First version with native sidecars on without a feature gate. */
const SIDECARS_SINCE: Version = [1, 29];
/** First version with pod certificates generally available. */
const POD_CERTIFICATES_SINCE: Version = [1, 37];

/** Asks the API server. */
export async function findCapabilities(api: Pick<KubernetesApi, 'get'>): Promise<Capabilities> {
  const [version, podCertificates] = await Promise.all([
    api.get<{ major?: string; minor?: string }>('/version'),
    hasPodCertificates(api),
  ]);
  return { podCertificates, nativeSidecars: isAtLeast(SIDECARS_SINCE, version.major, version.minor) };
}

/**
 * What a cluster of this version can do, as long as nobody switches it off.
 * @param version such as `1.37`, `v1.34.4` or `1.29+`
 * @throws AutocertError `INVALID_INPUT` when it is no version of Kubernetes
 */
export function capabilitiesOf(version: string): Capabilities {
  const [, major, minor] = /^v?(\d{1,3})\.(\d{1,3})(?:\+|\.[\w.+-]{1,60})?$/.exec(version) ?? [];
  if (major === undefined) {
    throw new AutocertError(
      'INVALID_INPUT',
      `${shown(version)} is not a version of Kubernetes: write one such as 1.37`,
    );
  }
  return {
    podCertificates: isAtLeast(POD_CERTIFICATES_SINCE, major, minor),
    nativeSidecars: isAtLeast(SIDECARS_SINCE, major, minor),
  };
}
