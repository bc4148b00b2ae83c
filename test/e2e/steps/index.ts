/**
 * All steps, in the order in which they run: that of the tutorial, but for the renewal, which is begun early.
 * @module
 */
import type { Context, Step } from '../context.ts';
import { clusterSteps } from './cluster.ts';
import { installSteps, recoverySteps } from './install.ts';
import { lifecycleSteps } from './lifecycle.ts';
import { nativeSteps } from './native.ts';
import { outageSteps } from './outage.ts';
import { outsideSteps } from './outside.ts';
import { renewalSteps } from './renewal.ts';
import { tutorialSteps } from './tutorial.ts';
import { workloadSteps } from './workloads.ts';

/** The steps for this cluster. */
export function allSteps(context: Context): Step[] {
  const renewal = renewalSteps(context);
  return [
    ...clusterSteps(context),
    ...installSteps(context),
    renewal.deploy,
    ...recoverySteps(context),
    ...tutorialSteps(context),
    ...outsideSteps(context),
    ...workloadSteps(context),
    ...outageSteps(context),
    ...nativeSteps(context),
    ...renewal.look,
    ...lifecycleSteps(context),
  ];
}
