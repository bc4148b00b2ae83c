/**
 * A PKI's objects in one file: a List of manifests, as `kubectl apply` takes it, with a note of where and when it was made.
 * @module
 */
import { DOMAIN, PkiObject } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { type Check, Faults, isRecord, list, mapOf, object, oneOf, text, time } from '../lib/validator.ts';
import { isDnsLabel } from '../policy/names.ts';
import {
  type ClusterObjects,
  FILES,
  type Files,
  manifestOf,
  type PkiObjectKey,
  type Stored,
} from './cluster-objects.ts';
import type { StoredObjects } from './cluster-pki.ts';

/** What a backup holds. */
export interface Backup {
  readonly namespace: string;
  /** Of the program that made it. */
  readonly version: string;
  readonly createdAt: Date;
  readonly objects: ReadonlyMap<PkiObjectKey, Files>;
}

/** All objects of a PKI. */
export const PKI_OBJECTS = Object.keys(PkiObject) as readonly PkiObjectKey[];

/** Annotations of the List. */
const Note = { format: `${DOMAIN}/backup`, version: `${DOMAIN}/version`, createdAt: `${DOMAIN}/created-at` } as const;
const FORMAT = '1';
/** How often to read the objects before they are the same twice. */
const ATTEMPTS = 5;

/**
 * The objects that there are and whole, all of one moment: read until nothing has changed meanwhile.
 * @throws AutocertError `INVALID_CONFIG` when there are none, `UNAVAILABLE` when they do not come to rest
 */
export async function readPki(objects: ClusterObjects): Promise<StoredObjects> {
  let before = await readOnce(objects);
  if (before.size === 0) {
    const problem = `there is no object of a PKI in namespace ${objects.namespace}`;
    throw new AutocertError('INVALID_CONFIG', `${problem}: name that of the CA by --namespace`);
  }
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    const now = await readOnce(objects);
    if (versions(now) === versions(before)) return now;
    before = now;
  }
  throw new AutocertError('UNAVAILABLE', 'the PKI is being changed: run this again when that is done');
}

async function readOnce(objects: ClusterObjects): Promise<StoredObjects> {
  const found = new Map<PkiObjectKey, Stored>();
  for (const key of PKI_OBJECTS) {
    const stored = await objects.read(key);
    if (stored && FILES[key].must.every((file) => stored.files[file] !== undefined)) found.set(key, stored);
  }
  return found;
}

const versions = (found: StoredObjects) =>
  JSON.stringify([...found].map(([key, { resourceVersion }]) => [key, resourceVersion]));

/** The backup as JSON. */
export function toManifests({ namespace, version, createdAt, objects }: Backup): string {
  const annotations = { [Note.format]: FORMAT, [Note.version]: version, [Note.createdAt]: createdAt.toISOString() };
  const items = [...objects].map(([key, files]) => manifestOf(key, { name: PkiObject[key], namespace }, files));
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', metadata: { annotations }, items }, null, 2)}\n`;
}

/**
 * Reads what {@link toManifests} wrote. No error says anything of the contents.
 * @throws AutocertError `INVALID_INPUT` with every fault
 */
export function fromManifests(json: string): Backup {
  const document = parsed(json);
  const { metadata, items } = document;
  const objects = new Map(items.map((item) => [KEY_OF[item.metadata.name] as PkiObjectKey, filesOf(item)]));
  const [namespace = '', ...others] = new Set(items.map((item) => item.metadata.namespace));
  if (objects.size < items.length) throw refused(['items: an object is there twice']);
  if (others.length > 0) throw refused(['items: the objects are of several namespaces']);
  const { [Note.version]: version = '', [Note.createdAt]: createdAt = '' } = metadata.annotations;
  return { namespace, version, createdAt: new Date(createdAt), objects };
}

interface Manifest {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly data: Files;
}

interface Document {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly items: readonly Manifest[];
}

const KEY_OF: Readonly<Record<string, PkiObjectKey>> = Object.fromEntries(
  PKI_OBJECTS.map((key) => [PkiObject[key], key]),
);

const label: Check = (value) => {
  if (typeof value !== 'string' || !isDnsLabel(value)) throw new Error('must be the name of a namespace');
};

/** The files that an object must have are there; a Secret's are base64, as the API has them. */
const contents: Check = (value) => {
  if (!isRecord(value) || !isRecord(value.metadata) || !isRecord(value.data)) return;
  const { kind, data } = value;
  const key = KEY_OF[String(value.metadata.name)];
  if (key === undefined) return;
  if ((kind === 'ConfigMap') !== (key === 'certificates')) throw new Error('kind: is not that of this object');
  const missing = FILES[key].must.find((file) => !data[file]);
  if (missing !== undefined) throw new Error(`data: has no ${missing}`);
  const isBase64 = (content: unknown) => /^[A-Za-z0-9+/]+={0,2}$/.test(String(content));
  if (kind === 'Secret' && !Object.values(data).every(isBase64)) throw new Error('data: must be base64');
};

const item = object({
  kind: oneOf('Secret', 'ConfigMap'),
  metadata: object({ name: oneOf(...Object.values(PkiObject)), namespace: label }),
  data: mapOf(text),
});

const DOCUMENT = object({
  kind: oneOf('List'),
  metadata: object({
    annotations: object({ [Note.format]: oneOf(FORMAT), [Note.version]: text, [Note.createdAt]: time }),
  }),
  items: list(
    (value) => {
      item(value);
      contents(value);
    },
    { atLeast: 1 },
  ),
});

function parsed(json: string): Document {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    // The parser's own words quote the text.
    throw refused(['it is not JSON']);
  }
  try {
    DOCUMENT(document);
    return document as Document;
  } catch (error) {
    const faults = error instanceof Faults ? error.list : ['it is not a List of objects'];
    // Nothing of what was given, which may be a key.
    throw refused(faults.map((fault) => fault.replace(/, got .*$/s, '')));
  }
}

const refused = (faults: readonly string[]) =>
  new AutocertError('INVALID_INPUT', `this is no backup of a PKI: ${faults.join('; ')}`);

/** The files that this version knows. */
function filesOf({ kind, metadata, data }: Manifest): Files {
  const { must, may } = FILES[KEY_OF[metadata.name] as PkiObjectKey];
  const known = [...must, ...may].filter((file) => data[file] !== undefined);
  const decoded = (content = '') => (kind === 'ConfigMap' ? content : Buffer.from(content, 'base64').toString());
  return Object.fromEntries(known.map((file) => [file, decoded(data[file])]));
}
