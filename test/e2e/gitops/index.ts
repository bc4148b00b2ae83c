/**
 * `npm run e2e -- --gitops`: Argo CD itself brings `dist/` to a cluster, heals it, takes it to another version and back, and
 * removes it; then it is applied in any order; then Flux does as Argo CD did.
 * @module
 */
import { join } from 'node:path';
import { installed, synthesize } from '../../../scripts/cluster/installation.ts';
import type { Context, Step } from '../context.ts';
import { clusterSteps } from '../steps/cluster.ts';
import { argoCdSteps } from './argo-cd.ts';
import { fluxSteps } from './flux.ts';
import { FreshPods } from './fresh-pods.ts';
import { applyInAnyOrder } from './orders.ts';

/** All of them. */
export function gitopsSteps(context: Context): Step[] {
  const { kubectl, print, scratch } = context;
  const manifests = join(scratch, 'new');
  const pods = new FreshPods(context);
  return [
    ...clusterSteps(context).filter(({ base }) => base),
    {
      id: '31.1',
      name: 'cdk8s synth',
      base: true,
      run: () => synthesize(manifests),
    },
    ...argoCdSteps(context, manifests, pods),
    {
      id: '33.1',
      name: 'the manifests, object by object in any order, converge, with the same root',
      base: true,
      run: async () => {
        print(`       ${await applyInAnyOrder(kubectl, manifests)}`);
        await installed(kubectl);
        await pods.work();
      },
    },
    ...fluxSteps(context, manifests, pods),
    { id: '35.1', name: 'nothing is left of the pods', run: () => pods.close() },
  ];
}
