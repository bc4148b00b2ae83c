/**
 * Starts a pod every other second, whatever else happens, and tells how each fared.
 * @module
 */
import assert from 'node:assert/strict';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace } from '../../../scripts/cluster/workloads.ts';
import { Api } from '../api.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import type { Context } from '../context.ts';
import { type DeliveryName, Prober, type Started, type Starting } from '../prober.ts';

const READY = { timeoutMs: 4 * 60_000, everyMs: 500 };
/** A node of two cores starts no more together and stays itself. */
const PACE = { everyMs: 2_000, most: 8, limitMs: READY.timeoutMs } as const;

/** See the module's header. */
export class Probes {
  readonly #context: Context;
  readonly #namespace: string;
  readonly #deliveries: readonly DeliveryName[];
  readonly #over = new AbortController();
  #api: Api | undefined;
  #starting: Starting | undefined;

  constructor(context: Context, namespace: string, deliveries: readonly DeliveryName[]) {
    this.#context = context;
    this.#namespace = namespace;
    this.#deliveries = deliveries;
  }

  /** Begins. */
  async start(): Promise<void> {
    const { kubectl, scratch } = this.#context;
    await kubectl.apply([enabledNamespace(this.#namespace)]);
    this.#api = await Api.open(kubectl, scratch);
    const prober = new Prober(this.#api, { namespace: this.#namespace, deliveries: this.#deliveries });
    const check = (started: Started) => this.#check(started);
    this.#starting = prober.keepStarting({ ...PACE, check, signal: this.#over.signal });
  }

  /**
   * How those fared that have started since the last time, once they are ready; asserts that each has its certificate
   * and that none was refused for longer than `mostRefusedMs`.
   */
  async report(mostRefusedMs: number): Promise<string> {
    const done: Started[] = [];
    for (const one of (await this.#starting?.take()) ?? []) {
      if (one instanceof Error) throw one;
      done.push(one);
    }
    assert(done.length > 0, 'pods were started');
    for (const { pod, refusedMs, refusal } of done) {
      assert(refusedMs <= mostRefusedMs, `${pod.metadata.name} was refused for ${seconds(refusedMs)} s: ${refusal}`);
    }
    const refused = done.map(({ refusedMs }) => refusedMs).filter((ms) => ms > 0);
    const slowest = Math.max(...done.map(({ ms, refusedMs }) => ms - refusedMs));
    return `${done.length} pods started, the slowest in ${seconds(slowest)} s; refused at first: ${refused.length}, for ${seconds(Math.max(0, ...refused))} s at most`;
  }

  /** Ends at once, for nobody wants to know any more. */
  async abort(): Promise<void> {
    this.#over.abort();
    await this.#starting?.stop();
    await this.#api?.close();
  }

  /** Ends, and takes what it made with it. */
  async stop(): Promise<void> {
    await this.abort();
    await this.#context.kubectl.run(['delete', 'namespace', this.#namespace, '--wait=false']);
  }

  async #check({ pod: { metadata }, injected }: Started): Promise<void> {
    const { signal } = this.#over;
    const { name } = metadata;
    assert(injected, `${name} was injected`);
    // Again if need be: kubelet is restarted now and then, and kubectl reaches nobody meanwhile.
    const files = await waitFor(
      `the files of ${name}`,
      async () => (signal.aborted ? 'over' : readFiles(this.#context.kubectl, this.#namespace, name, 'main')),
      READY,
    );
    if (files === 'over') throw signal.reason;
    assertCertificate(files, { name: `${name}.${this.#namespace}.svc.cluster.local` });
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
