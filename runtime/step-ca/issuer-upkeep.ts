/**
 * Keeps an issuer current while a program runs: files, key and roots are read every minute, the connections to the CA
 * used every ten seconds. During an outage the CA is asked every other second, so that its end is noticed at once.
 * @module
 */
import type { Log } from '../lib/log.ts';
import { repeat, type Sleep, sleep as usualSleep } from '../lib/loops.ts';
import type { Issuer } from './issuer.ts';

/** How {@link keepIssuer} works. */
export interface IssuerUpkeep {
  /** Names a failed refresh in the log. @default 'the CA cannot be reached' */
  readonly what?: string;
  /** What is done with what was read. It is part of the refresh: if it fails, both are soon tried again. */
  readonly refreshed?: () => Promise<void>;
  /** Learns why the last refresh failed; `undefined`: it did not. */
  readonly onOutcome?: (problem: string | undefined) => void;
  /** Called whenever the CA was asked, with whatever result: `outage` of the issuer may have changed. */
  readonly asked?: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** @default - by the machine's timers */
  readonly sleep?: Sleep;
  /** Monotonic milliseconds. @default performance.now */
  readonly monotonic?: () => number;
}

const REFRESH_MS = 60_000;
/** Shorter than the time after which step-ca closes a connection that idles, 15 s. */
const PROBE_MS = 10_000;
/** How often it is looked whether there is an outage, and how often the CA is asked during one. */
const LOOK_MS = 2_000;

/** Runs until the signal aborts; never rejects. */
export async function keepIssuer(
  issuer: Pick<Issuer, 'refresh' | 'probe' | 'outage'>,
  upkeep: IssuerUpkeep,
): Promise<void> {
  await Promise.all([keepRefreshing(issuer, upkeep), keepProbing(issuer, upkeep)]);
}

async function keepRefreshing(issuer: Pick<Issuer, 'refresh'>, upkeep: IssuerUpkeep): Promise<void> {
  const { what = 'the CA cannot be reached', refreshed, onOutcome, asked, log, signal, sleep = usualSleep } = upkeep;
  const refresh = async () => {
    await issuer.refresh().finally(asked);
    await refreshed?.();
  };
  await repeat(refresh, { what, everyMs: REFRESH_MS, ...(onOutcome && { onOutcome }), log, signal, sleep });
}

/** What it meets is known to the issuer, so nothing is logged here. */
async function keepProbing(issuer: Pick<Issuer, 'probe' | 'outage'>, upkeep: IssuerUpkeep): Promise<void> {
  const { asked, log, signal, sleep = usualSleep, monotonic = () => performance.now() } = upkeep;
  let probedAt = monotonic();
  const probe = async () => {
    if (issuer.outage === undefined && monotonic() - probedAt < PROBE_MS) return;
    probedAt = monotonic();
    await issuer.probe().finally(asked);
  };
  // The first refresh connects; a probe beside it would open the key a second time.
  await sleep(LOOK_MS, signal);
  await repeat(probe, { everyMs: LOOK_MS, backoff: { base: LOOK_MS, cap: LOOK_MS }, log, signal, sleep });
}
