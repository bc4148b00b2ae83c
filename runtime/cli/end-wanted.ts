/**
 * When a command that goes on and on has to end.
 * @module
 */

/** Aborts when a person or the system wants an end, and when nobody is left to read the output. */
export function endWanted(): AbortSignal {
  const controller = new AbortController();
  const end = () => controller.abort();
  // Each time, not once: a second Ctrl-C must not leave processes and keys behind. SIGHUP: the terminal was closed.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end);
  process.stdout.on('error', end);
  process.stderr.on('error', end);
  return controller.signal;
}
