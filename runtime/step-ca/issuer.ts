/**
 * The one issuer: has the CA sign what was judged, for the certificate endpoint, the signer and the webhook's own
 * certificate. It keeps what that takes (pinned roots, the provisioner's opened key, connections) and follows the files
 * and the CA it comes from while the program runs; what was good stays in use while that fails.
 *
 * It also knows whether the CA is away, so that nobody asks the API server anything for a certificate that cannot be had.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { CaConfig } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { clamp } from '../lib/loops.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import { MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { fingerprintOf, sameCertificates, splitPem, type Validity, verifyChain } from '../x509/certificate.ts';
import type { KeyRequest } from '../x509/certificate-request.ts';
import { CaClient } from './client.ts';
import type { TokenSigner } from './one-time-token.ts';
import { ProvisionerKey } from './provisioner-key.ts';

/** One certificate to be signed. */
export interface Order {
  readonly request: Pick<KeyRequest, 'csrPem' | 'fingerprint' | 'publicKey'>;
  /** Absent: the certificate has its names in the SAN alone. */
  readonly commonName?: string;
  readonly sans: readonly string[];
  /** From now on, milliseconds; the CA adds what it dates back. Absent: the CA's default. */
  readonly lifetimeMs?: number;
}

/** A certificate that was verified: for the order's key, leading to a trusted root, valid now. */
export interface IssuedCertificate {
  /** Leaf first, then intermediates, each PEM. */
  readonly chainPem: readonly string[];
  readonly validity: Validity;
  /** Hexadecimal. */
  readonly serial: string;
}

/** What is needed of an opened connection to the CA; a test gives its own. */
export interface CaSession {
  readonly ca: Pick<CaClient, 'sign' | 'health' | 'fetchRoots' | 'fetchFederation' | 'roots' | 'url' | 'close'>;
  readonly tokens: Pick<TokenSigner, 'mint'>;
}

/** Effects. */
export interface IssuerPorts {
  /** Opens a session that trusts the pinned roots and `announced`, those that the CA itself has announced since. */
  readonly open: (announced: readonly string[]) => Promise<CaSession>;
  readonly now: () => Date;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
}

/** Why no certificate can be had now, and since when (monotonic milliseconds). */
export interface Outage {
  readonly reason: string;
  readonly since: number;
}

/** Connections to the CA: what a CA with a core of its own signs at once. */
const CONNECTIONS = 4;
/** A wave of refusals must not open the key as many times. */
const REOPEN_AFTER_MS = 5000;
/** Bounds of the pause after a signature that failed, doubled each time: a CA may be healthy and yet sign nothing. */
const LEAST_HOLD_MS = 1_000;
const LONGEST_HOLD_MS = 60_000;
/** By this status the CA does not know our token's key (any more), or its clock differs: nothing that the pod has done. */
const TOKEN_REFUSED = 401;

/** See the module's header. */
export class Issuer {
  readonly #ports: IssuerPorts;
  #session: Promise<CaSession> | undefined;
  #anchors: readonly string[] = [];
  #openedAt = Number.NEGATIVE_INFINITY;
  #isStale = false;
  /** What the last session signed tokens with. */
  #tokens: CaSession['tokens'] | undefined;
  #announced: readonly string[] = [];
  #roots: readonly string[] = [];
  #outage: Outage | undefined;
  /** A signature that failed is not tried again sooner, however healthy the CA says it is. */
  #held = { until: Number.NEGATIVE_INFINITY, ms: 0 };

  constructor(ports: IssuerPorts) {
    this.#ports = ports;
    this.#outage = { reason: 'the CA has not been asked yet', since: ports.monotonic() };
  }

  /** `undefined`: certificates can be had, as far as is known. */
  get outage(): Outage | undefined {
    return this.#outage;
  }

  /** Roots that the CA itself is trusted by: pinned and announced ones, each PEM; empty until the pinned ones were read. */
  get anchors(): readonly string[] {
    return this.#anchors;
  }

  /** All roots that pods are to trust: pinned, announced and federated ones, each PEM; empty until they were read. */
  get roots(): readonly string[] {
    return this.#roots;
  }

  /**
   * Has the CA sign exactly this order, and verifies what it answers.
   * @throws AutocertError `UNAVAILABLE` (the CA is away, or does not know our key), `CA_REJECTED`, `UNTRUSTED`
   */
  async issue(order: Order): Promise<IssuedCertificate> {
    try {
      const session = await this.#current();
      const issued = await signed(session, order, this.#ports.now());
      this.#outage = undefined;
      this.#held = { until: Number.NEGATIVE_INFINITY, ms: 0 };
      return issued;
    } catch (error) {
      const failure = this.#failed(error);
      if (this.#outage && hasAnswered(error)) this.#hold();
      throw failure;
    }
  }

  /**
   * Reads the files again (a replaced root, password or provisioner is taken into use) and all roots. To be called at
   * start and then every minute.
   */
  async refresh(): Promise<void> {
    try {
      const { ca } = await this.#reopened();
      // One after the other: over one connection, which signing then finds open.
      const announced = await ca.fetchRoots();
      if (announced.length === 0) throw new AutocertError('UNAVAILABLE', `${ca.url} announces no roots`);
      const federated = await ca.fetchFederation();
      const isNews = !sameCertificates(announced, this.#announced);
      this.#announced = announced;
      if (isNews) await this.#reopened();
      this.#roots = unique([...this.#anchors, ...federated]);
      this.#answered();
    } catch (error) {
      // What is open stays in use: whether it works is for orders and probes to find out.
      throw this.#session && this.#roots.length > 0 ? error : this.#failed(error);
    }
  }

  /**
   * Uses every connection, so that the CA keeps them open (step-ca closes one that idles for 15 s) and an outage is
   * noticed, and its end. To be called every ten seconds, during an outage every other second.
   */
  async probe(): Promise<void> {
    if (this.#roots.length === 0) return this.refresh();
    try {
      const { ca } = await this.#current();
      await Promise.all(Array.from({ length: CONNECTIONS }, () => ca.health()));
      this.#answered();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /**
   * After a refusal that a stale key or root would explain: files and CA are read again before the next order or probe,
   * but not within five seconds of the last time.
   */
  invalidate(): void {
    this.#isStale = true;
  }

  /** A session from the files as they are now: the one at hand, with its connections, unless it differs. */
  async #reopened(): Promise<CaSession> {
    const old = await this.#session?.catch(() => undefined);
    const fresh = await this.#ports.open(this.#announced);
    this.#isStale = false;
    if (
      old &&
      old.tokens === fresh.tokens &&
      old.ca.url === fresh.ca.url &&
      sameCertificates(old.ca.roots, fresh.ca.roots)
    ) {
      fresh.ca.close();
      return old;
    }
    this.#openedAt = this.#ports.monotonic();
    this.#session = Promise.resolve(fresh);
    this.#use(fresh);
    return fresh;
  }

  #use({ ca, tokens }: CaSession): void {
    this.#anchors = ca.roots;
    if (tokens === this.#tokens) return;
    // Failures with another key say nothing of this one.
    this.#tokens = tokens;
    this.#held = { until: Number.NEGATIVE_INFINITY, ms: 0 };
  }

  /** The CA is there. Whether it signs, the next order finds out. */
  #answered(): void {
    if (this.#ports.monotonic() >= this.#held.until) this.#outage = undefined;
  }

  /** Waits longer after each failure; those of one wave count once. */
  #hold(): void {
    const now = this.#ports.monotonic();
    if (now < this.#held.until) return;
    const ms = clamp(2 * this.#held.ms, LEAST_HOLD_MS, LONGEST_HOLD_MS);
    this.#held = { until: now + ms, ms };
  }

  #failed(error: unknown): unknown {
    const known = error instanceof AutocertError ? error : undefined;
    const tokenRefused = known?.code === 'CA_REJECTED' && known.status === TOKEN_REFUSED;
    if (known?.code === 'CA_REJECTED' || known?.code === 'UNTRUSTED') this.invalidate();
    if (known?.code === 'CA_REJECTED' && !tokenRefused) return error;
    const reason = messageOf(error);
    this.#outage = { reason, since: this.#outage?.since ?? this.#ports.monotonic() };
    return tokenRefused ? new AutocertError('UNAVAILABLE', reason) : error;
  }

  async #current(): Promise<CaSession> {
    // What is under way on the old session ends by itself, as do its idle connections.
    if (this.#isStale && this.#ports.monotonic() - this.#openedAt > REOPEN_AFTER_MS) this.#session = undefined;
    if (!this.#session) {
      this.#isStale = false;
      this.#openedAt = this.#ports.monotonic();
      this.#session = this.#ports.open(this.#announced);
    }
    const session = this.#session;
    try {
      const opened = await session;
      this.#use(opened);
      return opened;
    } catch (error) {
      if (this.#session === session) this.#session = undefined;
      throw error;
    }
  }
}

/** Where nobody answers, a probe finds out that somebody does again; what the CA says of itself tells nothing of its signatures. */
function hasAnswered(error: unknown): boolean {
  return error instanceof AutocertError && (error.status !== undefined || error.code === 'UNTRUSTED');
}

async function signed({ ca, tokens }: CaSession, order: Order, now: Date): Promise<IssuedCertificate> {
  const { request, commonName, sans, lifetimeMs } = order;
  const token = await tokens.mint({
    // A token needs a subject; one that is too long for a common name is left out by the provisioner's template.
    subject: commonName ?? sans[0] ?? '',
    sans,
    caUrl: ca.url,
    rootFingerprint: fingerprintOf(ca.roots[0] ?? ''),
    csrFingerprint: request.fingerprint,
  });
  const { chainPem } = await ca.sign({
    csrPem: request.csrPem,
    token,
    ...(lifetimeMs !== undefined && { duration: lifetimeMs }),
  });
  verifyChain(chainPem, ca.roots, now);
  const leaf = new X509Certificate(chainPem[0] ?? '');
  if (!leaf.publicKey.equals(request.publicKey)) {
    throw new AutocertError('UNTRUSTED', 'the CA signed another key than that of the request');
  }
  const [, given = ''] = /^CN=(.*)$/m.exec(leaf.subject ?? '') ?? [];
  if (given.length > MAX_COMMON_NAME && commonName === undefined) {
    throw new AutocertError(
      'CA_REJECTED',
      `the CA put a name of more than ${MAX_COMMON_NAME} characters into the common name: give its provisioner the template in docs/constructs.md, or the pod a shorter name`,
    );
  }
  const validity = { notBefore: leaf.validFromDate, notAfter: leaf.validToDate };
  return { chainPem, validity, serial: leaf.serialNumber };
}

/** What opens sessions from the files of `config`; the key is opened again only when it is another. */
export function caOpener(config: () => CaConfig, log?: Log): IssuerPorts['open'] {
  const key = new ProvisionerKey(log);
  return async (announced) => {
    const { rootFile, caUrl, provisioner, provisionerPasswordFile, provisionerNextPasswordFile } = config();
    const pinned = splitPem(readTextFile(rootFile));
    if (pinned.length === 0) throw new AutocertError('INVALID_CONFIG', `${rootFile} holds no PEM certificate`);
    const ca = new CaClient({ url: caUrl, roots: unique([...pinned, ...announced]), connections: CONNECTIONS });
    const passwords: [Secret, ...Secret[]] = [passwordIn(provisionerPasswordFile)];
    if (provisionerNextPasswordFile !== undefined && existsSync(provisionerNextPasswordFile)) {
      passwords.push(passwordIn(provisionerNextPasswordFile));
    }
    return { ca, tokens: await key.refresh(ca, provisioner, passwords) };
  };
}

const passwordIn = (file: string) => new Secret(readTextFile(file).trimEnd());

function unique(roots: readonly string[]): readonly string[] {
  return [...new Map(roots.map((root) => [fingerprintOf(root), root])).values()];
}
