/**
 * All steps, in the order of the tutorial.
 * @module
 */
import type { Context, Step } from '../context.ts';
import { clusterSteps } from './cluster.ts';

/** The steps for this cluster. */
export function allSteps(context: Context): Step[] {
  return [...clusterSteps(context)];
}
