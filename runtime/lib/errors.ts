/**
 * Errors that code reacts to: by their code and status, never by their words. The message is for people: which thing,
 * what it got, what it wants, what to do.
 * @module
 */

/** Stable codes; they appear in logs and in answers of the certificate endpoint. */
export type ErrorCode =
  /** Input from outside is not what it must be: the caller has to change it. */
  | 'INVALID_INPUT'
  /** Configuration (file, flag, environment) is wrong: whoever deployed this has to change it. */
  | 'INVALID_CONFIG'
  /** The caller did not prove who it is. */
  | 'UNAUTHENTICATED'
  /** The caller is known and may not have what it asks for, as things are now. */
  | 'FORBIDDEN'
  /** The pod that this is about is being deleted, or has been. Nothing will come of asking again. */
  | 'GONE'
  /** The CA refused. */
  | 'CA_REJECTED'
  /** A peer cannot be reached or is not ready: worth trying again. */
  | 'UNAVAILABLE'
  /** A certificate, chain or key is not what it was pinned to be. */
  | 'UNTRUSTED'
  /** A password does not open what it was given for. */
  | 'WRONG_PASSWORD';

/** What goes with an {@link AutocertError}. */
export interface ErrorDetails extends ErrorOptions {
  /** HTTP status that a peer answered, or that this is answered with. */
  readonly status?: number;
  /** How long a peer wants to be left alone, milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** `reason` of a Kubernetes `Status`, such as `AlreadyExists`. */
  readonly reason?: string;
}

/** An error with a stable {@link ErrorCode}. */
export class AutocertError extends Error {
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message: string, { status, retryAfterMs, reason, ...options }: ErrorDetails = {}) {
    super(message, options);
    this.name = 'AutocertError';
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.reason = reason;
  }
}

/** Longest message that is logged or answered. */
export const MAX_MESSAGE = 4096;

/** The message of anything thrown, with the messages of its causes; at most {@link MAX_MESSAGE} characters. */
export function messageOf(error: unknown): string {
  const text = wholeMessage(error, 0);
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
}

/** Causes beyond these say nothing new. */
const MAX_CAUSES = 8;

function wholeMessage(error: unknown, depth: number): string {
  if (!(error instanceof Error)) return textOf(error);
  const cause = error.cause === undefined || depth >= MAX_CAUSES ? '' : `: ${wholeMessage(error.cause, depth + 1)}`;
  return `${textOf(error.message || error.name)}${cause}`;
}

/** Not everything has one: `String` throws for an object whose `toString` is no function, and for one without. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return 'what was thrown has no text';
  }
}
