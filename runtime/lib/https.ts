/**
 * The one small HTTPS client: JSON in, JSON out, TLS 1.2 or later, everything bounded in size and time.
 * @module
 */
import { lookup } from 'node:dns';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { AutocertError } from './errors.ts';
import { systemCodeOf } from './system-code.ts';

/** One request. */
export interface HttpsRequest {
  /** Must start with `https://`. */
  readonly url: string;
  /** @default 'GET' */
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `application/json`. */
  readonly json?: unknown;
  /** The only roots to trust, PEM. @default - those of Node.js */
  readonly ca?: string;
  /** Client certificate chain, PEM. */
  readonly cert?: string;
  /** Its key, PEM. */
  readonly key?: string;
  /** Addresses by host name, asked before DNS. */
  readonly hostAliases?: ReadonlyMap<string, string>;
  /** Milliseconds for the whole exchange. @default 10000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Keeps connections alive between requests. @default - one connection for this request */
  readonly agent?: https.Agent;
}

/** Answer to an {@link HttpsRequest}. */
export interface HttpsAnswer {
  readonly status: number;
  /** Parsed JSON; `undefined` when the body is empty, or not JSON in an answer that is no success. */
  readonly body: unknown;
  /** How long the server wants to be left alone (`Retry-After` in seconds), milliseconds; bounded by an hour. */
  readonly retryAfterMs: number | undefined;
}

const MAX_BODY = 1024 * 1024;
const TIMEOUT = 10_000;
/** Seconds. */
const MAX_RETRY_AFTER = 3600;

/**
 * Sends `request`. Any status is an answer; no answer (refused, reset, too slow, too large, not JSON) is an
 * {@link AutocertError} `UNAVAILABLE`, and a server whose certificate does not verify is `UNTRUSTED`.
 */
export async function httpsJson(request: HttpsRequest): Promise<HttpsAnswer> {
  const url = parseUrl(request.url);
  const payload = request.json === undefined ? undefined : JSON.stringify(request.json);
  try {
    const { status, text, retryAfter } = await exchange(url, request, payload).catch((error: unknown) => {
      // The server may close an idle connection just as it is used again; nothing was answered, so nothing was done.
      if (error instanceof StaleConnection) return exchange(url, { ...request, agent: undefined }, payload);
      throw error;
    });
    return { status, body: parseBody(status, text), retryAfterMs: parseRetryAfter(retryAfter) };
  } catch (error) {
    const cause = error instanceof StaleConnection ? error.cause : error;
    throw new AutocertError(isUntrusted(cause) ? 'UNTRUSTED' : 'UNAVAILABLE', `no answer from ${url.href}`, {
      cause: readable(cause),
    });
  }
}

class StaleConnection extends Error {}

function exchange(url: URL, request: Loosely<HttpsRequest>, payload: string | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = https.request(url, {
      method: request.method ?? 'GET',
      headers: { ...request.headers, ...(payload === undefined ? {} : jsonHeaders(payload)) },
      ca: request.ca,
      cert: request.cert,
      key: request.key,
      minVersion: 'TLSv1.2',
      agent: request.agent ?? false,
      ...(request.signal ? { signal: request.signal } : {}),
      ...(request.hostAliases?.size ? { lookup: aliasLookup(request.hostAliases) } : {}),
    });
    const giveUp = (message: string) => {
      reject(new Error(message));
      outgoing.destroy();
    };
    const limit = request.timeoutMs ?? TIMEOUT;
    const timer = setTimeout(() => giveUp(`it took longer than ${limit} ms`), limit);
    outgoing
      .on('close', () => clearTimeout(timer))
      .on('error', (error) => {
        const stale = outgoing.reusedSocket && systemCodeOf(error) === 'ECONNRESET';
        reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
      });
    outgoing.on('response', (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('error', reject).on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY) giveUp(`its answer is larger than ${MAX_BODY} bytes`);
        else chunks.push(chunk);
      });
      answer.on('end', () => {
        const retryAfter = answer.headers['retry-after'];
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString(), retryAfter });
      });
    });
    outgoing.end(payload);
  });
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

type Loosely<T> = { [K in keyof T]: T[K] | undefined };

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'https:') {
    throw new AutocertError('INVALID_CONFIG', `${JSON.stringify(text)} is not an https:// URL`);
  }
  return url;
}

function parseBody(status: number, text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    // A proxy's error page: the status says enough.
    if (status >= 300) return undefined;
    throw new Error(`it answered ${status}, but not with JSON: ${JSON.stringify(text.slice(0, 80))}`, { cause });
  }
}

/** Seconds only: the form with a date wants clocks that agree. */
function parseRetryAfter(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Math.min(Number(text), MAX_RETRY_AFTER) * 1000 : undefined;
}

function jsonHeaders(payload: string): Record<string, string> {
  return { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) };
}

function aliasLookup(aliases: ReadonlyMap<string, string>): LookupFunction {
  return (hostname, options, callback) => {
    const address = aliases.get(hostname.toLowerCase());
    if (address === undefined) return lookup(hostname, options, callback);
    const family = isIP(address);
    return options.all ? callback(null, [{ address, family }]) : callback(null, address, family);
  };
}

/** OpenSSL's names for what is wrong with a server's certificate. */
function isUntrusted(error: unknown): boolean {
  return /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT_)/.test(systemCodeOf(error));
}

/** The system's error in one line: OpenSSL's are a dump, and an AggregateError (several addresses) has no message. */
function readable(error: unknown): unknown {
  if (error instanceof AggregateError) {
    return new Error(error.errors.map((each: unknown) => (each instanceof Error ? each.message : each)).join(', '));
  }
  if (!(error instanceof Error && 'reason' in error && 'library' in error)) return error;
  return Object.assign(new Error(`TLS: ${error.reason}`), { code: systemCodeOf(error) });
}
