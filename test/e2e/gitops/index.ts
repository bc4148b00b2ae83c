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

/** What the steps of both tools have in hand. */
export interface Shared {
  /** Folder of the manifests. */
  readonly manifests: string;
  readonly pods: FreshPods;
  /** Takes what ends something that was started. */
  readonly onEnd: (end: () => Promise<void>) => void;
}

/** All of them. */
export function gitopsSteps(context: Context): Step[] {
  const { kubectl, print, scratch } = context;
  const manifests = join(scratch, 'new');
  const pods = new FreshPods(context);
  const ends: (() => Promise<void>)[] = [() => pods.close()];
  const endAll = async () => {
    for (const end of ends.splice(0)) await end();
  };
  const shared = { manifests, pods, onEnd: (end: () => Promise<void>) => void ends.push(end) };
  return [
    ...clusterSteps(context).filter(({ base }) => base),
    {
      id: '31.1',
      name: 'cdk8s synth',
      base: true,
      run: () => synthesize(manifests),
      end: endAll,
    },
    ...argoCdSteps(context, shared),
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
    ...fluxSteps(context, shared),
  ];
}
