/**
 * Reads the body of a request: bounded in size, all bodies together as well. What does not fit is not read.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { JsonBounds, parseJson } from '../lib/bounded-json.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Shares } from '../lib/shares.ts';

/** Bounds of bodies. */
export interface BodyBounds {
  /** Largest one, bytes. */
  readonly limit: number;
  /** Bytes of all that are being read. */
  readonly inFlight: Shares;
}

/** For how long those are sent away whose body has no room, milliseconds. */
const NO_ROOM_MS = 1_000;

/**
 * The body as JSON; `undefined`: it is empty.
 * @throws AutocertError `INVALID_INPUT` (what it is or how much, status 413: its size), `UNAVAILABLE` with status 429: too many at once
 */
export async function readJsonBody(request: IncomingMessage, { limit, inFlight }: BodyBounds): Promise<unknown> {
  const peer = request.socket.remoteAddress ?? '';
  // Node lets nothing through that is no number.
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limit) throw tooLarge();
  const share = inFlight.take([peer], declared);
  if (!share) throw noRoom();
  try {
    const chunks: Buffer[] = [];
    const bounds = new JsonBounds();
    let size = 0;
    // The connection is still needed for the answer.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) throw tooLarge();
      if (size > declared && !share.more(chunk.length)) throw noRoom();
      if (bounds.add(chunk)) chunks.push(chunk);
      else chunks.length = 0; // the rest is read all the same: who still writes when the connection is closed reads no answer
    }
    if (bounds.excess) throw bounds.excess;
    return parseJson(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size));
  } finally {
    share.release();
  }
}

function tooLarge(): AutocertError {
  return new AutocertError('INVALID_INPUT', 'the body is larger than this path takes', { status: 413 });
}

function noRoom(): AutocertError {
  const message = 'too many bodies are being read already; come back later';
  return new AutocertError('UNAVAILABLE', message, { status: 429, retryAfterMs: NO_ROOM_MS });
}
