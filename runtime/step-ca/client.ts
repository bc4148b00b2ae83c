/**
 * Client of step-ca's HTTP protocol, trusting nothing but the pinned roots.
 * @module
 */
import https from 'node:https';
import { canonicalPem, fingerprintOf } from '../x509/certificate.ts';
import { AutocertError } from '../lib/errors.ts';
import { type HttpsRequest, httpsJson } from '../lib/https.ts';
import type { JwkProvisioner } from './one-time-token.ts';
import type { Secret } from '../lib/secret.ts';
import { systemCodeOf } from '../lib/system-code.ts';

/** What the CA issued. */
export interface SignedCertificate {
  /** The leaf, PEM. */
  readonly certificatePem: string;
  /** Leaf first, then intermediates, each PEM. */
  readonly chainPem: readonly string[];
}

/** A certificate and its key, with which to prove to the CA who asks. */
export interface ClientIdentity {
  /** Leaf, then intermediates, PEM. */
  readonly certificatePem: string;
  /** PKCS#8, PEM. */
  readonly keyPem: Secret;
}

/** Settings of a {@link CaClient} that do not concern trust. */
export interface CaConnection {
  /** Base URL, such as `https://ca.step.svc.cluster.local`. */
  readonly url: string;
  /** Addresses by host name, asked before DNS. */
  readonly hostAliases?: ReadonlyMap<string, string>;
  /** Ends requests under way. */
  readonly signal?: AbortSignal;
  /** Milliseconds for one request. @default 10000 */
  readonly timeoutMs?: number;
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
 * `UNAVAILABLE`, a server or a root that is not the pinned one `UNTRUSTED`.
 */
export class CaClient {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** The pinned roots, each PEM. */
  readonly roots: readonly string[];
  readonly #transport: Pick<HttpsRequest, 'ca' | 'hostAliases' | 'signal' | 'timeoutMs'>;
  readonly #agent: https.Agent;

  constructor({ url, roots, connections, ...connection }: CaConnection & { readonly roots: readonly string[] }) {
    this.url = url.replace(/\/+$/, '');
    this.#agent = new https.Agent({ keepAlive: true, maxSockets: connections ?? Number.POSITIVE_INFINITY });
    this.roots = roots;
    this.#transport = { ...connection, ca: roots.join('\n') };
  }

  /**
   * Fetches each root that `fingerprints` (SHA-256, hex) name, from a server not yet trusted, and trusts those whose
   * fingerprint is the asked one. During a rotation the CA may lack one of them; it must have at least one.
   */
  static async bootstrap(options: CaConnection & { readonly fingerprints: readonly string[] }): Promise<CaClient> {
    const { fingerprints, ...connection } = options;
    const base = connection.url.replace(/\/+$/, '');
    const found = await Promise.all(fingerprints.map((fingerprint) => fetchRoot(base, fingerprint, connection)));
    const roots = found.filter((root) => root !== undefined);
    if (roots.length > 0) return new CaClient({ ...connection, roots });
    throw new AutocertError(
      'UNTRUSTED',
      `the CA at ${base} has no root certificate with the pinned fingerprint ${fingerprints.join(' or ')}: it is another CA, or its root was replaced`,
    );
  }

  /** Resolves when the CA says that it works. */
  async health(): Promise<void> {
    const { status } = await this.#call('/health');
    if (status !== 'ok') throw malformed(`${this.url}/health`, 'status "ok"');
  }

  /** Roots of this CA, each PEM: more than one during a rotation. */
  async fetchRoots(): Promise<readonly string[]> {
    return certificates((await this.#call('/1.0/roots')).crts, `${this.url}/1.0/roots`);
  }

  /** Roots of the CAs that this one is federated with, its own included. */
  async fetchFederation(): Promise<readonly string[]> {
    return certificates((await this.#call('/1.0/federation')).crts, `${this.url}/1.0/federation`);
  }

  /** The JWK provisioners; other kinds are left out. */
  async provisioners(): Promise<readonly JwkProvisioner[]> {
    const found: JwkProvisioner[] = [];
    let cursor = '';
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const query = cursor === '' ? '' : `?cursor=${encodeURIComponent(cursor)}`;
      const answer = await this.#call(`/1.0/provisioners${query}`);
      if (!Array.isArray(answer.provisioners)) throw malformed(`${this.url}/1.0/provisioners`, 'a list "provisioners"');
      found.push(...answer.provisioners.filter(isJwkProvisioner));
      cursor = typeof answer.nextCursor === 'string' ? answer.nextCursor : '';
      if (cursor === '') return found;
    }
    throw malformed(`${this.url}/1.0/provisioners`, `an end within ${MAX_PAGES} pages`);
  }

  /** The private key of the provisioner with this key id, as a JWE that its password opens. */
  async encryptedKey(kid: string): Promise<string> {
    const path = `/1.0/provisioners/${encodeURIComponent(kid)}/encrypted-key`;
    const { key } = await this.#call(path);
    if (typeof key !== 'string') throw malformed(`${this.url}${path}`, 'a string "key"');
    return key;
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
    return this.#issue('/1.0/sign', { json: { csr: csrPem, ott: token.reveal(), ...notAfter } });
  }

  /** A new certificate for the same names and the same key. */
  async renew(identity: ClientIdentity): Promise<SignedCertificate> {
    return this.#issue('/1.0/renew', { json: {}, ...credentials(identity) });
  }

  /** A new certificate for the same names and the key of this request. */
  async rekey(identity: ClientIdentity, csrPem: string): Promise<SignedCertificate> {
    return this.#issue('/1.0/rekey', { json: { csr: csrPem }, ...credentials(identity) });
  }

  /** Closes idle connections. The client stays usable. */
  close(): void {
    this.#agent.destroy();
  }

  async #issue(path: string, request: Partial<HttpsRequest>): Promise<SignedCertificate> {
    const answer = await this.#call(path, { method: 'POST', ...request });
    const chain = certificates(answer.certChain ?? [answer.crt, answer.ca], `${this.url}${path}`);
    const [certificatePem] = chain;
    if (certificatePem === undefined) throw malformed(`${this.url}${path}`, 'a certificate');
    return { certificatePem, chainPem: chain };
  }

  #call(path: string, request: Partial<HttpsRequest> = {}): Promise<Record<string, unknown>> {
    // A connection with a client certificate is not one to keep: the next one has another certificate.
    const agent = request.cert === undefined ? { agent: this.#agent } : {};
    return call({ ...this.#transport, ...agent, ...request, url: `${this.url}${path}` });
  }
}

async function fetchRoot(base: string, fingerprint: string, connection: CaConnection): Promise<string | undefined> {
  const { hostAliases, signal, timeoutMs } = connection;
  const url = `${base}/root/${fingerprint}`;
  const { status, body } = await httpsJson({
    url,
    insecure: true,
    ...(hostAliases && { hostAliases }),
    ...(signal && { signal }),
    ...(timeoutMs && { timeoutMs }),
  });
  if (status === 404) return undefined;
  const [root] = certificates([accepted(url, status, body).ca], url);
  if (root === undefined) throw malformed(url, 'a certificate "ca"');
  const actual = fingerprintOf(root);
  if (actual === fingerprint) return root;
  throw new AutocertError(
    'UNTRUSTED',
    `${base} gave a root certificate with the fingerprint ${actual} where ${fingerprint} is pinned: it is another CA, or someone is in between`,
  );
}

async function call(request: HttpsRequest): Promise<Record<string, unknown>> {
  const { status, body, retryAfterMs } = await httpsJson(request).catch((error: unknown) => {
    if (!isClientCertificateAlert(error)) throw error;
    throw new AutocertError('CA_REJECTED', `${request.url} does not accept the client certificate`, { cause: error });
  });
  return accepted(request.url, status, body, retryAfterMs);
}

function accepted(url: string, status: number, body: unknown, retryAfterMs?: number): Record<string, unknown> {
  const answer = isRecord(body) ? body : {};
  if (status >= 200 && status < 300) return answer;
  const message = typeof answer.message === 'string' ? `: ${answer.message.slice(0, 500)}` : '';
  const code = status >= 400 && status < 500 && !TRY_AGAIN.has(status) ? 'CA_REJECTED' : 'UNAVAILABLE';
  throw new AutocertError(code, `${url} answered ${status}${message}`, { status, retryAfterMs });
}

function certificates(value: unknown, url: string): string[] {
  const list = Array.isArray(value) ? value.filter((item) => item !== undefined && item !== null && item !== '') : [];
  if (list.length === 0) return [];
  const isList = list.length <= MAX_CERTIFICATES && list.every((item) => typeof item === 'string');
  if (!isList) throw malformed(url, `at most ${MAX_CERTIFICATES} PEM certificates`);
  return list.map((pem) => canonicalPem(pem, `what ${url} answered`));
}

function credentials(identity: ClientIdentity): Pick<HttpsRequest, 'cert' | 'key'> {
  return { cert: identity.certificatePem, key: identity.keyPem.reveal() };
}

/** OpenSSL reports the server's TLS alerts; these are about our certificate. */
function isClientCertificateAlert(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return /ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)/.test(systemCodeOf(cause));
}

function isJwkProvisioner(value: unknown): value is JwkProvisioner {
  if (!isRecord(value) || value.type !== 'JWK' || !isRecord(value.key)) return false;
  return [value.name, value.encryptedKey, value.key.kid].every((member) => typeof member === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function malformed(url: string, wanted: string): AutocertError {
  return new AutocertError('UNAVAILABLE', `${url} did not answer with ${wanted}`);
}
