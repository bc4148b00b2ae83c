/**
 * The one validator of values from outside: configuration, answers of peers. A shape is made of checks; every fault is
 * reported at once, each with its path, what is wanted and what was given.
 * @module
 */
import { AutocertError, messageOf } from './errors.ts';
import { readTextFile } from './text-file.ts';

/** A check throws a plain sentence on what is wanted; the path goes before it. */
export type Check = (value: unknown) => void;
export type Shape = Readonly<Record<string, Check>>;

/** Collects the faults of nested values with their paths. */
export class Faults extends Error {
  readonly list: readonly string[];

  constructor(list: readonly string[]) {
    super(list.join('; '));
    this.list = list;
  }
}

/** What was given, for a message: at most a hundred characters, and no more work for megabytes than for them. */
export function shown(value: unknown): string {
  const text = JSON.stringify(sample(value, 0)) ?? 'nothing';
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

const SHOWN = 100;

/** As much of a value as can be among the first characters of its JSON. */
function sample(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.slice(0, SHOWN + 1);
  if (typeof value !== 'object' || value === null || depth === SHOWN) return value;
  if (Array.isArray(value)) return value.slice(0, SHOWN).map((element) => sample(element, depth + 1));
  const part: Record<string, unknown> = {};
  let length = 0;
  for (const key in value) {
    part[key.slice(0, SHOWN + 1)] = sample(value[key as keyof typeof value], depth + 1);
    length += 1 + key.length;
    if (length > SHOWN) break;
  }
  return part;
}

export function wanted(what: string, value: unknown): Error {
  return new Error(`must be ${what}, got ${shown(value)}`);
}

function collect(entries: Iterable<readonly [path: string, check: Check, value: unknown]>): void {
  const faults: string[] = [];
  for (const [path, check, value] of entries) {
    try {
      check(value);
    } catch (error) {
      if (!(error instanceof Faults)) faults.push(`${path}: ${messageOf(error)}`);
      else for (const fault of error.list) faults.push(`${path}${/^\[/.test(fault) ? '' : '.'}${fault}`);
    }
  }
  if (faults.length > 0) throw new Faults(faults);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(shape: Shape, options: { readonly strict?: boolean } = {}): Check {
  return (value) => {
    if (!isRecord(value)) throw wanted('an object', value);
    const unknown = options.strict ? Object.keys(value).filter((key) => !Object.hasOwn(shape, key)) : [];
    collect([
      ...Object.entries(shape).map(([key, check]) => [key, check, value[key]] as const),
      ...unknown.map((key) => [key, unknownSetting(shape), value[key]] as const),
    ]);
  };
}

function unknownSetting(shape: Shape): Check {
  return () => {
    throw new Error(`is no setting; known are ${Object.keys(shape).join(', ')}`);
  };
}

export function mapOf(check: Check): Check {
  return (value) => {
    if (!isRecord(value)) throw wanted('an object', value);
    collect(Object.entries(value).map(([key, item]) => [key, check, item] as const));
  };
}

export function list(check: Check, { atLeast = 0 } = {}): Check {
  return (value) => {
    if (!Array.isArray(value)) throw wanted('a list', value);
    if (value.length < atLeast) throw wanted(`a list of at least ${atLeast}`, value);
    collect(value.map((item: unknown, index) => [`[${index}]`, check, item] as const));
  };
}

export function optional(check: Check): Check {
  return (value) => {
    if (value !== undefined) check(value);
  };
}

export const text: Check = (value) => {
  if (typeof value !== 'string' || value === '') throw wanted('a text', value);
};

export function asText(what: string, accept: (value: string) => unknown): Check {
  return (value) => {
    if (typeof value !== 'string') throw wanted(what, value);
    accept(value);
  };
}

export const httpsUrl = asText('an https:// URL', (value) => {
  const url = URL.parse(value);
  if (url?.protocol !== 'https:' || url.username || url.search || url.hash) throw wanted('an https:// URL', value);
});

const MAX_TIME = 40;

/** A time (RFC 3339) of at most {@link MAX_TIME} characters. */
export const time = asText('a time (RFC 3339)', (value) => {
  if (value.length > MAX_TIME || Number.isNaN(Date.parse(value))) throw wanted('a time (RFC 3339)', value);
});

export const port: Check = (value) => {
  // 0 lets the system choose, which is what tests do.
  if (!Number.isInteger(value) || Number(value) < 0 || Number(value) > 65535)
    throw wanted('a port (0 to 65535)', value);
};

export const share: Check = (value) => {
  if (typeof value !== 'number' || !(value > 0 && value < 1)) throw wanted('a number between 0 and 1', value);
};

export const flag: Check = (value) => {
  if (typeof value !== 'boolean') throw wanted('true or false', value);
};

export function oneOf(...values: readonly string[]): Check {
  return (value) => {
    if (!values.some((known) => known === value)) throw wanted(`one of ${values.join(', ')}`, value);
  };
}

/**
 * Reads a JSON file that has to pass `checks`, one after the other.
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readJsonFile(file: string, ...checks: readonly Check[]): unknown {
  return readJson(readTextFile(file), file, ...checks);
}

/**
 * The same of JSON that somebody else has read.
 * @param source where it comes from, for the error
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readJson(json: string, source: string, ...checks: readonly Check[]): unknown {
  try {
    const value: unknown = JSON.parse(json);
    for (const check of checks) check(value);
    return value;
  } catch (error) {
    const text = error instanceof Faults ? error.list.map((fault) => `\n  ${fault}`).join('') : ` ${messageOf(error)}`;
    throw new AutocertError('INVALID_CONFIG', `configuration ${source}:${text}`);
  }
}
