/**
 * The log of a server program: pino, one JSON line an event on standard output. The one place that knows pino.
 * @module
 */
import { pino } from 'pino';
import { boundedLog, type Log } from './log.ts';

/** Fields that never reach a log, whoever passes them by mistake; `Secret` values redact themselves. */
const NEVER = ['token', 'password', 'key', 'keyPem', 'authorization'];

/** A logger whose lines carry `component`. */
export function serverLog(component: string, destination?: { write(line: string): void }): Log {
  const options = { base: { component }, redact: NEVER.flatMap((name) => [name, `*.${name}`]) };
  return boundedLog(destination ? pino(options, destination) : pino(options));
}
