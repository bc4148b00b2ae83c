/**
 * A CA in memory behind the real issuer: keys, requests, one-time tokens, certificates and their verification are real;
 * what is not there is the network.
 * @module
 */
import { decodeJwt } from 'jose';
import { Secret } from '../../runtime/lib/secret.ts';
import { MAX_COMMON_NAME } from '../../runtime/policy/lifetimes.ts';
import { Issuer, type IssuerPorts } from '../../runtime/step-ca/issuer.ts';
import { createProvisioner, TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { fingerprintOf } from '../../runtime/x509/certificate.ts';
import { readKeyRequestPem } from '../../runtime/x509/certificate-request.ts';
import { type IssueOptions, issue } from './tiny-ca.ts';

/** What it was asked to sign: the claims of the token, and the lifetime beside it. */
export interface Signature {
  readonly commonName: string;
  readonly sans: readonly string[];
  /** Milliseconds; absent: the CA's default was asked for. */
  readonly lifetimeMs?: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const password = new Secret('a password');
/** Opening a provisioner's key takes its time: once for all tests of a file. */
const tokens = createProvisioner('autocert', password).then((provisioner) => TokenSigner.open(provisioner, password));

/** See the module's header. */
export class MemoryCa {
  readonly #now: () => Date;
  #root = issue('Test Root CA', forYears({ ca: true }));
  #intermediate = issue('Test Intermediate CA', forYears({ ca: true, issuer: this.#root }));
  /** All signatures so far. */
  readonly signatures: Signature[] = [];
  /** How often it was called. */
  calls = 0;
  /** Thrown by every call; absent: it works. */
  failure: Error | undefined;
  /** Thrown by signing alone. */
  refusal: Error | undefined;
  /** Roots of other CAs that it is federated with. */
  federated: readonly string[] = [];
  /** What the next leaves look like. */
  leaf: IssueOptions = {};
  /** Milliseconds. */
  defaultLifetime = DAY;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Another root takes the place of this one, which is trusted no more. */
  replaceRoot(): void {
    this.#root = issue('Test Root CA 2', forYears({ ca: true }));
    this.#intermediate = issue('Test Intermediate CA 2', forYears({ ca: true, issuer: this.#root }));
  }

  /** PEM. */
  get root(): string {
    return this.#root.certificatePem;
  }

  /** The real issuer on this CA; its CA has not been asked yet. */
  issuer(ports: Omit<IssuerPorts, 'open'>): Issuer {
    return new Issuer({ ...ports, open: async () => ({ ca: this.#client(), tokens: await tokens }) });
  }

  #client() {
    const answer = async <T>(value: () => T): Promise<T> => {
      this.calls += 1;
      if (this.failure) throw this.failure;
      return value();
    };
    return {
      url: 'https://ca.step.svc',
      roots: [this.root],
      health: () => answer(() => {}),
      fetchRoots: () => answer(() => [this.root]),
      fetchFederation: () => answer(() => [this.root, ...this.federated]),
      sign: (request: { csrPem: string; token: Secret; duration?: number }) => answer(() => this.#sign(request)),
      close: () => {},
    };
  }

  #sign({ csrPem, token, duration }: { csrPem: string; token: Secret; duration?: number }) {
    if (this.refusal) throw this.refusal;
    const { publicKey, fingerprint } = readKeyRequestPem(csrPem, 'csr');
    const { sub = '', sans, sha, cnf } = decodeJwt<{ sans: string[]; sha: string; cnf: object }>(token.reveal());
    const bound = { 'x5rt#S256': fingerprint };
    if (sha !== fingerprintOf(this.root) || JSON.stringify(cnf) !== JSON.stringify(bound)) {
      throw new Error('the token is for another CA or another request');
    }
    this.signatures.push({ commonName: sub, sans, ...(duration !== undefined && { lifetimeMs: duration }) });
    const now = this.#now().getTime();
    const { certificatePem } = issue(sub.length > MAX_COMMON_NAME ? '' : sub, {
      issuer: this.#intermediate,
      names: sans,
      publicKey,
      notBefore: new Date(now - MINUTE),
      notAfter: new Date(now + (duration ?? this.defaultLifetime)),
      ...this.leaf,
    });
    return { certificatePem, chainPem: [certificatePem, this.#intermediate.certificatePem] };
  }
}

/** A test's clock may be years ahead. */
function forYears(options: IssueOptions): IssueOptions {
  const now = Date.now();
  return { ...options, notBefore: new Date(now - 365 * DAY), notAfter: new Date(now + 20 * 365 * DAY) };
}
