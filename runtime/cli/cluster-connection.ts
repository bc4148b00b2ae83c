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
 * @throws AutocertError `INVALID_CONFIG` when there is none
 */
export function connect(flags: KubeconfigFlags): Connection {
  const options = findApiServer(process.env, flags);
  return { api: new KubernetesApi(options), namespace: options.namespace };
}
