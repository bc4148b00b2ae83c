/**
 * What a fault is, and what is found out about one.
 * @module
 */
import type { Lab } from './lab.ts';

/**
 * What a fault takes by its nature, whatever Autocert does: `requests` between pods (it stops a pod that answers them),
 * `restarts` (it kills a container of a pod that goes on running), `injection` (pods that are made meanwhile are nobody's).
 */
export type Forced = 'requests' | 'restarts' | 'injection';

/** What goes on after a fault was injected. */
export interface Course {
  /** Ends the fault. Absent: it does not last, or is there to be healed by the cluster alone. */
  readonly end?: () => Promise<void>;
  /** Puts the cluster back, once all was measured. */
  readonly afterwards?: () => Promise<void>;
}

/** Something that goes wrong in a cluster. */
export interface Fault {
  /** Chosen with `--only`. */
  readonly id: string;
  /** What goes wrong: the first column of the table. */
  readonly name: string;
  /** What is to be expected, for people: the second column. */
  readonly happens: string;
  /** How long it lasts until it is ended. Milliseconds. @default 8000 */
  readonly lastsMs?: number;
  readonly forces?: readonly Forced[];
  /** What has to be so before, such as on which node the CA runs. Not part of what is measured. */
  readonly prepare?: (lab: Lab) => Promise<void>;
  readonly inject: (lab: Lab) => Promise<Course | undefined>;
}

/** Injects what happens once and needs no end. */
export function once(happen: (lab: Lab) => Promise<unknown>): Fault['inject'] {
  return async (lab) => {
    await happen(lab);
    return undefined;
  };
}

/** A row of the table. Times in seconds. */
export interface Row {
  readonly fault: Pick<Fault, 'id' | 'name' | 'happens' | 'forces'>;
  /** Longest time that a pod took which was first asked for during the fault, from then until it was ready. */
  readonly longestStart: number;
  /** Requests between running pods that failed. */
  readonly failedRequests: number;
  /** Longest time in which a pod that asks four times a second had no good answer. */
  readonly gap: number;
  /** From the end of the fault, or its begin where it has no end, until fresh pods of each delivery and all parts were ready. */
  readonly recovery: number;
  /** The same for each of what it is the longest of: a delivery, or `parts`. */
  readonly recoveries: Readonly<Record<string, number>>;
  /** What the fault did not force: certificates lost, a pod without one, another root. */
  readonly problems: readonly string[];
  /** Measured besides, for people. */
  readonly notes: readonly string[];
}
