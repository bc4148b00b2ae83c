/**
 * Watches the database while step-ca runs: size, free space, whether the volume takes what is written; and tells when step-ca
 * is to be stopped for a rewrite.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import { type BackoffBounds, nextDelay } from '../lib/loops.ts';
import type { Database, Tended } from './database.ts';
import { isNearlyFull, isWorthPruning, type PruneReason, pruneReason, type Volume } from './database-size.ts';
import type { SupervisorMetrics } from './metrics.ts';

/** How often it looks, milliseconds: usually, and while step-ca cannot write. */
const Look = { usual: 10_000, soon: 2_000 } as const;
/** Least time between two rewrites for which step-ca is stopped; longer while they bring nothing. */
const PRUNES: BackoffBounds = { base: 300_000, cap: 21_600_000 };
/** The same while step-ca can write nothing: it has nothing to lose by a restart. */
const RESCUES: BackoffBounds = { base: 20_000, cap: 3_600_000 };

/** What a {@link DatabaseWatch} works with. */
export interface DatabaseWatchPorts {
  readonly database: Pick<Database, 'folder' | 'size' | 'tend' | 'makeRoom'>;
  readonly volumeOf: (folder: string) => Promise<Volume>;
  readonly writeProblem: (folder: string) => Promise<string | undefined>;
  readonly metrics: Pick<SupervisorMetrics, 'measured' | 'checked' | 'rewritten' | 'setAside'>;
  readonly now: () => Date;
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly random: () => number;
}

/** One database, over the runs of step-ca. */
export class DatabaseWatch {
  readonly #ports: DatabaseWatchPorts;
  #volume: Volume = { bytes: 0, free: 0 };
  #size = 0;
  #afterLast = 0;
  #lookAgainAt = 0;
  #pruneDelay: number | undefined;
  #pruneAgainAt = 0;
  #problem: string | undefined;

  constructor(ports: DatabaseWatchPorts) {
    this.#ports = ports;
  }

  /** Why step-ca cannot write; `undefined`: it can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Checks and rewrites; for when step-ca is stopped. */
  async tend(): Promise<void> {
    const { database, metrics, now } = this.#ports;
    await this.#measure();
    const isDue = (size: number) => isWorthPruning(size, this.#afterLast, this.#volume);
    const found: Tended = await database.tend(isDue, isNearlyFull(this.#volume));
    if (found.tables) metrics.checked(found.tables);
    if (found.setAside) metrics.setAside();
    if (found.rewritten !== undefined) {
      this.#afterLast = found.rewritten;
      metrics.rewritten(now());
    }
    this.#lookAgainAt = 0;
  }

  /** Looks, if it is time. Tells why step-ca is to be stopped for a rewrite now; `undefined`: it is not. */
  async look(): Promise<PruneReason | undefined> {
    const { database, writeProblem, monotonic, random } = this.#ports;
    if (monotonic() < this.#lookAgainAt) return undefined;
    await this.#measure();
    if (isNearlyFull(this.#volume) && (await database.makeRoom()).length > 0) await this.#measure();
    const fault = await writeProblem(database.folder);
    this.#problem = fault === undefined ? undefined : `the volume of the database takes nothing more: ${fault}`;
    this.#lookAgainAt = monotonic() + (fault === undefined ? Look.usual : Look.soon);
    const reason = pruneReason(this.#size, this.#afterLast, this.#volume);
    if (reason === undefined) {
      this.#pruneDelay = undefined;
      return undefined;
    }
    if (monotonic() < this.#pruneAgainAt) return undefined;
    this.#pruneDelay = nextDelay(this.#pruneDelay, random(), fault === undefined ? PRUNES : RESCUES);
    this.#pruneAgainAt = monotonic() + this.#pruneDelay;
    return reason;
  }

  async #measure(): Promise<void> {
    const { database, volumeOf, metrics } = this.#ports;
    try {
      this.#volume = await volumeOf(database.folder);
      this.#size = await database.size();
      metrics.measured(this.#size, this.#volume);
    } catch (error) {
      this.#problem = `the volume of the database cannot be read: ${messageOf(error)}`;
    }
  }
}
