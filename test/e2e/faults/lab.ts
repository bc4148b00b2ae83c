/**
 * The cluster that faults happen to, and the hands that bring them about.
 * @module
 */
import type { RunningNode } from '../../../scripts/cluster/bring-up.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { isReady, type Kubectl, type KubernetesObject, type Pod } from '../../../scripts/cluster/kubectl.ts';
import type { ClusterNode } from '../../../scripts/cluster/node.ts';
import { kill, type ProcessId, processesOfContainer } from '../../../scripts/cluster/processes.ts';
import { FIRST_NODE, SECOND_NODE } from '../../../scripts/cluster/settings.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import type { Api } from '../api.ts';
import type { Prober } from '../prober.ts';
import type { Course } from './fault.ts';

/** The parts of Autocert, by the label `app` of their pods. */
export const PARTS = { ca: 'ca', webhook: 'autocert', signer: 'autocert-signer' } as const;

/** One of {@link PARTS}. */
export type Part = keyof typeof PARTS;

/** What a fault has in hand. */
export interface LabPorts {
  readonly kubectl: Kubectl;
  readonly api: Api;
  readonly prober: Prober;
  /** What runs the nodes. Absent: they are not ours. */
  readonly machines?: {
    readonly first: RunningNode;
    /** Starts the second node, again if it died. */
    readonly startSecond: () => Promise<ClusterNode>;
  };
  /** Folder of the manifests that are installed. */
  readonly manifests: string;
  /** Image of Autocert whose clock can be set wrong. Absent: there is none. */
  readonly skewedImage?: string;
}

interface Workload extends KubernetesObject {
  readonly spec: { readonly replicas?: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
  };
}

/** See the module. */
export class Lab {
  readonly kubectl: Kubectl;
  readonly ports: LabPorts;
  #second: ClusterNode | undefined;
  #notes: string[] = [];

  constructor(ports: LabPorts) {
    this.ports = ports;
    this.kubectl = ports.kubectl;
  }

  get first(): ClusterNode {
    return this.#machines().first.node;
  }

  get second(): ClusterNode {
    if (this.#second === undefined) throw new Error('the second node was not started');
    return this.#second;
  }

  get nodes(): readonly ClusterNode[] {
    return [this.first, this.second];
  }

  /** Starts the second node, or starts it again. */
  async startSecond(): Promise<void> {
    this.#second = await this.#machines().startSecond();
  }

  /** Adds something measured to the row of the fault. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /** What was noted since the last time. */
  takeNotes(): readonly string[] {
    return this.#notes.splice(0);
  }

  /** Pods of a part, oldest first. */
  podsOf(part: Part): Promise<readonly Pod[]> {
    return this.kubectl.pods(SYSTEM, `app=${PARTS[part]}`);
  }

  /** The replica of the signer that leads: the Lease has its name first. */
  async leader(): Promise<Pod> {
    const { spec } = await this.kubectl.json<{ spec: { holderIdentity?: string } }>([
      ...['-n', SYSTEM, 'get', 'lease', PARTS.signer],
    ]);
    const pods = await this.podsOf('signer');
    const leader = pods.find(({ metadata }) => spec.holderIdentity?.startsWith(metadata.name));
    if (leader === undefined) throw new Error(`no pod leads; the lease is of ${spec.holderIdentity || 'nobody'}`);
    return leader;
  }

  /** All processes of a container that runs, its first before the others. */
  processesOf(pod: Pod, container: string): readonly ProcessId[] {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status;
    const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container);
    const id = status?.containerID?.split('//')[1];
    const found = id === undefined ? [] : processesOfContainer(id);
    if (found.length === 0) throw new Error(`${pod.metadata.name} has no process in ${container}`);
    return found;
  }

  /** Stops the processes of the pods' containers until the fault is ended: they are there and answer nothing. */
  pause(pods: readonly Pod[]): Course {
    const all = pods.flatMap((pod) => pod.spec.containers.flatMap(({ name }) => this.processesOf(pod, name)));
    for (const id of all) kill(id, 'SIGSTOP');
    return {
      end: async () => {
        for (const id of all) kill(id, 'SIGCONT');
      },
    };
  }

  /** Sees to it that the CA runs on the second node. */
  async placeCaOnSecond(): Promise<void> {
    const [pod] = await this.podsOf('ca');
    if (pod?.spec.nodeName === SECOND_NODE.name) return;
    await this.kubectl.run(['cordon', FIRST_NODE.name]);
    try {
      await this.kubectl.run(['-n', SYSTEM, 'delete', 'pod', '-l', `app=${PARTS.ca}`]);
      await this.kubectl.ready(SYSTEM, `app=${PARTS.ca}`);
    } finally {
      await this.kubectl.run(['uncordon', FIRST_NODE.name]);
    }
  }

  /** Sees to it that a replica of webhook and signer is on each node. */
  async spread(): Promise<void> {
    for (const part of ['webhook', 'signer'] as const) {
      const pods = await this.podsOf(part);
      if (new Set(pods.map(({ spec }) => spec.nodeName)).size > 1) continue;
      await this.kubectl.killPods(pods.slice(0, 1)); // the scheduler puts the next one where none is
    }
    await this.well(60_000);
  }

  /** What is not ready of Autocert; nothing, if all is. */
  async missing(): Promise<readonly string[]> {
    const get = async <T>(group: string, kind: string) =>
      (await this.ports.api.get<{ items: readonly T[] }>(`${group}/namespaces/${SYSTEM}/${kind}`)).items;
    const [deployments, sets, pods] = await Promise.all([
      get<Workload>('/apis/apps/v1', 'deployments'),
      get<Workload>('/apis/apps/v1', 'statefulsets'),
      get<Pod>('/api/v1', 'pods'),
    ]);
    const workloads = [...deployments, ...sets].filter(({ metadata, spec, status }) => {
      const wanted = spec.replicas ?? 1;
      const isSeen = status.observedGeneration === metadata.generation;
      return !isSeen || status.readyReplicas !== wanted || status.updatedReplicas !== wanted;
    });
    const unwell = pods.filter(
      (pod) =>
        pod.metadata.ownerReferences?.[0]?.kind !== 'Job' &&
        (pod.metadata.deletionTimestamp !== undefined || !isReady(pod)),
    );
    return [...workloads, ...unwell].map(({ metadata }) => metadata.name);
  }

  #machines(): NonNullable<LabPorts['machines']> {
    if (this.ports.machines === undefined) throw new Error('this fault needs nodes of its own');
    return this.ports.machines;
  }

  /** Waits until CA, webhook and signer are ready, and stay so for two seconds; gives the time at which they were. */
  async well(timeoutMs: number): Promise<number> {
    let since: number | undefined;
    let missing: readonly string[] = [];
    return waitFor(
      'CA, webhook and signer to be ready',
      async () => {
        missing = await this.missing().catch((error: unknown) => [String(error)]);
        since = missing.length > 0 ? undefined : (since ?? Date.now());
        if (missing.length > 0) throw new Error(`not ready: ${missing.join(', ')}`);
        return since !== undefined && Date.now() - since > 2_000 && since;
      },
      { timeoutMs, everyMs: 200 },
    );
  }
}
