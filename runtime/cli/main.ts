/**
 * Entry of the program `autocert`: also as `kubectl autocert` (a plugin by its name) and, in the image, as `step` for
 * the tutorial's `step certificate inspect`.
 * @module
 */
import { basename } from 'node:path';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { COMPLETE } from './completion/scripts.ts';
import { printable, tolerateGoneReaders } from './terminal.ts';

/** 0: done; 1: it failed; 2: what was asked is wrong and asking again will not help. */
const WRONG_REQUEST = ['INVALID_INPUT', 'INVALID_CONFIG', 'WRONG_PASSWORD'];

async function main(argv: readonly string[]): Promise<number> {
  const [script = '', command, ...rest] = argv.slice(1);
  // the agent starts in every pod: it gets past the command parser
  if (command === 'agent') return (await import('../agent/worker.ts')).main(rest, process.env);
  tolerateGoneReaders();
  if (command === COMPLETE) {
    const [{ complete, completionLines }, { buildProgram }] = await Promise.all([
      import('./completion/complete.ts'),
      import('./program.ts'),
    ]);
    process.stdout.write(completionLines(complete(buildProgram(), rest)));
    return 0;
  }
  const { buildProgram, buildStepProgram } = await import('./program.ts');
  const program = basename(script) === 'step' ? buildStepProgram() : buildProgram();
  await program.parseAsync(argv as string[]);
  return 0;
}

void main(process.argv)
  .catch((error: unknown) => {
    process.stderr.write(`autocert: ${printable(messageOf(error))}\n`);
    return error instanceof AutocertError && WRONG_REQUEST.includes(error.code) ? 2 : 1;
  })
  .then((code) => {
    // a command with exit codes of its own has set it
    process.exitCode ??= code;
  });
