/**
 * Errors that code reacts to. The message is for people: which thing, what it got, what it wants, what to do.
 * @module
 */

/** Stable codes; they appear in logs and in answers of the token endpoint. */
export type ErrorCode =
  /** Input from outside is not what it must be: the caller has to change it. */
  | 'INVALID_INPUT'
  /** Configuration (file, flag, environment) is wrong: whoever deployed this has to change it. */
  | 'INVALID_CONFIG'
  /** The caller did not prove who it is. */
  | 'UNAUTHENTICATED'
  /** The caller is known and may not have what it asks for. */
  | 'FORBIDDEN'
  /** The pod that this is about is being deleted, or has been. Nothing will come of asking again. */
  | 'GONE'
  /** The CA refused. Asking again with the same input will not help. */
  | 'CA_REJECTED'
  /** A peer cannot be reached or is not ready: worth trying again. */
  | 'UNAVAILABLE'
  /** A certificate, chain or key is not what it was pinned to be. */
  | 'UNTRUSTED'
  /** A password does not open what it was given for. */
  | 'WRONG_PASSWORD';

/** An error with a stable {@link ErrorCode}. */
export class AutocertError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AutocertError';
    this.code = code;
  }
}

/** The message of anything thrown, with the messages of its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `: ${messageOf(error.cause)}`;
  return `${error.message || error.name}${cause}`;
}
