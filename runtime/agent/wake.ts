/**
 * One waking of the agent: looks at the files in hand, asks, obtains, stores, and tells how long to sleep. Short pauses it
 * sleeps itself, which costs less than another Node; for longer ones it ends, and the shell sleeps.
 * @module
 */
import { type FailureReport, MAX_REPORTED_REASON, type RenewalInfo } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { splitPem, summaryOf } from '../x509/certificate.ts';
import { createKeyAndRequest } from '../x509/csr.ts';
import { readState, writeState } from './agent-state.ts';
import { assertRoomForFiles, type CertificateSet, replaceCertificateFiles } from './certificate-files.ts';
import { type CurrentSet, readCurrentSet, replacedBefore, verifiedSet, withRoots } from './current-set.ts';
import {
  fetchRenewalInfo,
  readAttestationToken,
  readCertificateAnswer,
  requestCertificate,
  sendReport,
} from './endpoint-client.ts';
import { type Failure, nextStep, type Plight, REPORT_AGAIN } from './next-step.ts';
import type { AgentSettings } from './settings.ts';

/** What a waking needs. */
export interface WakeOptions {
  readonly settings: AgentSettings;
  /** Ends as soon as there is a valid certificate. */
  readonly once: boolean;
  readonly log: Log;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  /** Resolves after so many milliseconds. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** How a waking ends: exit codes of the worker, known to `agent.sh`. */
export const Outcome = {
  /** There is a valid certificate. The state says how long to sleep. */
  valid: 0,
  /** There is none yet. The state says how long to sleep. */
  failed: 1,
  /** The environment is wrong. */
  misconfigured: 2,
  /** The pod is being deleted. */
  gone: 3,
  /** Something unforeseen, or the state could not be written: nobody knows how long to sleep. */
  unknown: 4,
} as const;

/** Pauses below this are slept here. Milliseconds. */
const SHORT_PAUSE = 3_000;
/** Most pauses in one waking. */
const MAX_PAUSES = 10;

/** Runs one waking and gives back one of {@link Outcome}. */
export async function wake(options: WakeOptions): Promise<number> {
  const { settings, once, log, now, random, sleep } = options;
  let { memory, problem } = readState(settings.dir);
  let info: RenewalInfo | AutocertError | undefined;
  let failure: Failure | undefined;
  for (let pauses = 0; ; ) {
    const current = readCurrentSet(settings.dir, now());
    if (once && current.set) {
      writeState(settings.dir, 0, { memory: {} });
      return Outcome.valid;
    }
    const step = nextStep({ now: now(), holding: current.holding, info, failure, memory, random });
    if (step.do === 'ask') {
      info = await ask(options, current).catch(asAutocertError);
      if (info instanceof AutocertError) complain(log, info, memory.askFailures);
    } else if (step.do === 'obtain') {
      const answer = await obtain(options, current, info, step.starting);
      if ('error' in answer) failure = answer;
      else info = answer;
      if (failure?.error instanceof AutocertError && failure.error.code === 'GONE') {
        log.error({ code: 'GONE', reason: messageOf(failure.error) }, 'the pod is being deleted');
        return Outcome.gone;
      }
    } else {
      if (step.problem !== undefined) {
        logFailure(log, current, step.problem, step.ms);
        problem = messageOf(step.problem);
      }
      if (current.set) problem = undefined;
      ({ memory } = step);
      if (step.report && !(await report(options, current, step.report, step.problem))) {
        memory = { ...memory, reportAt: now().getTime() + REPORT_AGAIN * (0.5 + random()) };
      }
      const isWritten = writeState(settings.dir, step.ms, { memory, problem });
      pauses += 1;
      if (step.ms >= SHORT_PAUSE || pauses > MAX_PAUSES) {
        if (!isWritten) return Outcome.unknown;
        return current.set ? Outcome.valid : Outcome.failed;
      }
      await sleep(step.ms);
      info = undefined;
      failure = undefined;
    }
  }
}

/** Asks for renewal information, and takes over roots that have changed. */
async function ask({ settings, log, now }: WakeOptions, current: CurrentSet): Promise<RenewalInfo> {
  const info = await fetchRenewalInfo(transport(settings, current), settings.namespace);
  const { set } = current;
  try {
    const next = set && withRoots(set, info, now());
    if (next) {
      replaceCertificateFiles(settings.dir, next, settings.mode);
      log.info({ serial: summaryOf(next.certificate).serial }, 'roots replaced');
    }
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the roots cannot be replaced; keeping the current ones');
  }
  return info;
}

/** Obtains a certificate and stores it. Gives back the renewal information that came with it, or what went wrong. */
async function obtain(
  { settings, log, now }: WakeOptions,
  current: CurrentSet,
  info: RenewalInfo | AutocertError | undefined,
  starting: boolean,
): Promise<RenewalInfo | Failure> {
  let wasted = false;
  try {
    assertRoomForFiles(settings.dir, current.set && sizeOf(current.set));
    const attestation = readAttestationToken(settings.tokenFile);
    const { keyPem, csrPem } = await createKeyAndRequest();
    const request = starting ? { csr: csrPem, starting } : { csr: csrPem };
    const body = await requestCertificate(transport(settings, current), attestation, request);
    wasted = true;
    const answer = readCertificateAnswer(body);
    const known = info && !(info instanceof AutocertError) ? replacedBefore(info) : undefined;
    const trusted = [...settings.roots, ...splitPem(current.anchors)];
    const set = verifiedSet(answer, keyPem, trusted, now(), known);
    replaceCertificateFiles(settings.dir, set, settings.mode);
    const { problem } = readCurrentSet(settings.dir, now());
    if (problem !== undefined) throw new AutocertError('UNAVAILABLE', `the files cannot be read back: ${problem}`);
    log.info(describe(set), 'certificate written');
    return answer.renewal;
  } catch (error) {
    return { error, wasted };
  }
}

/** Tells the endpoint that this agent fails. Whether that works out makes no difference to the work itself. */
async function report(
  { settings, log }: WakeOptions,
  current: CurrentSet,
  { since, late }: Plight,
  problem: unknown,
): Promise<boolean> {
  const notAfter = current.holding?.validity.notAfter.toISOString();
  const code = problem instanceof AutocertError ? problem.code : undefined;
  const body: FailureReport = {
    reason: messageOf(problem).slice(0, MAX_REPORTED_REASON),
    since: since.toISOString(),
    late,
    ...(code !== undefined && { code }),
    ...(notAfter !== undefined && { notAfter }),
  };
  try {
    await sendReport(transport(settings, current), readAttestationToken(settings.tokenFile), body);
    return true;
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the failure could not be reported');
    return false;
  }
}

/** The endpoint is trusted by what the pod was given at its creation, and by what was learned since. */
function transport({ roots, autocertUrl, hostAliases }: AgentSettings, { anchors }: CurrentSet) {
  return { autocertUrl, hostAliases, ca: [...roots, anchors].join('') };
}

function asAutocertError(error: unknown): AutocertError {
  return error instanceof AutocertError ? error : new AutocertError('UNAVAILABLE', messageOf(error));
}

/** The first time, and ever more seldom while it lasts. */
function complain(log: Log, error: AutocertError, before = 0): void {
  const times = before + 1;
  if (Number.isInteger(Math.log2(times))) {
    log.warn({ code: error.code, reason: messageOf(error), times }, 'there is no renewal information');
  }
}

function logFailure(log: Log, { set, holding }: CurrentSet, error: unknown, ms: number): void {
  const code = error instanceof AutocertError ? error.code : undefined;
  const fields = { code, reason: messageOf(error), retryInMs: Math.round(ms) };
  if (set) log.warn({ ...fields, notAfter: holding?.validity.notAfter }, 'keeping the current certificate');
  else log.error(fields, 'no certificate yet');
}

function describe({ certificate, notAfter }: CertificateSet): object {
  const { serial, names } = summaryOf(certificate);
  return { serial, names, notAfter: notAfter.toISOString() };
}

function sizeOf({ certificate, roots, anchors }: CertificateSet): number {
  return certificate.length + roots.length + anchors.length;
}
