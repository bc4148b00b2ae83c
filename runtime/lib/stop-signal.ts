/**
 * Turns SIGTERM and SIGINT into an `AbortSignal`, so that loops end in order and the process exits with code 0.
 * @module
 */

/** Aborts at the first SIGTERM or SIGINT of this process. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
