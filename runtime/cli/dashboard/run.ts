/**
 * `autocert dashboard`: the status as a page, for the browser of this machine. Reads only, and less often while nobody looks.
 * @module
 */
import { SILENT } from '../../lib/log.ts';
import { sleep as realSleep, repeat, type Sleep } from '../../lib/loops.ts';
import { aborted } from '../../lib/stop-signal.ts';
import type { Connection } from '../cluster-connection.ts';
import { diagnose } from '../doctor/run.ts';
import { readStatus, remembering, type StatusScope } from '../status/run.ts';
import { EVERY_MS, follow } from '../status/watch.ts';
import { Known } from './known.ts';
import { pageFiles } from './page-files.ts';
import { serveDashboard } from './serve.ts';
import { readServing } from './serving.ts';

/** Flags of `autocert dashboard`. */
export interface DashboardOptions extends StatusScope {
  /** 0: any that is free. */
  readonly port: number;
}

/** What it has to do with the rest of the world. */
export interface DashboardEffects {
  readonly connect: () => Connection;
  /** Told when the page is there. */
  readonly onListening: (url: string) => void;
  /** Aborts when it has to end. */
  readonly stop: AbortSignal;
  /** Whether to look with the eyes of `autocert doctor`, too. @default true */
  readonly doctor?: boolean;
  readonly now: () => Date;
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** @default by the machine's timers */
  readonly sleep?: Sleep;
}

/** While somebody looks, and while nobody does, milliseconds. */
const PAUSES = { status: [EVERY_MS, 15_000], doctor: [30_000, 60_000] } as const;
/** So long after the last question somebody is looking. */
const LOOKING_MS = 10_000;

/**
 * Shows the page until it has to end.
 * @throws AutocertError what {@link readStatus} throws at first; `INVALID_INPUT` when the port is taken
 */
export async function dashboard(options: DashboardOptions, effects: DashboardEffects): Promise<void> {
  const { stop, now, monotonic, onListening } = effects;
  const ended = new AbortController();
  const signal = AbortSignal.any([stop, ended.signal]);
  const naps = new Naps(effects.sleep ?? realSleep);
  const connection = effects.connect();
  const connect = () => connection;
  const known = new Known(options, connection);
  const source = { connect, readers: remembering(monotonic) };
  let askedAt = Number.NEGATIVE_INFINITY;
  const isLooked = () => monotonic() - askedAt < LOOKING_MS;
  const pause = (what: keyof typeof PAUSES) => () => PAUSES[what][isLooked() ? 0 : 1];

  const look = follow(() => readStatus(options, source), {
    onRead: (report) => known.read(report, now()),
    onLost: (problem) => known.lose(problem),
    everyMs: pause('status'),
    stop: signal,
    sleep: naps.sleep,
  });
  try {
    await Promise.race([known.ready, look, aborted(stop)]);
    if (stop.aborted) return;
    const server = await serveDashboard(options.port, await pageFiles(), () => {
      const isFirst = !isLooked();
      askedAt = monotonic();
      if (isFirst) naps.wake();
      return known.json();
    });
    onListening(server.url);
    const slow = async () => {
      known.serving = await readServing(connection, options.autocertNamespace);
      if (effects.doctor === false) return;
      known.diagnose(await diagnose(options.autocertNamespace, { connect, now, monotonic }), now());
    };
    const onOutcome = (problem: string | undefined) => known.blind(problem, options.autocertNamespace);
    void repeat(slow, { everyMs: pause('doctor'), log: SILENT, signal, onOutcome, sleep: naps.sleep });
    await aborted(stop);
    await server.close();
  } finally {
    ended.abort();
    look.catch(() => {}); // it has been told, or nobody waits for it any more
  }
}

/** Pauses that end when somebody comes to look. */
class Naps {
  #alarm = new AbortController();
  readonly #sleep: Sleep;

  constructor(sleep: Sleep) {
    this.#sleep = sleep;
  }

  readonly sleep: Sleep = (ms, signal) => this.#sleep(ms, AbortSignal.any([signal, this.#alarm.signal]));

  wake(): void {
    this.#alarm.abort();
    this.#alarm = new AbortController();
  }
}
