/**
 * Client of step-ca's HTTP protocol, trusting nothing but the roots that it is given.
 * @module
 */
import https from 'node:https';
import { AutocertError } from '../lib/errors.ts';
import { type HttpsRequest, httpsJson } from '../lib/https.ts';
import type { Secret } from '../lib/secret.ts';
import { isRecord } from '../lib/validator.ts';
import { canonicalPem } from '../x509/certificate.ts';
import type { JwkProvisioner } from './one-time-token.ts';

/** What the CA issued. */
export interface SignedCertificate {
  /** Leaf first, then intermediates, each PEM. */
  readonly chainPem: readonly string[];
}

/** Settings of a {@link CaClient}. */
export interface CaClientOptions {
  /** Base URL, such as `https://ca.step.svc.cluster.local`. */
  readonly url: string;
  /** The only roots to trust, each PEM. */
  readonly roots: readonly string[];
  /** Connections at once at most; requests beyond them wait for one. @default - as many as there are requests */
  readonly connections?: number;
}

/** More than any CA has; a list that is longer is no answer. */
const MAX_CERTIFICATES = 100;
const MAX_PAGES = 1_000;

/** Statuses by which a CA says "not now" rather than "no". */
const TRY_AGAIN = new Set([408, 425, 429]);

/**
 * A CA whose roots are known. Refusals are {@link AutocertError} `CA_REJECTED` with the CA's own words, outages
 * `UNAVAILABLE`, a server of another root `UNTRUSTED`.
 */
export class CaClient {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** The roots that are trusted, each PEM. */
  readonly roots: readonly string[];
  readonly #transport: Pick<HttpsRequest, 'ca' | 'agent'>;
  readonly #agent: https.Agent;

  constructor({ url, roots, connections = Number.POSITIVE_INFINITY }: CaClientOptions) {
    this.url = url.replace(/\/+$/, '');
    this.roots = roots;
    this.#agent = new https.Agent({ keepAlive: true, maxSockets: connections });
    this.#transport = { ca: roots.join('\n'), agent: this.#agent };
  }

  /** Resolves when the CA says that it works. */
  async health(): Promise<void> {
    const { status } = await this.#call('/health');
    if (status !== 'ok') throw this.#malformed('/health', 'status "ok"');
  }

  /** Roots of this CA, each PEM: more than one during a rotation. */
  fetchRoots(): Promise<readonly string[]> {
    return this.#certificates('/1.0/roots');
  }

  /** Roots of the CAs that this one is federated with, its own included. */
  fetchFederation(): Promise<readonly string[]> {
    return this.#certificates('/1.0/federation');
  }

  /** The JWK provisioners; other kinds are left out. */
  async provisioners(): Promise<readonly JwkProvisioner[]> {
    const path = '/1.0/provisioners';
    const found: JwkProvisioner[] = [];
    let cursor = '';
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const query = cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`;
      const answer = await this.#call(`${path}${query}`);
      if (!Array.isArray(answer.provisioners)) throw this.#malformed(path, 'a list "provisioners"');
      found.push(...answer.provisioners.filter(isJwkProvisioner));
      cursor = typeof answer.nextCursor === 'string' ? answer.nextCursor : '';
      if (cursor === '') return found;
    }
    throw this.#malformed(path, `an end within ${MAX_PAGES} pages`);
  }

  /**
   * Trades a one-time token for a certificate.
   * @param request `duration`: milliseconds from now; the CA adds the minute by which it back-dates
   */
  async sign(request: {
    readonly csrPem: string;
    readonly token: Secret;
    readonly duration?: number;
  }): Promise<SignedCertificate> {
    const { csrPem, token, duration } = request;
    const notAfter = duration === undefined ? {} : { notAfter: `${Math.round(duration / 1000)}s` };
    const path = '/1.0/sign';
    const json = { csr: csrPem, ott: token.reveal(), ...notAfter };
    const { certChain, crt, ca } = await this.#call(path, { method: 'POST', json });
    const chainPem = this.#pems(path, certChain ?? [crt, ca]);
    if (chainPem.length === 0) throw this.#malformed(path, 'a certificate');
    return { chainPem };
  }

  /** Closes idle connections. The client stays usable. */
  close(): void {
    this.#agent.destroy();
  }

  async #certificates(path: string): Promise<readonly string[]> {
    return this.#pems(path, (await this.#call(path)).crts);
  }

  #pems(path: string, value: unknown): string[] {
    const list = Array.isArray(value) ? value.filter((item) => item !== undefined && item !== null && item !== '') : [];
    if (list.length > MAX_CERTIFICATES || !list.every((item) => typeof item === 'string')) {
      throw this.#malformed(path, `at most ${MAX_CERTIFICATES} PEM certificates`);
    }
    return list.map((pem) => canonicalPem(pem, `what ${this.url}${path} answered`));
  }

  async #call(path: string, request: Partial<HttpsRequest> = {}): Promise<Readonly<Record<string, unknown>>> {
    const url = `${this.url}${path}`;
    const { status, body, retryAfterMs } = await httpsJson({ ...this.#transport, ...request, url });
    const answer = isRecord(body) ? body : {};
    if (status >= 200 && status < 300) return answer;
    const message = typeof answer.message === 'string' ? `: ${answer.message.slice(0, 500)}` : '';
    const code = status >= 400 && status < 500 && !TRY_AGAIN.has(status) ? 'CA_REJECTED' : 'UNAVAILABLE';
    throw new AutocertError(code, `${url} answered ${status}${message}`, { status, retryAfterMs });
  }

  #malformed(path: string, wanted: string): AutocertError {
    return new AutocertError('UNAVAILABLE', `${this.url}${path} did not answer with ${wanted}`);
  }
}

function isJwkProvisioner(value: unknown): value is JwkProvisioner {
  if (!isRecord(value) || value.type !== 'JWK' || !isRecord(value.key)) return false;
  return [value.name, value.encryptedKey, value.key.kid].every((member) => typeof member === 'string');
}
