/**
 * The loop that obtains a set of files and keeps it fresh. It outlives every failure: the reason is logged, the last
 * good files stay, and only the stop signal ends it, or the end of the pod. All effects are {@link AgentPorts}.
 * @module
 */
import { summaryOf, type Validity, validityOf } from '../x509/certificate.ts';
import type { CertificateSet } from './certificate-files.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { backoffBounds, nextDelay, renewAt, renewIn } from '../lib/schedule.ts';
import type { Held } from './held.ts';

/** The world, as the loop sees it. */
export interface AgentPorts {
  readonly now: () => Date;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Resolves after `ms`, or as soon as the agent is to stop. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Aborted when the agent is to stop. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The set on disk. */
  readonly held: () => Held;
  readonly enroll: () => Promise<CertificateSet>;
  readonly renew: (inHand: CertificateSet) => Promise<CertificateSet>;
  /** Replaces the set on disk. */
  readonly store: (set: CertificateSet) => void;
}

/** A timer does not run while the machine sleeps, so the clock is looked at again at least this often. */
const LONGEST_SLEEP = 60_000;

/** Enrolls unless a good set is there. Resolves when it is, or when the agent is to stop. */
export async function obtainOnce(ports: AgentPorts): Promise<void> {
  if (adopt(ports) === undefined) await obtain(ports, ports.enroll);
}

/** Enrolls unless a good set is there, then renews for ever. Resolves when the agent is to stop. */
export async function keepFresh(ports: AgentPorts): Promise<void> {
  let validity = adopt(ports) ?? (await obtain(ports, () => refresh(ports)));
  while (validity !== undefined) {
    const due = ports.now().getTime() + renewIn(validity, ports.now(), ports.random());
    while (ports.now().getTime() < due && !ports.signal.aborted) {
      await ports.sleep(Math.min(due - ports.now().getTime(), LONGEST_SLEEP));
    }
    validity = await obtain(ports, () => refresh(ports));
  }
}

/** The set that an earlier run of this container left, unless it is due for renewal. */
function adopt({ held, now, log }: AgentPorts): Validity | undefined {
  const found = held();
  if (!found.usable || now() >= renewAt(found.validity, 0)) return undefined;
  log.info(describe(found.set), 'a valid certificate is there already');
  return found.validity;
}

/** Renews the set in hand; enrolls where there is none, or where the CA will have nothing of it. */
async function refresh({ held, renew, enroll, log }: AgentPorts): Promise<CertificateSet> {
  const found = held();
  if (!found.usable) return enroll();
  try {
    return await renew(found.set);
  } catch (error) {
    const isFinal = error instanceof AutocertError && (error.code === 'CA_REJECTED' || error.code === 'UNTRUSTED');
    if (!isFinal) throw error;
    log.warn({ reason: messageOf(error) }, 'the certificate cannot be renewed; enrolling again');
    return enroll();
  }
}

/**
 * Tries `issue` until it succeeds and its result is stored; `undefined` when the agent is to stop.
 *
 * A pod that is gone is the one thing not to wait out: while kubelet awaits the `postStart` hook it does not end the
 * pod (it starts and ends a pod in one thread of work), and nobody but the webhook can tell the agent that it should.
 * @throws AutocertError `GONE`
 */
async function obtain(ports: AgentPorts, issue: () => Promise<CertificateSet>): Promise<Validity | undefined> {
  let delay: number | undefined;
  while (!ports.signal.aborted) {
    try {
      const set = await issue();
      const validity = validityOf(set.certificate);
      ports.store(set);
      ports.log.info(describe(set), 'certificate written');
      return validity;
    } catch (error) {
      if (ports.signal.aborted) break;
      if (error instanceof AutocertError && error.code === 'GONE') throw error;
      delay = afterFailure(ports, error, delay);
      await ports.sleep(delay);
    }
  }
  return undefined;
}

function afterFailure({ held, random, log }: AgentPorts, error: unknown, previous: number | undefined): number {
  const found = held();
  const delay = Math.round(nextDelay(previous, random(), backoffBounds(found.usable ? found.validity : undefined)));
  const fields = {
    code: error instanceof AutocertError ? error.code : undefined,
    reason: messageOf(error),
    retryInMs: delay,
  };
  if (found.usable) log.warn({ ...fields, notAfter: found.validity.notAfter }, 'keeping the current certificate');
  else log.error(fields, 'no certificate yet');
  return delay;
}

function describe(set: CertificateSet): object {
  const { serial, names, notAfter } = summaryOf(set.certificate);
  return { serial, names, notAfter: notAfter.toISOString() };
}
