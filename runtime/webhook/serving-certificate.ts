/**
 * The webhook's own certificate: from the CA, by the issuer that pods' certificates come from; a new key each time,
 * renewed before two thirds of its life are gone, when `autocert renew` asks for it, and when its root is trusted no more;
 * swapped in under open connections. The one in hand stays in use while a renewal fails.
 * @module
 */
import { createPublicKey } from 'node:crypto';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { clamp } from '../lib/loops.ts';
import { MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { renewalTime, USUAL_WINDOW } from '../policy/renewal.ts';
import type { Issuer } from '../step-ca/issuer.ts';
import { leadsTo, type Validity } from '../x509/certificate.ts';
import { createKeyAndRequest } from '../x509/csr.ts';
import type { ServingPair } from './placeholder-certificate.ts';

/** What it takes. */
export interface ServingPorts {
  readonly issuer: Pick<Issuer, 'issue' | 'outage' | 'anchors'>;
  /** DNS names; the first that is short enough is the common name. */
  readonly names: () => readonly string[];
  /** Unix time, milliseconds: one that was issued before is to be replaced now. */
  readonly replaceBefore: () => number;
  /** Takes a certificate into use. */
  readonly install: (pair: ServingPair, validity: Validity) => void;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** Least time between two certificates, whatever the clock says of them: a twentieth of the lifetime, within these. */
const LEAST_INTERVAL_MS = 1_000;
const LONGEST_INTERVAL_MS = 3_600_000;

/** The last attempt: when, for which names, how long to leave the CA alone after it, and why it failed. */
interface Attempt {
  readonly at: number;
  readonly names: string;
  readonly pauseMs: number;
  readonly problem?: unknown;
}

/** Keeps the certificate; see the module's header. */
export class ServingCertificate {
  readonly #ports: ServingPorts;
  #validity: Validity | undefined;
  #chain: readonly string[] = [];
  #names = '';
  #obtainedAt = 0;
  #due = 0;
  /** The roots that it was last held against, and when they were first found not to be its own. */
  #anchors: readonly string[] = [];
  #untrustedSince = 0;
  #last: Attempt | undefined;

  constructor(ports: ServingPorts) {
    this.#ports = ports;
  }

  /** Whether there is one that is valid now. */
  get isValid(): boolean {
    return this.#validity !== undefined && this.#validity.notAfter > this.#ports.now();
  }

  /** Why the last attempt failed; `undefined`: it did not. */
  get problem(): string | undefined {
    return this.#last?.problem === undefined ? undefined : messageOf(this.#last.problem);
  }

  /** Obtains one where there is none, or it is due or to be replaced, or for other names. To be called every second or so. */
  async keep(): Promise<void> {
    const { now, issuer, log } = this.#ports;
    const names = this.#ports.names().join();
    const last = this.#last;
    const replaceBefore = Math.max(this.#ports.replaceBefore(), this.#lostTrustAt());
    const isCurrent = now().getTime() < this.#due && this.#obtainedAt >= replaceBefore;
    if (this.#validity && this.#names === names && isCurrent) return;
    // A clock that is wrong, by less than the lifetime or by more, must not cost a certificate a second.
    if (last?.names === names && last.at >= replaceBefore && Math.abs(now().getTime() - last.at) < last.pauseMs) {
      if (last.problem !== undefined) throw last.problem;
      return;
    }
    if (issuer.outage) throw new AutocertError('UNAVAILABLE', issuer.outage.reason);
    try {
      const validity = await this.#obtain();
      this.#last = { at: now().getTime(), names, pauseMs: leastInterval(validity) };
    } catch (problem) {
      const reason = messageOf(problem);
      if (reason !== this.problem) log.warn({ reason }, 'no serving certificate');
      this.#last = { at: now().getTime(), names, pauseMs: pauseAfter(problem, last), problem };
      throw problem;
    }
  }

  /** The API server trusts the CA's roots and no others. Looked at once for each set of roots. */
  #lostTrustAt(): number {
    const { issuer, now } = this.#ports;
    if (this.#anchors !== issuer.anchors) {
      this.#anchors = issuer.anchors;
      if (this.#validity && !leadsTo(this.#chain, this.#anchors, now())) this.#untrustedSince = now().getTime();
    }
    return this.#untrustedSince;
  }

  async #obtain(): Promise<Validity> {
    const { issuer, names, install, now, random, log } = this.#ports;
    const sans = names();
    const commonName = sans.find((name) => name.length <= MAX_COMMON_NAME);
    const { keyPem, ...request } = await createKeyAndRequest();
    const publicKey = createPublicKey(keyPem.reveal());
    const { chainPem, validity, serial } = await issuer.issue({
      request: { ...request, publicKey },
      sans,
      ...(commonName !== undefined && { commonName }),
    });
    install({ certificatePem: chainPem.join(''), keyPem }, validity);
    this.#validity = validity;
    this.#chain = chainPem;
    this.#obtainedAt = now().getTime();
    this.#names = sans.join();
    this.#due = renewalTime(validity, USUAL_WINDOW, random()).getTime();
    log.info({ serial, names: sans, notAfter: validity.notAfter }, 'serving certificate obtained');
    return validity;
  }
}

function leastInterval({ notBefore, notAfter }: Validity): number {
  return clamp((notAfter.getTime() - notBefore.getTime()) / 20, LEAST_INTERVAL_MS, LONGEST_INTERVAL_MS);
}

/** A certificate that was signed and does not verify (a clock again) costs the CA as much as one that does. */
function pauseAfter(problem: unknown, last: Attempt | undefined): number {
  const isWasted = problem instanceof AutocertError && problem.code === 'UNTRUSTED';
  const before = last?.problem === undefined ? 0 : last.pauseMs;
  return isWasted ? clamp(2 * before, LEAST_INTERVAL_MS, LONGEST_INTERVAL_MS) : 0;
}
