/**
 * Whether Autocert works: fresh pods of each delivery get their certificates, of the root that there was first.
 * @module
 */
import assert from 'node:assert/strict';
import { enabledNamespace } from '../../../scripts/cluster/workloads.ts';
import { Api } from '../api.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import type { Context } from '../context.ts';
import { caBundle } from '../installed.ts';
import { Prober } from '../prober.ts';

/** Namespace of the pods. */
export const GITOPS_NAMESPACE = 'e2e-gitops';
const POD_MS = 120_000;

/** Makes them. */
export class FreshPods {
  readonly #context: Context;
  #api: Api | undefined;
  #root: string | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Asserts that one of each delivery is injected and has its certificate. */
  async work(): Promise<void> {
    const { kubectl, native, scratch, print } = this.#context;
    const root = await caBundle(kubectl);
    this.#root ??= root;
    assert.equal(root, this.#root, 'the root is that from the beginning');
    const deliveries = native ? (['native', 'sidecar'] as const) : (['sidecar'] as const);
    await kubectl.apply([enabledNamespace(GITOPS_NAMESPACE)]);
    this.#api ??= await Api.open(kubectl, scratch);
    const prober = new Prober(this.#api, { namespace: GITOPS_NAMESPACE, deliveries });
    const times: string[] = [];
    for (const delivery of deliveries) {
      const { pod, injected, ms } = await prober.start(delivery, Date.now() + POD_MS);
      const { name } = pod.metadata;
      assert(injected, `${name} is injected`);
      const files = await readFiles(kubectl, GITOPS_NAMESPACE, name, 'main');
      assertCertificate(files, { name: `${name}.${GITOPS_NAMESPACE}.svc.cluster.local` });
      await prober.end(name);
      times.push(`${delivery} ${(ms / 1000).toFixed(1)} s`);
    }
    print(`       fresh pods are ready: ${times.join(', ')}`);
  }

  /** Makes no more. */
  async close(): Promise<void> {
    await this.#api?.close();
  }
}
