/**
 * Reads Kubernetes manifests that somebody else wrote: YAML or JSON, several documents, and lists. Their size and number
 * are bounded before they are parsed.
 * @module
 */
import { parseAllDocuments } from 'yaml';
import { parseBoundedJson } from '../lib/bounded-json.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';
import { isRecord } from '../lib/validator.ts';

/** An object of a manifest: nothing of it has been validated. */
export type Manifest = Readonly<Record<string, unknown>>;

/** Most bytes of one file of JSON, such as `kubectl get -o json` gives. */
const MAX_JSON_BYTES = 16 << 20;
/** Most commas, colons and brackets of it: some thousand pods. */
const MAX_JSON_TOKENS = 4_000_000;
/** Most bytes of one file of YAML, which takes a hundred times as long to read. */
const MAX_YAML_BYTES = 2 << 20;
/** Most documents of one file, and most objects of all of them. */
const MAX_DOCUMENTS = 1_000;
export const MAX_OBJECTS = 5_000;
/** Levels that may begin right after each other: the parser goes down with each. */
const MAX_DEPTH = 64;
/** Lists within lists. */
const MAX_LISTS = 4;

/** The file's name that stands for standard input, as kubectl has it. */
export const STDIN = '-';

/**
 * The text of a file, or of standard input for `-`.
 * @throws AutocertError `INVALID_INPUT` when it cannot be read or is larger than 16 MiB
 */
export async function readManifestText(file: string, stdin: AsyncIterable<Buffer | string>): Promise<string> {
  if (file !== STDIN) return readTextFile(file, 'INVALID_INPUT', MAX_JSON_BYTES);
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk);
    size += piece.length;
    if (size > MAX_JSON_BYTES) throw invalid(`cannot read standard input: larger than ${MAX_JSON_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** How a file is named to people. */
export function sourceName(file: string): string {
  return file === STDIN ? 'standard input' : JSON.stringify(file);
}

/**
 * The objects of a text, those in lists among them, in order.
 * @param source where it comes from, for the error
 * @throws AutocertError `INVALID_INPUT` when it is no YAML, or too much
 */
export function objectsIn(text: string, source: string): Manifest[] {
  const objects = parseDocuments(text, source).flatMap((document) => flatten(document, source, 0));
  if (objects.length > MAX_OBJECTS) throw invalid(`${source} has ${objects.length} objects, more than ${MAX_OBJECTS}`);
  return objects;
}

function parseDocuments(text: string, source: string): unknown[] {
  const json = asJson(text, source);
  if (json !== undefined) return [json];
  if (text.length > MAX_YAML_BYTES) {
    throw invalid(`${source} is larger than ${MAX_YAML_BYTES} characters of YAML: split it, or give it as JSON`);
  }
  const separators = text.match(/^---(?=\s|$)/gm)?.length ?? 0;
  if (separators > MAX_DOCUMENTS) throw invalid(`${source} has more than ${MAX_DOCUMENTS} documents`);
  if (isTooDeep(text)) throw invalid(`${source} is nested deeper than ${MAX_DEPTH}`);
  try {
    return parseAllDocuments(text, { merge: true }).map((document) => {
      const [problem] = document.errors;
      if (problem) throw problem;
      return document.toJS() as unknown;
    });
  } catch (error) {
    throw invalid(`${source} is not YAML: ${messageOf(error)}`);
  }
}

/** The value of JSON, which is also YAML, in a hundredth of the time; `undefined`: it is none, and may be YAML. */
function asJson(text: string, source: string): unknown {
  if (!/^\s*\{\s*"/.test(text)) return undefined;
  try {
    return parseBoundedJson(Buffer.from(text), MAX_JSON_TOKENS);
  } catch (error) {
    if (text.length <= MAX_YAML_BYTES) return undefined;
    throw invalid(`${source}: ${messageOf(error)}`);
  }
}

const DEEP = new RegExp(`(?:[[{][\\s"'\\w:.,-]{0,64}){${MAX_DEPTH + 1}}|(?:[-?:] +){${MAX_DEPTH + 1}}`);

/** Whether levels begin, one in another, right after each other: nothing that a person or a program means. */
function isTooDeep(text: string): boolean {
  return DEEP.test(text);
}

/** Items of a typed list, such as `PodList`, have no kind of their own as the API server writes them. */
function flatten(document: unknown, source: string, depth: number): Manifest[] {
  if (!isRecord(document)) return [];
  const { kind, apiVersion, items } = document;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [document];
  if (depth === MAX_LISTS) throw invalid(`${source} has lists in lists, deeper than ${MAX_LISTS}`);
  const own = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.flatMap((item: unknown) => flatten(isRecord(item) ? { ...own, ...item } : item, source, depth + 1));
}

function invalid(message: string): AutocertError {
  return new AutocertError('INVALID_INPUT', message);
}
