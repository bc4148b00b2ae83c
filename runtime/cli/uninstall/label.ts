/**
 * The label by which an installation is turned on, as the cluster knows it. Never assumed: the usual one may be that of
 * another installation, such as the Go original. Reads only.
 * @module
 */
import type { NamespaceLabel } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { labelOf, selectedLabel } from '../../policy/namespace-label.ts';
import { configIfKnown } from '../explain/configuration.ts';
import { registrations } from './objects.ts';

/**
 * By the configuration, or by the webhook's registration where that is gone or wrong; `undefined`: neither is there.
 * @throws AutocertError what the API server answers
 */
export async function labelInCluster(
  api: Pick<KubernetesApi, 'get' | 'request'>,
  namespace: string,
): Promise<NamespaceLabel | undefined> {
  const config = await configIfKnown(api, namespace);
  if (config) return labelOf(config);
  const [registration] = await registrations(api, namespace);
  return selectedLabel(registration?.webhooks?.[0]?.namespaceSelector);
}
