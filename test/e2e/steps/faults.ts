/**
 * Steps 17.x: a handful of the faults that `npm run e2e -- --faults` has, on any cluster, in less than a minute together.
 * @module
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { enabledNamespace } from '../../../scripts/cluster/workloads.ts';
import { Api } from '../api.ts';
import type { Context, Step } from '../context.ts';
import type { Fault } from '../faults/fault.ts';
import { FAULTS } from '../faults/index.ts';
import { Lab } from '../faults/lab.ts';
import { deliveriesOf, FAULTS_NAMESPACE, LIFETIMES, RECOVERY_LIMIT_MS } from '../faults/settings.ts';
import { manifestsOf } from '../installed.ts';
import { type DeliveryName, Prober } from '../prober.ts';

const QUICK = ['all-killed', 'signer-leader-killed', 'label-removed', 'ca-bundle-removed'];
/** How long a fault that has to be ended lasts here. */
const LASTS_MS = 2_000;

/** Steps 17.x. */
export function faultSteps(context: Context): Step[] {
  const { kubectl, native, scratch } = context;
  const deliveries = deliveriesOf(native);
  const faults = FAULTS.filter(({ id }) => QUICK.includes(id));
  return faults.map(
    (fault, index): Step => ({
      id: `17.${index + 1}`,
      name: `${fault.name}: soon a fresh pod of each delivery has its certificate`,
      run: async () => {
        await kubectl.apply([enabledNamespace(FAULTS_NAMESPACE)]);
        const api = await Api.open(kubectl, scratch);
        try {
          const prober = new Prober(api, { namespace: FAULTS_NAMESPACE, deliveries, lifetimes: LIFETIMES });
          await survive(new Lab({ kubectl, api, prober, manifests: manifestsOf(context) }), fault, deliveries);
        } finally {
          await api.close();
        }
      },
    }),
  );
}

async function survive(lab: Lab, fault: Fault, deliveries: readonly DeliveryName[]): Promise<void> {
  const { prober } = lab.ports;
  const course = await fault.inject(lab);
  if (course?.end !== undefined) {
    await sleep(LASTS_MS); // how long it lasts, not a wait for something
    await course.end();
  }
  const deadline = Date.now() + RECOVERY_LIMIT_MS;
  await Promise.all([
    lab.well(RECOVERY_LIMIT_MS),
    ...deliveries.map(async (delivery) => {
      const { pod, injected } = await prober.start(delivery, deadline);
      assert(injected, `a fresh pod with ${delivery} delivery has a certificate`);
      await prober.end(pod.metadata.name);
    }),
  ]);
}
