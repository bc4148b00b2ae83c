/**
 * Whose a pod is that does not tell: by the labels of its namespace, and by whose webhook they turn on. Reads only, and
 * nothing as long as all pods tell, as those do that are injected.
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import type { Origin } from '../../kubernetes/pod-origin.ts';
import type { Connection } from '../cluster-connection.ts';
import type { Configuration } from '../doctor/facts.ts';
import { readNamespaces } from '../doctor/gather-cluster.ts';
import { readWebhooks } from '../doctor/gather-webhooks.ts';
import { Look } from '../doctor/look.ts';
import { otherInjector, otherWebhooks } from '../doctor/other-installations.ts';
import { ownLabel } from '../doctor/ours.ts';

/**
 * Answers which other installation injects the pods of a namespace. Who may not list registrations or see namespaces is told
 * of none.
 * @param autocert namespace of the own installation
 * @param podsOf namespace whose pods are asked for; `undefined`: those of all
 */
export function otherInjectors(
  api: Connection['api'],
  autocert: string,
  podsOf: string | undefined,
  config: Promise<Configuration['config'] | undefined>,
): (namespace: string) => Promise<Origin | undefined> {
  const read = async (): Promise<(namespace: string) => Origin | undefined> => {
    const look = new Look(api);
    const webhooks = (await readWebhooks(look)) ?? [];
    const known = await config;
    const configuration: Configuration = known ? { state: 'there', config: known } : { state: 'unknown' };
    const label = ownLabel({ configuration, webhooks, namespace: autocert });
    const others = otherWebhooks(webhooks, autocert, label);
    if (others.length === 0) return () => undefined;
    const labels = await labelsOf(look, podsOf);
    return (namespace) => otherInjector(labels.get(namespace), others, label);
  };
  let answers: ReturnType<typeof read> | undefined;
  return async (namespace) => {
    answers ??= read();
    return (await answers)(namespace);
  };
}

async function labelsOf(look: Look, namespace: string | undefined) {
  if (namespace === undefined) return new Map(await readNamespaces(look));
  const found = await look.get<V1Namespace>(`/api/v1/namespaces/${namespace}`, 'namespaces');
  return new Map([[namespace, found?.metadata?.labels ?? {}]]);
}
