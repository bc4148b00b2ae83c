/**
 * What the agent does next. Pure: the time, chance, what is on disk and what was answered come in, a step comes out. The
 * worker acts on the steps in the world; a simulator does so for thousands of agents at once.
 * @module
 */
import type { RenewalInfo } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { type BackoffBounds, clamp, nextDelay, retryAfterMs } from '../lib/loops.ts';
import { issuedAt, renewalTime, USUAL_WINDOW } from '../policy/renewal.ts';
import type { Validity } from '../x509/certificate.ts';

/** The certificate on disk, as far as the schedule goes. */
export interface Holding {
  readonly validity: Validity;
  /** When it was obtained, by this machine's clock. */
  readonly obtainedAt: Date;
  /** Its place in the renewal window, in [0, 1). */
  readonly position: number;
  /** It was requested after everything issued before this time was to be replaced. */
  readonly replaces?: Date | undefined;
}

/** What is kept from one waking to the next. */
export interface Memory {
  /** Milliseconds of the last pause after a failure; absent: the last attempt did not fail. */
  readonly delayMs?: number | undefined;
  /** Nothing is asked of the endpoint before this time: it wants so, or signatures were wasted. Milliseconds since 1970. */
  readonly retryAt?: number | undefined;
  /** How often in a row renewal information could not be had. */
  readonly askFailures?: number | undefined;
  /** Since when every attempt has failed, milliseconds since 1970; absent: the last one did not. */
  readonly failingSince?: number | undefined;
  /** When the endpoint may be told again that attempts fail, milliseconds since 1970. */
  readonly reportAt?: number | undefined;
}

/** An attempt to obtain a certificate that failed. */
export interface Failure {
  readonly error: unknown;
  /** A certificate was issued, and is of no use: it does not verify, or could not be stored. */
  readonly wasted: boolean;
}

/** Everything that a decision depends on. */
export interface Situation {
  readonly now: Date;
  /** Absent: there is no certificate, or it is of no use whatever the time is. It may have expired. */
  readonly holding?: Holding | undefined;
  /** What the control plane said since waking, or why it said nothing; absent: it was not asked yet. */
  readonly info?: RenewalInfo | AutocertError | undefined;
  /** The attempt that has just failed. */
  readonly failure?: Failure | undefined;
  readonly memory: Memory;
  /** In [0, 1). */
  readonly random: () => number;
}

/** What to do. */
export type Step =
  /** Ask for renewal information; then ask again what to do, with `info`. */
  | { readonly do: 'ask' }
  /** Obtain a certificate; then ask again, with the new `holding` and `info`, or with `failure`. */
  | { readonly do: 'obtain'; readonly starting: boolean }
  /** Sleep; then start anew with this `memory`, without `info` and `failure`. */
  | {
      readonly do: 'sleep';
      readonly ms: number;
      readonly memory: Memory;
      /** Why this is a pause after a failure. */
      readonly problem?: unknown;
      /** It has lasted: the endpoint is to be told of it, before sleeping. */
      readonly report?: Plight;
    };

/** What is worth telling of a failure that lasts. */
export interface Plight {
  readonly since: Date;
  /** The certificate in hand is past the end of its renewal window by more than a tenth of its lifetime. */
  readonly late: boolean;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A pod waits for its certificate. */
const STARTING: BackoffBounds = { base: SECOND / 4, cap: 15 * SECOND };
/** A signature was wasted: the cause (a clock, a full disk) will not go away in a second. */
const WASTED: BackoffBounds = { base: 30 * SECOND, cap: 10 * MINUTE };
/** Shortest and longest pause after a success; the shell sleeps no longer either. */
const SHORTEST_SLEEP = SECOND;
const LONGEST_SLEEP = 10 * MINUTE;
/** Where renewal information could not be had. */
const USUAL_ASK_AGAIN = 4 * MINUTE;
const UNTOLD: Pick<RenewalInfo, 'suggestedWindow' | 'replace'> = { suggestedWindow: USUAL_WINDOW };
/** What a peer may ask for is bounded by an hour (`lib/https.ts`), and a tenth is added: more is a clock set back. */
const LONGEST_RETRY = 1.1 * HOUR;

/** An outage that is over within this time is nobody's business. */
const REPORTED_AFTER = HOUR;
/** Reports are this far apart; one that was not taken is tried again after the shorter time. */
const REPORT_EVERY = HOUR;
export const REPORT_AGAIN = 10 * MINUTE;

/** Decides. */
export function nextStep(situation: Situation): Step {
  const { now, holding, info, failure, memory } = situation;
  if (failure) return backOff(situation, failure);
  // Whole milliseconds, as clocks have them: whoever slept for less would find the time still to come.
  const wait = Math.ceil((memory.retryAt ?? 0) - now.getTime());
  if (wait > 0 && wait <= LONGEST_RETRY) return { do: 'sleep', ms: wait, memory };
  if (!holding || !isValid(holding.validity, now)) {
    const settled = holding ? Math.ceil(settledAt(holding, now) - now.getTime()) : 0;
    return settled > 0 ? { do: 'sleep', ms: settled, memory } : { do: 'obtain', starting: true };
  }
  if (info === undefined) return { do: 'ask' };
  const due = dueAt(holding, info, now) - now.getTime();
  if (due > 0) return untilDue(situation, due);
  // Where nobody answers, or wants to be left alone, a second request would be one too many.
  const useless = info instanceof AutocertError && (info.status === undefined || info.retryAfterMs !== undefined);
  return useless ? backOff(situation, { error: info, wasted: false }) : { do: 'obtain', starting: false };
}

/** Whether a certificate is valid at `now`. */
export function isValid({ notBefore, notAfter }: Validity, now: Date): boolean {
  return now >= notBefore && now <= notAfter;
}

/** When to renew, milliseconds since 1970. */
function dueAt(holding: Holding, info: RenewalInfo | AutocertError, now: Date): number {
  const { validity, position } = holding;
  const { suggestedWindow: window, replace } = info instanceof AutocertError ? UNTOLD : info;
  const from = new Date(Math.max(issuedAt(validity).getTime(), obtainedBy(now, holding)));
  const due = Math.max(renewalTime(validity, window, position, from).getTime(), settledAt(holding, now));
  return replace ? Math.min(due, replacedAt(holding, replace, now)) : due;
}

/** When a certificate is replaced early; never, if it was issued after the time in question. */
function replacedAt({ validity, position, replaces }: Holding, replace: Required<RenewalInfo>['replace'], now: Date) {
  const issuedBefore = Date.parse(replace.issuedBefore);
  // By cause, not by clock alone: the CA's may be behind that of whoever asked for the replacement.
  const issued = Math.max(issuedAt(validity).getTime(), replaces?.getTime() ?? 0);
  if (issued >= issuedBefore) return Number.POSITIVE_INFINITY;
  const withinMs = replace.withinSeconds * SECOND;
  // Much later than now it can be by this machine's clock only.
  return issuedBefore > now.getTime() + withinMs ? now.getTime() : issuedBefore + position * withinMs;
}

/** When the certificate was obtained; long ago, where the clock has been set back since. */
function obtainedBy(now: Date, { obtainedAt }: Holding): number {
  return obtainedAt > now ? 0 : obtainedAt.getTime();
}

/**
 * Until when a certificate is not renewed for its age alone. A clock that is hours ahead sees each new certificate as old,
 * or as expired after minutes.
 */
function settledAt(holding: Holding, now: Date): number {
  const obtained = obtainedBy(now, holding);
  const { validity } = holding;
  const lifetime = validity.notAfter.getTime() - issuedAt(validity).getTime();
  const left = validity.notAfter.getTime() - obtained;
  return obtained + Math.min(lifetime / 10, clamp(left / 2, 10 * MINUTE, HOUR));
}

function untilDue({ info, memory, random }: Situation, due: number): Step {
  const failed = info instanceof AutocertError;
  const askAgain = !info || failed ? USUAL_ASK_AGAIN : info.askAgainSeconds * SECOND;
  const ask = Math.max(askAgain * (0.75 + random() / 2), retryAfterMs(info) ?? 0);
  return {
    do: 'sleep',
    ms: clamp(Math.min(due, ask), SHORTEST_SLEEP, LONGEST_SLEEP),
    memory: failed ? { askFailures: (memory.askFailures ?? 0) + 1 } : {},
  };
}

function backOff(situation: Situation, { error, wasted }: Failure): Step {
  const { now, holding, memory, random } = situation;
  const valid = holding && isValid(holding.validity, now) ? holding.validity : undefined;
  const delayMs = nextDelay(memory.delayMs, random(), wasted ? WASTED : valid ? renewing(valid) : STARTING);
  const asked = retryAfterMs(error);
  const ms = Math.max(delayMs, (asked ?? 0) * (1 + random() / 10));
  const retryAt = wasted || asked !== undefined ? now.getTime() + ms : undefined;
  const { report, ...plight } = plightOf(situation);
  const next = { delayMs, retryAt, askFailures: memory.askFailures, ...plight };
  return { do: 'sleep', ms, memory: next, problem: error, ...(report && { report }) };
}

/** Since when it fails, and whether that is to be told now. A time to come is a clock that was set back. */
function plightOf({ now, holding, info, memory }: Situation) {
  const at = now.getTime();
  const failingSince = Math.min(memory.failingSince ?? at, at);
  const late = holding !== undefined && isLate(holding, info, now);
  const wait = (memory.reportAt ?? 0) - at;
  const isDue = (late || at - failingSince >= REPORTED_AFTER) && (wait <= 0 || wait > LONGEST_RETRY);
  if (!isDue) return { failingSince, reportAt: memory.reportAt };
  return { failingSince, reportAt: at + REPORT_EVERY, report: { since: new Date(failingSince), late } };
}

/** Whether a certificate ought to have been renewed, by a tenth of its lifetime and more. */
function isLate({ validity }: Holding, info: Situation['info'], now: Date): boolean {
  const { suggestedWindow: window } = info === undefined || info instanceof AutocertError ? UNTOLD : info;
  const lifetime = validity.notAfter.getTime() - issuedAt(validity).getTime();
  return now.getTime() > renewalTime(validity, window, 1).getTime() + lifetime / 10;
}

/** There is time, but never so much that a short lifetime runs out between two attempts. */
function renewing(validity: Validity): BackoffBounds {
  const lifetime = validity.notAfter.getTime() - validity.notBefore.getTime();
  return { base: SECOND, cap: clamp(lifetime / 20, SECOND, LONGEST_SLEEP) };
}
