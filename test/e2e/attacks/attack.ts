/**
 * What an attack is: who does what, what must come of it, and the trace that it leaves for whoever runs the cluster.
 * @module
 */
import type { Lab } from './lab.ts';

/** Whose rights the attacker has. */
export type Attacker =
  /** Role `edit` in one labelled namespace. */
  | 'tenant'
  /** A process in a pod of that namespace. */
  | 'pod'
  /** The credentials of a node's kubelet. */
  | 'node'
  /** The ServiceAccount of the signer, or of the init Job. */
  | 'account'
  /** Somebody who has a password of the CA's, and a way to the CA. */
  | 'thief'
  /** Somebody who runs the cluster and errs. */
  | 'administrator';

/** What an attack was answered with. */
export interface Defence {
  /** In a few words, for the table. */
  readonly happened: string;
  /** Log line, metric, Event or audit entry by which it can be seen: the text itself, shortened where it is printed. */
  readonly trace: string;
}

/** One attack. */
export interface Attack {
  /** For `--only`: words with hyphens. */
  readonly id: string;
  /** What the attacker does, as a sentence without a subject. */
  readonly name: string;
  readonly who: Attacker;
  /** What must come of it. */
  readonly expected: string;
  /** Only on clusters with pod certificates. @default false */
  readonly native?: boolean;
  /** Only on a node of our own, whose processes and credentials are at hand. @default false */
  readonly ownNode?: boolean;
  /** Does it; throws when it succeeds, or when it leaves no trace. */
  readonly run: (lab: Lab) => Promise<Defence>;
}

/** A row of the table. */
export interface AttackRow {
  readonly attack: Attack;
  readonly seconds: number;
  /** Absent: it failed. */
  readonly defence?: Defence;
  readonly failure?: string;
}
