/**
 * Structured logs: one JSON line an event, on standard output, in the shape that pino has. The agent uses this writer
 * (pino would cost it a tenth of its start-up); the webhook and the signer pass their pino logger instead.
 * @module
 */

/** What every part of the runtime logs with; a pino logger is one. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Numbers of the levels, as pino has them. */
const LEVELS = { info: 30, warn: 40, error: 50 } as const;

/** A logger that writes JSON lines; `fields` go into each of them. */
export function jsonLog(fields: object, write: (line: string) => void = (line) => process.stdout.write(line)): Log {
  const at = (level: keyof typeof LEVELS) => (event: object, message: string) =>
    write(`${JSON.stringify({ level: LEVELS[level], time: Date.now(), ...fields, ...event, msg: message })}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
