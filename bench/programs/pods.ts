/**
 * Creates pods in the cluster of KUBECONFIG, and prints the milliseconds until all of them are Ready, as a watch sees it
 * (the condition's own time has whole seconds). Takes them away when its input ends.
 * `node pods.ts <count> <annotations, JSON>`
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { KubernetesApi } from '../../runtime/kubernetes/client.ts';
import { testPod } from '../../scripts/cluster/workloads.ts';

const [count = '1', annotations = '{}'] = process.argv.slice(2);
const NAMESPACE = 'default';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const run = `bench-${process.pid}-${Date.now()}`;
const labelSelector = `run=${run}`;
const api = KubernetesApi.load();
const names = Array.from({ length: Number(count) }, (_, index) => `${run}-${index}`);
const pods = names.map((name) =>
  testPod(NAMESPACE, name, {
    annotations: JSON.parse(annotations),
    labels: { run },
    spec: { terminationGracePeriodSeconds: 0 },
  }),
);

/** Resolves when the watch has shown all of them to be in the wanted state. */
async function until(isDone: (type: string, pod: V1Pod) => boolean, act: () => Promise<unknown>): Promise<void> {
  const waiting = new Set(names);
  const end = new AbortController();
  const { metadata } = await api.get<{ metadata: { resourceVersion: string } }>(
    `${PODS}?labelSelector=${labelSelector}`,
  );
  const query = { labelSelector, resourceVersion: metadata.resourceVersion };
  const onEvent = (type: string, pod: V1Pod) => {
    if (isDone(type, pod)) waiting.delete(pod.metadata?.name ?? '');
    if (waiting.size === 0) end.abort();
  };
  await Promise.all([api.watch<V1Pod>(PODS, query, onEvent, end.signal), act()]);
}

const isReady = (_type: string, { status }: V1Pod) =>
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
let created = 0;
await until(isReady, () => {
  created = performance.now();
  return Promise.all(pods.map((pod) => api.create(PODS, pod)));
});
console.log(performance.now() - created);
for await (const _ of process.stdin);
await until(
  (type) => type === 'DELETED',
  () =>
    Promise.all(names.map((name) => api.request('DELETE', `${PODS}/${name}`, { query: { gracePeriodSeconds: '0' } }))),
);
process.exit(0);
