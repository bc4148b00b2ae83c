/**
 * What goes to a terminal: colour only where somebody sees it, no control characters of others, and no word about a
 * reader who has gone.
 * @module
 */
import { styleText } from 'node:util';

/** A style of `node:util`. */
export type Style = Parameters<typeof styleText>[0];

/** Gives a text a style, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Whether colour is wanted: on a terminal, unless `NO_COLOR` is set (no-color.org). */
export function colourWanted(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env.NO_COLOR;
}

/** Paints, or does not. */
export function painter(colour: boolean): Paint {
  return (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
}

/** All that moves the cursor, changes the direction of writing or is not seen; tabs and ends of lines are not among it. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The text with what a terminal would act upon as `\u001b`; ends of lines stay. */
export function printable(text: string): string {
  return text.replace(UNSEEN, (character) =>
    character === '\n' ? character : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** Characters of a text of others that is told, unless more are wanted. */
export const MAX_TEXT = 300;

/** A text of others as part of a line: {@link printable}, without ends of lines, and with `…` for what is beyond `max` characters. */
export function excerpt(text: string, max: number): string {
  // A little more than is shown, so that nobody looks through megabytes.
  const some = text.slice(0, 2 * max);
  const line = printable(some.replace(/\s+/g, ' ').trim());
  return line.length > max || text.length > some.length ? `${line.slice(0, max - 1)}…` : line;
}

/**
 * A reader who has gone, such as `head`, is no failure of this process: what it has begun it brings to an end. Commands that
 * go on and on end then, see `endWanted`.
 */
export function tolerateGoneReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreGone);
}

/** Writes to standard output. */
export function print(text: string): void {
  process.stdout.write(text);
}

function ignoreGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
