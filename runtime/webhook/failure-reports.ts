/**
 * What agents tell of their failures: an agent that has had no certificate for an hour says so, and so does one whose
 * certificate is late. Its pod gets an Event, and it counts as failing for as long as it goes on telling.
 *
 * Reports of a pod go to any replica, so what one replica knows is not the whole; docs/monitoring.md says what is.
 * @module
 */
import { type FailureReport, MAX_REPORTED_REASON } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import type { PodReference } from '../kubernetes/events.ts';
import { Allowance, Allowances } from '../lib/allowance.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Metrics } from '../lib/metrics.ts';
import { putNewest } from '../lib/newest.ts';
import { Faults, flag, object, optional, text, time } from '../lib/validator.ts';
import type { Claim } from '../policy/judgement.ts';
import { type Attestation, review } from './attestation.ts';

/** What it takes. */
export interface FailureReportPorts {
  readonly api: Pick<KubernetesApi, 'create'>;
  readonly recordEvent: (pod: PodReference, reason: string, message: string) => void;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** A report, and whose it is. */
interface Taken {
  readonly claim: Claim;
  readonly report: FailureReport;
}

/** What is kept of a pod's last report. */
interface Kept {
  readonly at: number;
  readonly late: boolean;
  /** Unix time, seconds. */
  readonly notAfter: number | undefined;
}

/** An agent reports once an hour: after two that did not come it is taken for well, or gone. */
const KEPT_MS = 2.5 * 3_600_000;
/** Pods that are remembered; beyond them the oldest report is forgotten. */
const MAX_KEPT = 20_000;
/** Each report costs the API server a TokenReview. */
const ALL = { perSecond: 10, burst: 100 } as const;
/** One address, which may be a node's with a hundred pods behind it, gets a part of that, so that it silences nobody. */
const ADDRESS = { perSecond: 1, burst: 20 } as const;
/** An agent reports once an hour. One that does so sooner was restarted, or means no good. */
const POD_EVERY_MS = 600_000;
/** Those for whom there was no room come again: half of them sooner, half later. */
const COME_BACK_MS = 300_000;

/** A code of {@link AutocertError}, of this version or another. */
const CODE = /^[A-Z_]{1,32}$/;

/** Refusals that come when it is known whose they are: the pod has had an Event for each already. */
const TOLD: readonly (string | undefined)[] = ['FORBIDDEN', 'CA_REJECTED'];

const checkReport = object({
  reason: text,
  code: optional(text),
  since: time,
  notAfter: optional(time),
  late: optional(flag),
});

/** Takes reports; see the module's header. */
export class FailureReports {
  readonly #ports: FailureReportPorts;
  readonly #allowance: Allowance;
  readonly #addresses: Allowances;
  /** By the pod's UID, oldest first. */
  readonly #kept = new Map<string, Kept>();

  constructor(ports: FailureReportPorts) {
    this.#ports = ports;
    this.#allowance = new Allowance(ports.monotonic, ALL);
    this.#addresses = new Allowances(ports.monotonic, ADDRESS);
  }

  /**
   * Takes one report, of the pod that the token proves. Gives back whose it is, and the report.
   * @param address of whoever sends it
   * @throws AutocertError `INVALID_INPUT`, `UNAUTHENTICATED`, `UNAVAILABLE` (too many at once, or no API server)
   */
  async take(attestation: Attestation, body: unknown, address: string): Promise<Taken> {
    const report = readReport(body);
    if (!this.#addresses.take(address) || !this.#allowance.take()) throw this.#tooMany();
    const claim = await review(this.#ports.api, attestation);
    const { namespace, podName: name, podUID: uid } = claim;
    const last = this.#kept.get(uid);
    if (last && this.#ports.monotonic() - last.at < POD_EVERY_MS) throw this.#tooMany();
    this.#keep(uid, report);
    if (!TOLD.includes(report.code)) {
      this.#ports.recordEvent({ namespace, name, uid }, 'CertificateNotObtained', sentence(report));
    }
    return { claim, report };
  }

  /** The pod has a certificate: as far as this replica knows its agent fails no more. */
  recovered(podUID: string): void {
    this.#kept.delete(podUID);
  }

  /** Adds the gauges of what is known. */
  addGauges(metrics: Metrics): void {
    const delivery = 'sidecar';
    metrics.observed('agents_failing', 'Agents that have reported, within 2.5 hours, that they fail.', [], () => {
      return [{ labels: {}, value: this.#current().length }];
    });
    metrics.observed('certificates_late', 'Certificates that ought to have been renewed.', ['delivery'], () => {
      return [{ labels: { delivery }, value: this.#current().filter(({ late }) => late).length }];
    });
    const help = 'Earliest notAfter of pods’ certificates, as far as it is known, Unix time.';
    metrics.observed('leaf_earliest_not_after_timestamp_seconds', help, ['delivery'], () => {
      const times = this.#current().flatMap(({ notAfter }) => notAfter ?? []);
      return times.length === 0 ? [] : [{ labels: { delivery }, value: Math.min(...times) }];
    });
  }

  #tooMany(): AutocertError {
    const retryAfterMs = COME_BACK_MS * (0.5 + this.#ports.random());
    return new AutocertError('UNAVAILABLE', 'too many reports; come back later', { status: 429, retryAfterMs });
  }

  #keep(uid: string, { late = false, notAfter }: FailureReport): void {
    const expiry = notAfter === undefined ? undefined : Date.parse(notAfter) / 1000;
    putNewest(this.#kept, uid, { at: this.#ports.monotonic(), late, notAfter: expiry }, MAX_KEPT);
  }

  #current(): readonly Kept[] {
    const since = this.#ports.monotonic() - KEPT_MS;
    for (const [uid, { at }] of this.#kept) {
      if (at >= since) break;
      this.#kept.delete(uid);
    }
    return [...this.#kept.values()];
  }
}

/** The report and nothing else, its text bounded and printable. */
function readReport(body: unknown): FailureReport {
  try {
    checkReport(body);
  } catch (error) {
    const problem = error instanceof Faults ? error.list.join('; ') : messageOf(error);
    throw new AutocertError('INVALID_INPUT', `the report: ${problem}`);
  }
  const { reason, code, since, notAfter, late } = body as FailureReport;
  return {
    reason: reason.slice(0, MAX_REPORTED_REASON).replace(/\p{Cc}+/gu, ' '),
    since,
    ...(code !== undefined && CODE.test(code) && { code }),
    ...(notAfter !== undefined && { notAfter }),
    ...(late !== undefined && { late }),
  };
}

function sentence({ reason, since, notAfter, late = false }: FailureReport): string {
  const holding = notAfter === undefined ? 'there is none' : `the one in use expires at ${notAfter}`;
  return `no certificate could be obtained since ${since}; ${holding}${late ? ', and is late' : ''}: ${reason}`;
}
