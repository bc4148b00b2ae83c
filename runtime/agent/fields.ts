/**
 * Small files that the worker and the shell script share: one `name=value` a line. The script takes values as data and
 * never evaluates them.
 * @module
 */
import { readTextFile } from '../lib/text-file.ts';

/** Values by name. */
export type Fields = Readonly<Record<string, string | undefined>>;

/** More than any error message needs. */
const MAX_VALUE = 1000;

/** The text of such a file; a value is cut, and kept on its one line. */
export function formatFields(fields: Readonly<Record<string, string | number | undefined>>): string {
  const line = ([name, value]: [string, string | number | undefined]) =>
    value === undefined ? '' : `${name}=${oneLine(String(value))}\n`;
  return Object.entries(fields).map(line).join('');
}

/** Reads such a file. @throws AutocertError when it cannot be read */
export function readFields(file: string): Fields {
  const pairs = readTextFile(file)
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);
  return Object.fromEntries(pairs);
}

/** A field that is a whole number; absent where it is anything else. */
export function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not get into the file
  const printable = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  return printable.length > MAX_VALUE ? `${printable.slice(0, MAX_VALUE - 1)}…` : printable;
}
