/**
 * Steps 15.x: the CA is away. Pods that start wait for it, can be deleted meanwhile, and start when it is back.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation } from '../../../runtime/contract.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';

const NAMESPACE = 'default';
const WAITING = 'outage-waits';
const DELETED = 'outage-deleted';
/** Long, so that a pod which ends sooner has ended by itself and was not killed. */
const GRACE_SECONDS = 120;

const nameOf = (pod: string) => `${pod}.${NAMESPACE}.svc.cluster.local`;

const sidecarPod = (name: string) =>
  testPod(NAMESPACE, name, {
    annotations: { [Annotation.name]: nameOf(name), [Annotation.delivery]: 'sidecar' },
    spec: { terminationGracePeriodSeconds: GRACE_SECONDS },
  });

/** As much of a pod's status as tells whether a container runs. */
interface Statuses {
  readonly containerStatuses?: readonly { readonly name: string; readonly state?: { readonly running?: object } }[];
}

/** Steps 15.x. */
export function outageSteps({ kubectl }: Context): Step[] {
  const scaleCa = (replicas: number) =>
    kubectl.run(['-n', SYSTEM, 'scale', 'statefulset', 'ca', `--replicas=${replicas}`]);
  const isRunning = async (pod: string, container: string) => {
    const { status } = await kubectl.json<{ status: Statuses }>(['-n', NAMESPACE, 'get', 'pod', pod]);
    return status.containerStatuses?.find(({ name }) => name === container)?.state?.running !== undefined;
  };
  // By its event: kubelet brings the status up to date only when the hook has returned.
  const hasStarted = async (pod: string) => {
    const selector = `involvedObject.name=${pod},reason=Started`;
    const events = await kubectl.json<{ items: readonly object[] }>([
      ...['-n', NAMESPACE, 'get', 'events', '--field-selector', selector],
    ]);
    return events.items.length > 0;
  };
  return [
    {
      id: '15.1',
      name: 'while the CA is away a pod waits for it: its agent runs, its own container does not',
      run: async () => {
        await scaleCa(0);
        await waitFor('the CA to end', async () => (await kubectl.pods(SYSTEM, 'app=ca')).length === 0);
        await kubectl.apply([sidecarPod(WAITING), sidecarPod(DELETED)]);
        for (const name of [WAITING, DELETED]) {
          await waitFor(`the agent of ${name}`, () => hasStarted(name));
          assert(!(await isRunning(name, 'main')), `${name}: no container without files`);
        }
      },
    },
    {
      id: '15.2',
      name: 'a pod that waits for the CA can be deleted, and ends long before its grace period does',
      run: async () => {
        await kubectl.run(['-n', NAMESPACE, 'delete', 'pod', DELETED, '--wait=false']);
        await waitFor(
          `${DELETED} to go`,
          async () => (await kubectl.try(['-n', NAMESPACE, 'get', 'pod', DELETED])).stderr.includes('NotFound'),
          { timeoutMs: (GRACE_SECONDS * 1000) / 2 },
        );
      },
    },
    {
      id: '15.3',
      name: 'when the CA is back the pod that waited has its certificate and starts',
      run: async () => {
        await scaleCa(1);
        await kubectl.rolledOut(SYSTEM, 'statefulset/ca');
        const pod = await kubectl.ready(NAMESPACE, `app=${WAITING}`);
        assertCertificate(await readFiles(kubectl, NAMESPACE, pod.metadata.name, 'main'), { name: nameOf(WAITING) });
        await kubectl.run(['-n', NAMESPACE, 'delete', 'pod', WAITING, '--wait=false']);
      },
    },
  ];
}
