/**
 * Which image a pod runs.
 * @module
 */
import type { KubernetesApi } from './client.ts';
import { readPod } from './cluster-state.ts';

/**
 * The image of a container, as its pod's spec names it. `undefined`: there is no such pod or container, or, without a
 * container's name, there are several, and nobody knows which one is meant.
 * @throws AutocertError what the API server answers
 */
export async function podImage(
  api: Pick<KubernetesApi, 'get'>,
  namespace: string,
  pod: string,
  container?: string,
): Promise<string | undefined> {
  const containers = (await readPod(api, namespace, pod))?.spec?.containers ?? [];
  if (container !== undefined) return containers.find(({ name }) => name === container)?.image;
  return containers.length === 1 ? containers[0]?.image : undefined;
}
