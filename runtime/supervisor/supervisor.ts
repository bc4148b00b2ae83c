/**
 * Decides when step-ca runs, and with what: takes a changed configuration over, has the database looked after while step-ca
 * is stopped, restarts a step-ca that does not answer, and tells whether all is well.
 *
 * What it must remember over a restart of its own is in files: the state of `ca.sh`, and the set that counts.
 * @module
 */
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { type BackoffBounds, nextDelay } from '../lib/loops.ts';
import type { CaControl, CaState } from './ca-control.ts';
import type { DatabaseWatch } from './database-watch.ts';
import type { FollowedSet } from './followed-set.ts';
import type { RestartReason, SupervisorMetrics } from './metrics.ts';
import type { SetStore } from './set-store.ts';

/** What a {@link Supervisor} works with. */
export interface SupervisorPorts {
  readonly control: Pick<CaControl, 'state' | 'order'>;
  readonly sets: Pick<SetStore, 'current' | 'install' | 'select'>;
  readonly followed: Pick<FollowedSet, 'current' | 'problem' | 'look'>;
  /** `undefined`: the database is none of this pod's. */
  readonly database: Pick<DatabaseWatch, 'tend' | 'look' | 'problem'> | undefined;
  /** Resolves when step-ca answers; rejects with what is wrong. */
  readonly health: () => Promise<void>;
  readonly metrics: Pick<SupervisorMetrics, 'restarted' | 'configured' | 'configurationFits'>;
  readonly log: Log;
  readonly now: () => Date;
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly random: () => number;
  /** By how much the event loop was late since it was last asked, at the worst; milliseconds. */
  readonly lateness: () => number;
  /** A changed configuration is taken over after a random time up to this, milliseconds. */
  readonly spreadMs: number;
}

/** Pauses between two looks, milliseconds: while something is to happen soon, and at other times. */
const Pause = { soon: 200, usual: 1_000 } as const;
/** How often a step-ca that answers is asked again, milliseconds. */
const ASK_MS = 5_000;
/** How long step-ca may not answer before it is restarted, milliseconds: at its start, and later. */
const Patience = { starting: 120_000, answering: 60_000 } as const;
/** Waits before a step-ca that ended by itself is started again, milliseconds. */
const STARTS: BackoffBounds = { base: 500, cap: 60_000 };
/** A step-ca that has answered for so long will do so for longer, milliseconds. */
const STEADY_MS = 60_000;
/** An event loop that was later than this, milliseconds, may have missed what step-ca answered. */
const LATE_MS = 250;
/** How long a configuration that step-ca has not started on is left alone, milliseconds: at first, and at most. */
const Refusal = { first: 300_000, longest: 21_600_000 } as const;
/** How often `ca.sh` hears that the supervisor is at work, milliseconds; after a minute it would start step-ca itself. */
const BEAT_MS = 10_000;

/** One run of step-ca. */
interface Run {
  readonly number: number;
  readonly startedAt: number;
  /** When it began, or has last answered; later by the time in which the supervisor itself was late. */
  heardAt: number;
  lookedAt: number;
  askAgainAt: number;
  answered: boolean;
  problem: string;
  /** Why it was told to end. */
  stopped?: string;
}

/** Looks after the step-ca of this pod. */
export class Supervisor {
  readonly #ports: SupervisorPorts;
  #run: Run | undefined;
  /** Why step-ca does not run. */
  #waiting: string | undefined = 'the container step-ca has not started yet';
  /** The run that was told to go. */
  #gone = -1;
  /** The run that is to begin, once how the one before it ended has been noted. */
  #noted = -1;
  #beatAt = 0;
  #delay: number | undefined;
  #notBefore = 0;
  /** The last set on which step-ca has answered, and one on which it has not. */
  #good: string | undefined;
  #refused: { readonly id: string; readonly pause: number; readonly until: number } | undefined;
  #takeOverAt: number | undefined;

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
  }

  /** `undefined`: certificates can be had; else why not. */
  notReady(): string | undefined {
    if (this.#run === undefined) return this.#waiting;
    if (!this.#run.answered || this.#run.problem !== '') return `step-ca does not answer: ${this.#run.problem}`;
    return this.#ports.database?.problem;
  }

  /** Looks once, and does what is to be done. Gives the milliseconds until the next look. */
  async look(): Promise<number> {
    const { control, followed, metrics } = this.#ports;
    followed.look();
    metrics.configurationFits(followed.problem === undefined && this.#refused?.id !== followed.current?.id);
    const state = control.state();
    if (state === undefined) return Pause.soon;
    if (state.kind === 'running') return this.#watch(state);
    this.#note(state);
    return this.#start(state);
  }

  /** How a run ended that is over, once. */
  #note({ run, why }: CaState): void {
    if (this.#noted === run) return;
    this.#noted = run;
    const { metrics, log, monotonic, random, sets } = this.#ports;
    const ended = this.#run;
    this.#run = undefined;
    this.#waiting = 'step-ca is being started';
    if (ended === undefined) return;
    if (ended.stopped === undefined) {
      metrics.restarted('exit');
      log.error({ why }, 'step-ca has ended');
    }
    if (ended.stopped === undefined || !ended.answered) {
      // At once the first time.
      this.#notBefore = monotonic() + (this.#delay ?? 0);
      this.#delay = nextDelay(this.#delay, random(), STARTS);
    }
    const { current } = sets;
    if (ended.answered || current === undefined || this.#good === undefined || this.#good === current) return;
    const before = this.#refused?.id === current ? this.#refused.pause : undefined;
    const pause = before === undefined ? Refusal.first : Math.min(2 * before, Refusal.longest);
    this.#refused = { id: current, pause, until: monotonic() + pause };
    log.error(
      { set: current, retryInMs: pause },
      'step-ca does not start on the new configuration: back to the one before',
    );
  }

  /** Prepares what step-ca needs, and lets it start. */
  async #start({ run }: CaState): Promise<number> {
    const { control, database, log, monotonic, random } = this.#ports;
    if (this.#gone === run) return Pause.soon;
    if (this.#next() === undefined) {
      this.#waiting = `there is nothing to start step-ca with: ${this.#ports.followed.problem}`;
      return this.#beat(run);
    }
    if (monotonic() < this.#notBefore) return this.#beat(run);
    control.order('wait', run);
    const beats = setInterval(() => control.order('wait', run), BEAT_MS);
    try {
      await database?.tend();
    } catch (error) {
      this.#waiting = `the database cannot be prepared: ${messageOf(error)}`;
      this.#delay = nextDelay(this.#delay, random(), STARTS);
      this.#notBefore = monotonic() + this.#delay;
      log.error({ reason: messageOf(error), retryInMs: Math.round(this.#delay) }, 'the database cannot be prepared');
      return Pause.soon;
    } finally {
      clearInterval(beats);
    }
    this.#install();
    control.order('go', run);
    this.#gone = run;
    return Pause.soon;
  }

  /** Says that it is at work, now and then. */
  #beat(run: number): number {
    const { control, monotonic } = this.#ports;
    if (monotonic() >= this.#beatAt) {
      control.order('wait', run);
      this.#beatAt = monotonic() + BEAT_MS;
    }
    return Pause.soon;
  }

  /** The set to run with: the newest, unless step-ca has just refused it; else one from before. */
  #next(): string | undefined {
    const { followed, sets, monotonic } = this.#ports;
    const newest = followed.current?.id;
    const isRefused = newest !== undefined && newest === this.#refused?.id && monotonic() < this.#refused.until;
    if (newest !== undefined && !isRefused) return newest;
    return this.#good ?? sets.current;
  }

  #install(): void {
    const { followed, sets, metrics, log, now } = this.#ports;
    const id = this.#next();
    this.#takeOverAt = undefined;
    if (id === undefined || id === sets.current) return;
    if (id === followed.current?.id) sets.install(followed.current, this.#good);
    else sets.select(id);
    metrics.configured(now());
    log.info({ set: id }, 'configuration taken over');
  }

  async #watch({ run: number }: CaState): Promise<number> {
    const { monotonic } = this.#ports;
    if (this.#run?.number !== number) {
      this.#run = {
        number,
        startedAt: monotonic(),
        heardAt: monotonic(),
        lookedAt: monotonic(),
        askAgainAt: 0,
        answered: false,
        problem: 'it was just started',
      };
    }
    const run = this.#run;
    await this.#ask(run);
    if (run.stopped !== undefined) return Pause.soon;
    const reason = (await this.#ports.database?.look()) ?? this.#isHung(run) ?? this.#changed();
    if (reason !== undefined) this.#stop(run, reason);
    return run.answered && run.stopped === undefined ? Pause.usual : Pause.soon;
  }

  async #ask(run: Run): Promise<void> {
    const { health, monotonic, sets } = this.#ports;
    if (monotonic() < run.askAgainAt) return;
    try {
      await health();
      run.askAgainAt = monotonic() + ASK_MS;
      run.heardAt = monotonic();
      run.problem = '';
      run.answered = true;
      this.#good = sets.current;
      if (this.#refused?.id === this.#good) this.#refused = undefined;
      if (run.heardAt - run.startedAt > STEADY_MS) this.#delay = undefined;
    } catch (error) {
      run.problem = messageOf(error);
    }
  }

  #isHung(run: Run): RestartReason | undefined {
    const { monotonic, lateness } = this.#ports;
    const now = monotonic();
    if (lateness() > LATE_MS) run.heardAt += now - Math.max(run.lookedAt, run.heardAt);
    run.lookedAt = now;
    const silent = now - run.heardAt;
    return silent > (run.answered ? Patience.answering : Patience.starting) ? 'no-answer' : undefined;
  }

  /** Whether there is another set to run with, and it is this replica's turn. */
  #changed(): RestartReason | undefined {
    const { sets, monotonic, random, spreadMs } = this.#ports;
    if (this.#next() === sets.current) return undefined;
    this.#takeOverAt ??= monotonic() + random() * spreadMs;
    return monotonic() >= this.#takeOverAt ? 'configuration' : undefined;
  }

  #stop(run: Run, reason: RestartReason): void {
    const { control, metrics, log } = this.#ports;
    control.order('stop', run.number);
    run.stopped = reason;
    metrics.restarted(reason);
    log.info({ reason }, 'step-ca is being restarted');
  }
}
