/**
 * How the client in `kubernetes.ts` talks on the wire: one exchange, bounded answers, lines of a watch, errors.
 * @module
 */
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { AutocertError, type ErrorCode, MAX_MESSAGE } from '../lib/errors.ts';

/** Largest answer, and largest object of a watch: a list of some thousand pods fits, a runaway peer does not. */
const MAX_BYTES = 64 * 2 ** 20;
const MAX_EVENT_BYTES = 4 * 2 ** 20;

/** The API server's refusal: HTTP status and the `reason` of its `Status` object. */
export function apiError(status: number, reason: string, message: string, retryAfterMs?: number): AutocertError {
  return new AutocertError(codeOf(status), message, { status, reason, retryAfterMs });
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'FORBIDDEN';
  return status === 429 || status >= 500 ? 'UNAVAILABLE' : 'INVALID_INPUT';
}

/** Sends a request, once more if the server had closed the kept connection before it could see it. */
export function exchange(
  url: URL,
  options: https.RequestOptions,
  payload?: Buffer,
  again = true,
): Promise<http.IncomingMessage> {
  return new Promise((resolvePromise, reject) => {
    const { request: open } = url.protocol === 'http:' ? http : https;
    const request = open(url, options, resolvePromise);
    request.on('timeout', () => request.destroy(new Error(`no answer for ${options.timeout} ms`)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      if (!stale || !again) return reject(error);
      return exchange(url, options, payload, false).then(resolvePromise, reject);
    });
    request.end(payload);
  });
}

/** A whole answer as text, bounded. */
export async function readAll(response: http.IncomingMessage, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(response, what)) {
    size += chunk.length;
    if (size > MAX_BYTES) throw unreachable(what, new Error(`the answer is larger than ${MAX_BYTES} bytes`));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A broken connection is no bug of the reader. */
async function* chunksOf(stream: Readable, what: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw unreachable(what, error);
  }
}

/** The lines of a stream, without the empty ones. */
export async function* lines(stream: Readable, what: string): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(stream, what)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString('utf8');
      parts = [];
      size = 0;
      start = end + 1;
      if (line.trim()) yield line;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > MAX_EVENT_BYTES) throw unreachable(what, new Error(`an event is larger than ${MAX_EVENT_BYTES} bytes`));
  }
}

/** What the API server sent, read as JSON. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreachable(what, new Error('the answer is not JSON', { cause: error }));
  }
}

/** The error for an answer that is not a success. */
export function refusal(status: number, text: string, what: string): AutocertError {
  let body: { readonly message?: unknown; readonly reason?: unknown } | null = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Proxies and authenticators in between answer in plain text.
  }
  const message = typeof body?.message === 'string' ? body.message.slice(0, MAX_MESSAGE) : text.slice(0, 300);
  const reason = typeof body?.reason === 'string' ? body.reason : '';
  return apiError(status, reason, `${what}: the API server answered ${status} ${reason}: ${message}`);
}

/** The error for no answer, or one that is not the API's. */
export function unreachable(what: string, cause: unknown): AutocertError {
  return new AutocertError('UNAVAILABLE', `${what}: the API server cannot be reached`, { cause });
}
