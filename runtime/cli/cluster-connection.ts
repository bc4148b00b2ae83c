/**
 * The cluster that the flags of kubectl name.
 * @module
 */
import { KubernetesApi } from '../kubernetes/client.ts';
import { findApiServer, type KubeconfigFlags } from '../kubernetes/credentials.ts';

/** A cluster to ask. */
export interface Connection {
  readonly api: Pick<KubernetesApi, 'get' | 'request' | 'text'>;
  /** Namespace of the kubeconfig's context. */
  readonly namespace?: string | undefined;
}

/**
 * The cluster that the flags name.
 * @param maxSockets most connections to it, of which there are some dozen else
 * @throws AutocertError `INVALID_CONFIG` when there is none
 */
export function connect(flags: KubeconfigFlags, maxSockets?: number): Connection & { readonly api: KubernetesApi } {
  const options = findApiServer(process.env, flags);
  return { api: new KubernetesApi(options, maxSockets), namespace: options.namespace };
}
