/**
 * Passphrases of people: from a file, or typed at the terminal without being shown.
 * @module
 */
import { createInterface } from 'node:readline';
import { type Readable, Writable } from 'node:stream';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';

/** Who holds a backup can try as many as they like: fewer characters are too few. */
const LEAST_CHARACTERS = 12;
const MOST_CHARACTERS = 1024;

/** Where people type; `process.stdin` and `process.stderr`, unless a test gives others. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: { write(text: string): unknown };
}

/** Options of {@link readPassphrase}. */
export interface PassphraseOptions {
  /** Absent: it is asked for. */
  readonly file?: string | undefined;
  /** `true`: something will be encrypted with it. It is asked for twice then, and has to be long enough. */
  readonly isNew: boolean;
  /** @default - this program's */
  readonly terminal?: Terminal;
}

/**
 * The passphrase, without the end of the line.
 * @throws AutocertError `INVALID_INPUT` when there is neither a file nor a terminal, or it is too short, or not the same twice
 */
export async function readPassphrase({ file, isNew, terminal }: PassphraseOptions): Promise<Secret> {
  const { input, output } = terminal ?? { input: process.stdin, output: process.stderr };
  if (file !== undefined) return checked(readTextFile(file, 'INVALID_INPUT').replace(/\r?\n$/, ''), isNew);
  if (!input.isTTY) {
    throw new AutocertError(
      'INVALID_INPUT',
      'there is no terminal to ask at: give the passphrase by --passphrase-file FILE',
    );
  }
  const passphrase = checked(await ask('Passphrase: ', input, output), isNew);
  if (isNew && (await ask('Once more: ', input, output)) !== passphrase.reveal()) {
    throw new AutocertError('INVALID_INPUT', 'the two passphrases differ: nothing was done');
  }
  return passphrase;
}

function checked(passphrase: string, isNew: boolean): Secret {
  const least = isNew ? LEAST_CHARACTERS : 1;
  if (passphrase.length >= least && passphrase.length <= MOST_CHARACTERS) return new Secret(passphrase);
  throw new AutocertError(
    'INVALID_INPUT',
    `the passphrase has ${passphrase.length} characters: it takes ${least} to ${MOST_CHARACTERS}`,
  );
}

/** One line, which the terminal does not show. */
function ask(prompt: string, input: Readable, output: Terminal['output']): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  output.write(prompt); // not before: until now the terminal shows what is typed, as a paste or a program does at once
  return new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    // Ctrl-C and Ctrl-D; after a line it has no effect any more.
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => reject(new AutocertError('INVALID_INPUT', 'no passphrase was given: nothing was done')));
  }).finally(() => {
    lines.close();
    output.write('\n');
  });
}
