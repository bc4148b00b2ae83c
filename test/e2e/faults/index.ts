/**
 * All faults, in the order of their run: those that take most with them come last.
 * @module
 */
import { clockFaults } from './clock.ts';
import type { Fault } from './fault.ts';
import { machineFaults } from './machine.ts';
import { networkFaults } from './network.ts';
import { objectFaults } from './objects.ts';
import { podFaults } from './pods.ts';
import { rightsFaults } from './rights.ts';

/** Nothing: what the other rows are to be compared with. */
const NONE: Fault = {
  id: 'none',
  name: 'none, for comparison',
  happens: 'A fresh pod of each delivery at once.',
  inject: async () => undefined,
};

/** See the module. */
export const FAULTS: readonly Fault[] = [
  NONE,
  ...podFaults,
  ...networkFaults,
  ...rightsFaults,
  ...objectFaults,
  ...clockFaults,
  ...machineFaults,
];

/** Those whose id begins with one of the words, or all. */
export function selectFaults(only: readonly string[]): readonly Fault[] {
  if (only.length === 0) return FAULTS;
  const chosen = FAULTS.filter(({ id }) => only.some((word) => id.startsWith(word)));
  if (chosen.length === 0) throw new Error(`no fault is called ${only.join(', ')}; see --faults --list`);
  return chosen;
}
