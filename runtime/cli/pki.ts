/**
 * `autocert pki init`: the init Job.
 * @module
 */
import { KubernetesApi } from '../kubernetes/client.ts';
import { jsonLog } from '../lib/log.ts';
import { stopSignal } from '../lib/stop-signal.ts';
import { runInitJob } from '../pki/init-in-cluster.ts';

/** Flags of `autocert pki init`. */
export interface InitInClusterOptions {
  readonly namespace: string;
  readonly caName: string;
  readonly webhook?: string;
}

/** Makes in the cluster what is missing of the PKI. */
export async function initInCluster(options: InitInClusterOptions): Promise<void> {
  await runInitJob(KubernetesApi.load(), { ...options, log: jsonLog({ name: 'pki' }), signal: stopSignal() });
}
