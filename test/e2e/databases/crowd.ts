/**
 * A hundred pods of both deliveries: started together, renewed together, and looked at one by one.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation } from '../../../runtime/contract.ts';
import { isReady } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, podTemplate } from '../../../scripts/cluster/workloads.ts';
import { type CertificateFiles, readFiles } from '../certificates.ts';
import type { Context } from '../context.ts';

const DELIVERIES = ['native', 'sidecar'] as const;
/** As short as agents and kubelet take them. */
const LIFETIMES = { native: '1h', sidecar: '5m' } as const;
const EACH = 50;
/** `kubectl exec` at a time. */
const AT_ONCE = 4;
const SLOWLY = { timeoutMs: 6 * 60_000, everyMs: 1000 };

/** The certificates of pods, by the pods' names. */
export type Certificates = ReadonlyMap<string, CertificateFiles>;

/** The pods, in a namespace of their own. */
export class Crowd {
  readonly #context: Context;
  readonly #namespace: string;

  constructor(context: Context, namespace: string) {
    this.#context = context;
    this.#namespace = namespace;
  }

  /** How many there are. */
  get size(): number {
    return EACH * this.#deliveries.length;
  }

  /** Without pod certificates in the cluster all have agents. */
  get #deliveries(): readonly (typeof DELIVERIES)[number][] {
    return this.#context.native ? DELIVERIES : ['sidecar'];
  }

  /** Creates all; seconds until the last is ready, which it is with its files only. */
  async start(): Promise<number> {
    const { kubectl } = this.#context;
    const began = performance.now();
    await kubectl.apply([enabledNamespace(this.#namespace), ...this.#deliveries.map((each) => this.#deployment(each))]);
    await this.#ready();
    return (performance.now() - began) / 1000;
  }

  /** Waits until all are ready. */
  #ready(): Promise<unknown> {
    return waitFor(
      `${this.size} pods to be ready`,
      async () => (await this.#pods()).filter(isReady).length === this.size,
      SLOWLY,
    );
  }

  /** Removes all, and waits until they are gone. */
  async remove(): Promise<void> {
    await this.#context.kubectl.run(['delete', 'namespace', this.#namespace, '--wait'], { timeoutMs: 300_000 });
  }

  /** Reads the files of each. */
  async certificates(): Promise<Certificates> {
    const pods = await this.#pods();
    return new Map(await this.#each(pods, async ({ metadata: { name } }) => [name, await this.#files(name)] as const));
  }

  /**
   * Waits until all have renewed: agents by themselves at two thirds of the lifetime, kubelet because it is restarted,
   * where the node is ours.
   * @returns seconds until the last pod had another certificate than `before`
   */
  async renew(before: Certificates): Promise<number> {
    const { restartKubelet } = this.#context;
    const began = performance.now();
    await restartKubelet?.();
    const renewed = async (name: string) => {
      const { leaf, keyPem } = await this.#files(name);
      const old = before.get(name);
      return leaf.serialNumber !== old?.leaf.serialNumber && keyPem !== old?.keyPem;
    };
    let left = [...before.keys()].filter((name) => name.startsWith('sidecar') || restartKubelet !== undefined);
    await waitFor(
      `${left.length} pods to have new certificates`,
      async () => {
        const done = await this.#each(left, (name) => renewed(name).catch(() => false));
        left = left.filter((_, index) => !done[index]);
        return left.length === 0;
      },
      SLOWLY,
    );
    return (performance.now() - began) / 1000;
  }

  /** Asserts that no pod was refused, replaced or restarted, and that each has a certificate that is valid now. */
  async assertUnharmed(): Promise<void> {
    const { kubectl } = this.#context;
    await this.#ready(); // kubelet tells anew after a restart
    for (const each of this.#deliveries) {
      assert.equal(await kubectl.restarts(this.#namespace, `app=${each}`), 0, `${each}: no container was restarted`);
    }
    const events = [
      '-n',
      this.#namespace,
      'get',
      'events',
      '-o',
      'jsonpath={range .items[*]}{.reason} {.message}{"\\n"}{end}',
    ];
    const refusals = (await kubectl.run(events)).split('\n').filter((line) => /^FailedCreate /.test(line));
    assert.deepEqual(refusals, [], 'no pod was refused at admission');
    for (const [name, { leaf }] of await this.certificates()) {
      assert(leaf.validToDate.getTime() > Date.now(), `${name}: ${leaf.validTo}`);
    }
  }

  async #pods() {
    return this.#context.kubectl.pods(this.#namespace, `app in (${DELIVERIES.join(',')})`);
  }

  #files(pod: string): Promise<CertificateFiles> {
    return readFiles(this.#context.kubectl, this.#namespace, pod, 'main');
  }

  /** A few at a time. */
  async #each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    const queue = [...items.entries()];
    const worker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return results;
  }

  #deployment(delivery: (typeof DELIVERIES)[number]): object {
    const annotations = {
      [Annotation.name]: `${delivery}.${this.#namespace}.svc.cluster.local`,
      [Annotation.delivery]: delivery,
      [Annotation.duration]: LIFETIMES[delivery],
    };
    const spec = { terminationGracePeriodSeconds: 1, enableServiceLinks: false };
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: delivery, namespace: this.#namespace },
      spec: {
        replicas: EACH,
        selector: { matchLabels: { app: delivery } },
        template: podTemplate(delivery, { annotations, spec }),
      },
    };
  }
}
