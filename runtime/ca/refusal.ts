/**
 * How the CA says no, and with which HTTP status.
 * @module
 */
import { AutocertError, type ErrorCode } from '../lib/errors.ts';

/** The request is not what it must be. */
export const badRequest = (message: string) => new AutocertError('INVALID_INPUT', message);

/** Who asks did not prove that they may. */
export const unauthorized = (message: string) => new AutocertError('UNAUTHENTICATED', message);

/** Who asks is known and may not have this. */
export const forbidden = (message: string) => new AutocertError('FORBIDDEN', message);

/** There is nothing of that name. */
export const notFound = (message: string) => new AutocertError('INVALID_INPUT', message, { status: 404 });

const STATUS: Partial<Record<ErrorCode, number>> = { INVALID_INPUT: 400, UNAUTHENTICATED: 401, FORBIDDEN: 403 };

/** The status of a refusal; fastify's own errors (body too large, malformed URL) carry theirs; else 500. */
export function statusOf(error: unknown): number {
  if (error instanceof AutocertError) return error.status ?? STATUS[error.code] ?? 500;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}
