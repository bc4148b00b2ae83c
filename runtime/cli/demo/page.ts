/**
 * The dashboard of the demo: the page of `autocert dashboard`, by the same questions, which the demo's API server answers.
 * @module
 */
import { PkiFile, PkiObject, WEBHOOK_HEALTH_PORT } from '../../contract.ts';
import { KubernetesApi } from '../../kubernetes/client.ts';
import type { Pki } from '../../pki/pki.ts';
import { dashboard } from '../dashboard/run.ts';
import type { DemoApiServer } from './api-server.ts';
import { textOf } from './components.ts';

const NAMESPACE = 'step';
const APPS = `/apis/apps/v1/namespaces/${NAMESPACE}`;

/** Tells the API server what runs, as a cluster would. A part that ends is the end of the demo. */
export function register(api: DemoApiServer, { rootPem, intermediatePem }: Pki, health: string): void {
  const running = { spec: { replicas: 1 }, status: { readyReplicas: 1 } };
  api.addObject(`${APPS}/statefulsets/ca`, running);
  api.addObject(`${APPS}/deployments/autocert`, running);
  api.addObject(`/api/v1/namespaces/${NAMESPACE}/configmaps/${PkiObject.certificates}`, {
    data: { [PkiFile.root]: rootPem, [PkiFile.intermediate]: intermediatePem },
  });
  const metadata = { name: 'autocert', namespace: NAMESPACE, uid: 'autocert', labels: { app: 'autocert' } };
  api.addPod({ metadata, spec: { containers: [] } });
  const proxy = `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}:${WEBHOOK_HEALTH_PORT}/proxy/metrics`;
  api.addProxy(proxy, () => textOf(`${health}/metrics`));
}

/** Starts it on a free port, until `stop`; its URL. */
export async function startPage(api: DemoApiServer, stop: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  dashboard(
    { allNamespaces: true, autocertNamespace: NAMESPACE, port: 0 },
    {
      connect: () => ({ api: new KubernetesApi({ server: api.url, headers: async () => ({}) }) }),
      onListening: resolve,
      stop,
      doctor: false, // there is no cluster for it to look at
      now: () => new Date(),
      monotonic: () => performance.now(),
    },
  ).catch(reject);
  return promise;
}
