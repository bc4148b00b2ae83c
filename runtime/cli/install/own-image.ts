/**
 * The image that this program itself runs from, where it runs in a pod: what it installs is of the same image then.
 * @module
 */
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { podImage } from '../../kubernetes/pod-image.ts';
import { AutocertError } from '../../lib/errors.ts';
import { readTextFile } from '../../lib/text-file.ts';

/** Where kubelet tells a pod its namespace. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/**
 * Asks for the pod in which this runs. `undefined`: it runs in none, or may not look.
 * @param readText reads a file; throws where there is none
 */
export async function ownImage(
  api: Pick<KubernetesApi, 'get'>,
  env: NodeJS.ProcessEnv,
  readText: (file: string) => string = readTextFile,
): Promise<string | undefined> {
  const { HOSTNAME: name, KUBERNETES_SERVICE_HOST: host } = env;
  if (!name || !host) return undefined;
  let namespace: string;
  try {
    namespace = readText(NAMESPACE_FILE).trim();
  } catch {
    return undefined; // the pod has no account
  }
  try {
    return await podImage(api, namespace, name);
  } catch (error) {
    if (error instanceof AutocertError && error.status === 403) return undefined;
    throw error;
  }
}
