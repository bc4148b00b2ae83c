/**
 * `kubectl` as tests and benchmarks use it.
 * @module
 */
import type { V1ObjectMeta, V1PodSpec, V1PodStatus } from '@kubernetes/client-node';
import { type Result, type RunOptions, run, tryRun, type WaitOptions, waitFor } from './shell.ts';

/** An object as the API server has it. */
export interface KubernetesObject {
  readonly kind: string;
  readonly metadata: V1ObjectMeta & {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

/** A pod as the API server has it. */
export interface Pod extends KubernetesObject {
  readonly spec: V1PodSpec;
  readonly status: V1PodStatus;
}

/** `kubectl` bound to one cluster. */
export class Kubectl {
  readonly argv: readonly string[];

  constructor(argv: readonly string[]) {
    this.argv = argv;
  }

  /** Runs `kubectl args…`, which must succeed; returns standard output. */
  run(args: readonly string[], options?: RunOptions): Promise<string> {
    return run([...this.argv, ...args], options);
  }

  /** Runs `kubectl args…` whatever comes of it. */
  try(args: readonly string[], options?: RunOptions): Promise<Result> {
    return tryRun([...this.argv, ...args], options);
  }

  /** Runs `kubectl args… -o json`. */
  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run([...args, '-o', 'json'])) as T;
  }

  /** Applies YAML text or objects. */
  apply(manifest: string | readonly object[], args: readonly string[] = []): Promise<string> {
    const input = typeof manifest === 'string' ? manifest : manifest.map((one) => JSON.stringify(one)).join('\n---\n');
    return this.run(['apply', '-f', '-', ...args], { input });
  }

  /** Runs a command in a container. `target` is a pod or `deployment/name`. */
  exec(namespace: string, target: string, container: string, command: readonly string[]): Promise<string> {
    return this.run(['-n', namespace, 'exec', target, '-c', container, '--', ...command]);
  }

  /** How often the containers of these pods were restarted, all together; there must be such pods. */
  async restarts(namespace: string, selector: string): Promise<number> {
    const paths = ['containerStatuses', 'initContainerStatuses'].map(
      (list) => `{.items[*].status.${list}[*].restartCount}`,
    );
    const query = ['-n', namespace, 'get', 'pods', '-l', selector, '-o', `jsonpath=${paths.join(' ')}`];
    const counts = (await this.run(query)).split(' ').filter((count) => count !== '');
    if (counts.length === 0) throw new Error(`no container of ${selector} in ${namespace} has a status`);
    return counts.reduce((sum, count) => sum + Number(count), 0);
  }

  /** The pods that have a label and are not being deleted, oldest first. */
  async pods(namespace: string, selector: string): Promise<readonly Pod[]> {
    const sorted = ['--sort-by=.metadata.creationTimestamp', '-l', selector];
    const { items } = await this.json<{ items: readonly Pod[] }>(['-n', namespace, 'get', 'pods', ...sorted]);
    return items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  /** Kills pods, giving them no time to say goodbye. */
  async killPods(pods: readonly Pod[]): Promise<void> {
    for (const { metadata } of pods) {
      const which = ['-n', metadata.namespace ?? 'default', 'delete', 'pod', metadata.name];
      await this.run([...which, '--grace-period=0', '--force', '--wait=false']);
    }
  }

  /** What a pod tells Prometheus. */
  metrics({ metadata: { namespace = 'default', name } }: Pod, port: number): Promise<string> {
    return this.run(['get', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}:${port}/proxy/metrics`]);
  }

  /** The address of a Service in the cluster. */
  serviceAddress(namespace: string, service: string): Promise<string> {
    return this.run(['-n', namespace, 'get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}']);
  }

  /** Waits for a pod with this label that is ready (or, with `phase`, that has come to this phase). */
  ready(namespace: string, selector: string, options: WaitOptions & { phase?: string } = {}): Promise<Pod> {
    return waitFor(
      `a pod ${selector} in ${namespace} to be ${options.phase ?? 'ready'}`,
      async () => {
        const pods = await this.pods(namespace, selector);
        const { phase } = options;
        return pods.find((pod) => (phase === undefined ? isReady(pod) : pod.status.phase === phase));
      },
      { timeoutMs: 90_000, ...options },
    );
  }

  /** Waits until resources are served that these definitions are of; so new that they have no condition, `kubectl wait` fails. */
  async established(definitions: readonly string[]): Promise<void> {
    const argv = ['wait', ...definitions, '--for=condition=Established', '--timeout=10s'];
    await waitFor(`${definitions.join(' ')} to be established`, () => this.run(argv));
  }

  /** Waits until the newest generation of a Deployment, DaemonSet or StatefulSet is all there. */
  async rolledOut(namespace: string, workload: string, timeout = '120s'): Promise<void> {
    await this.run(['-n', namespace, 'rollout', 'status', workload, `--timeout=${timeout}`], { timeoutMs: 180_000 });
  }
}

/** Whether the pod's condition `Ready` holds. */
export function isReady(pod: Pod): boolean {
  return pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}
