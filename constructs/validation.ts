/**
 * Checks of props. Each throws one sentence, at synth, in the user's words: which prop, what it got, what it takes.
 * @module
 */
import { isIP } from 'node:net';
import { hostProblem, isDnsLabel } from '../runtime/policy/names.ts';
import { isLabelValue } from '../runtime/policy/namespace-label.ts';
import { clusterDomainProblem } from '../runtime/policy/own-names.ts';

/** Hands a prop's value on, or throws the sentence. */
export type Check<T> = (prop: string, value: unknown) => T;

/** What the user gave, quoted and shortened, for a message. */
export function shown(value: unknown): string {
  const text = json(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function json(value: unknown): string {
  const kind = classOf(value);
  if (kind !== undefined && kind !== 'Object' && kind !== 'Array') return `an object of class ${kind}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A list of constructs: they refer to each other.
    return String(value);
  }
}

/** The name of an object's class, which is `Object` for one that is written in braces. */
function classOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value.constructor ?? Object).name : undefined;
}

/** Whether it is an object as it is written in braces. */
export function isObject(value: unknown): value is object {
  return classOf(value) === 'Object';
}

/** Throws the sentence. */
export function refuse(prop: string, got: unknown, wanted: string): never {
  throw new Error(`${prop}: got ${shown(got)}, but ${wanted}`);
}

/** A check by a type guard. */
export function check<T>(wanted: string, holds: (value: unknown) => value is T): Check<T> {
  return (prop, value) => (holds(value) ? value : refuse(prop, value, wanted));
}

/** A check of strings, by a regular expression or a function. */
export function checkString(wanted: string, form: RegExp | ((text: string) => boolean)): Check<string> {
  const fits = typeof form === 'function' ? form : (text: string) => form.test(text);
  return check(wanted, (value): value is string => typeof value === 'string' && fits(value));
}

/** An instance of a class, whose constructor may be private. */
export function checkInstance<T>(
  wanted: string,
  type: { readonly prototype: T; [Symbol.hasInstance](value: unknown): boolean },
): Check<T> {
  return check(wanted, (value): value is T => type[Symbol.hasInstance](value));
}

/** What may be left out. */
export function checkOptional<T>(prop: string, value: unknown, of: Check<T>): T | undefined {
  return value === undefined ? undefined : of(prop, value);
}

/** A list; each of its elements is checked by its index. */
export function checkList<T>(prop: string, value: unknown, of: Check<T>): readonly T[] {
  if (!Array.isArray(value)) return refuse(prop, value, 'it takes a list');
  return value.map((element: unknown, index) => of(`${prop}[${index}]`, element));
}

/** An object with keys of any name; each value is checked by its key. */
export function checkMap<T>(
  prop: string,
  value: unknown,
  of: Check<T>,
  wanted = 'it takes an object',
): Readonly<Record<string, T>> {
  if (!isObject(value)) return refuse(prop, value, wanted);
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, of(`${prop}.${key}`, element)]));
}

/** An object with no other keys than these: one that is misspelt would be left out in silence. */
export function checkFields<K extends string>(
  prop: string,
  value: unknown,
  known: readonly K[],
): Readonly<Partial<Record<K, unknown>>> {
  if (!isObject(value)) return refuse(prop, value, 'it takes an object');
  const strange = Object.keys(value).find((key) => !known.some((each) => each === key));
  if (strange !== undefined) return refuse(prop, value, `it knows no "${strange}": it takes ${known.join(', ')}`);
  return value as Partial<Record<K, unknown>>;
}

/** One of the words that an API takes. */
export function checkOneOf<T extends string>(prop: string, value: unknown, words: readonly T[]): T {
  const word = words.find((known) => known === value);
  return word ?? refuse(prop, value, `it takes ${words.map((known) => `"${known}"`).join(' or ')}`);
}

/** An object as it is written in braces. */
export const checkObject = check('it takes an object', isObject);

/** Yes or no. */
export const checkFlag = check('it takes true or false', (value): value is boolean => typeof value === 'boolean');

/** A whole number of at least one. */
export const checkReplicas = check(
  'it takes a whole number of at least 1',
  (value): value is number => Number.isInteger(value) && Number(value) >= 1,
);

/** A part of a whole: more than nothing, less than all. */
export const checkShare = check(
  'it takes a number between 0 and 1, such as 0.5',
  (value): value is number => typeof value === 'number' && value > 0 && value < 1,
);

/** Any string but the empty one. */
export const checkText = checkString('it takes a string that is not empty', (text) => text.trim() !== '');

/** The value of a label, which may be empty. */
export const checkLabelValue = checkString(
  'it takes the value of a label: at most 63 letters, digits, "-", "_" and "."',
  isLabelValue,
);

/** The grammar of image references: registry, path, tag, digest (github.com/distribution/reference). */
const IMAGE = (() => {
  const registry = /([a-zA-Z0-9]+([.-][a-zA-Z0-9]+)*(:\d+)?\/)?/;
  const part = /[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*/;
  const path = `${part.source}(/${part.source})*`;
  return new RegExp(`^${registry.source}${path}(:\\w[\\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`);
})();

/** An image reference that a container runtime can pull: by tag, by digest, or both. */
export const checkImage = checkString(
  'it takes an image reference such as "registry.example.com/autocert:1.0.0", with "@sha256:" and 64 lower-case hexadecimal digits after it for one by digest',
  (text) => text.length <= 512 && IMAGE.test(text),
);

/** The name of a namespace: one DNS label. */
export const checkName = checkString(
  'it takes lower-case letters, digits and "-", at most 63 of them, such as "step"',
  isDnsLabel,
);

/** Whether most objects could be called so: DNS labels with dots between them. */
const isObjectName = (name: string) => name.length <= 253 && name.split('.').every(isDnsLabel);

/** The name of most other objects, such as a Secret. */
export const checkObjectName = checkString(
  'it takes lower-case letters, digits, "-" and ".", at most 253 of them, such as "ca-password"',
  isObjectName,
);

/** A key of a ConfigMap or a Secret, which is a file name once mounted. */
export const checkKey = checkString(
  'it takes letters, digits, "-", "_" and ".", at most 253 of them, such as "ca.crt"',
  /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}$/,
);

const isHostName = (name: string) => hostProblem(name, false) === undefined;

const checkDomain = checkString(
  'it takes a DNS domain in lower case without a dot at its end, such as "cluster.local"',
  isHostName,
);

/** The DNS domain of a cluster. */
export function checkClusterDomain(prop: string, value: unknown): string {
  const domain = checkDomain(prop, value);
  const problem = clusterDomainProblem(domain);
  return problem === undefined ? domain : refuse(prop, domain, problem);
}

/** A host name or an IP address. */
export const checkHost = checkString(
  'it takes a DNS name in lower case or an IP address, such as "ca.example.com"',
  (host) => isIP(host) !== 0 || isHostName(host),
);

/** The base of an HTTPS URL: no path, query or credentials. A slash at its end is left out. */
export function checkHttpsOrigin(prop: string, value: unknown): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === 'https:' && `${url.origin}/` === url.href) return url.origin;
  return refuse(prop, value, 'it takes the base of an HTTPS URL, such as "https://ca.example.com:9000"');
}
