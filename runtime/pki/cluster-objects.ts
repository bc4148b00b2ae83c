/**
 * The Secrets and the ConfigMap of a PKI, in the cluster: read, created, replaced. Nothing is overwritten unread: whoever
 * replaces an object says which version of it they have seen.
 * @module
 */
import type { V1ConfigMap, V1ObjectMeta, V1Secret } from '@kubernetes/client-node';
import { ALLOW_DELETION, PART_OF, PKI_DRAFT, PkiFile, PkiObject } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';

/** What the commands on a PKI do with the Kubernetes API; `KubernetesApi` is one. */
export interface ClusterPort {
  get<T>(path: string): Promise<T>;
  create<T>(path: string, body: unknown): Promise<T>;
  update<T>(path: string, body: unknown): Promise<T>;
  request<T>(
    method: string,
    path: string,
    options?: { readonly query?: Readonly<Record<string, string>>; readonly body?: unknown },
  ): Promise<T>;
}

/** Names of the PKI's objects as code has them. */
export type PkiObjectKey = keyof typeof PkiObject;

/** The same, and the draft of a PKI that is being made, which is no part of one. */
export type ObjectKey = PkiObjectKey | 'draft';

const NAME: Readonly<Record<ObjectKey, string>> = { ...PkiObject, draft: PKI_DRAFT };

/** The files in each object: those that it must have, and those that it may have. */
export const FILES: Readonly<Record<ObjectKey, { readonly must: readonly string[]; readonly may: readonly string[] }>> =
  {
    // The copy that can be made again: whoever reads it does without what it lacks.
    certificates: { must: [], may: [PkiFile.root, PkiFile.intermediate] },
    rootKey: { must: [PkiFile.rootKey], may: [PkiFile.root] },
    intermediateKey: { must: [PkiFile.intermediateKey], may: [PkiFile.intermediate, PkiFile.root] },
    provisioners: { must: [PkiFile.provisioners], may: [] },
    caPassword: { must: [PkiFile.password], may: [PkiFile.nextPassword] },
    autocertPassword: { must: [PkiFile.password], may: [PkiFile.nextPassword] },
    nextRoot: { must: [PkiFile.root, PkiFile.cross], may: [PkiFile.rootKey] },
    draft: {
      must: [
        ...[PkiFile.root, PkiFile.rootKey, PkiFile.intermediate, PkiFile.intermediateKey, PkiFile.provisioners],
        ...[PkiObject.caPassword, PkiObject.autocertPassword],
      ],
      may: [],
    },
  };

/**
 * The order of reading: dependents before what they need, so that an object seen here cannot have appeared after its
 * dependency was looked for. And the order in which a backup is restored: while one of the first is there, the init Job
 * makes no PKI of its own; with the passwords, which come last, all can be used.
 */
export const OBJECT_ORDER: readonly PkiObjectKey[] = [
  'provisioners',
  'certificates',
  'nextRoot',
  'intermediateKey',
  'rootKey',
  'autocertPassword',
  'caPassword',
];

/** Contents of an object by file name. */
export type Files = Readonly<Record<string, string>>;

/** An object as it was read. */
export interface Stored {
  readonly files: Files;
  /** By which {@link ClusterObjects.replace} and `remove` notice that somebody else has changed it since. */
  readonly resourceVersion: string;
  readonly createdAt: Date;
  /** What others have put on the object, such as labels of a deployment tool: kept when it is replaced. */
  readonly metadata?: V1ObjectMeta;
}

/** What {@link ClusterObjects.write} did, and the files that count. */
export interface Written {
  readonly outcome: 'created' | 'updated' | 'kept';
  readonly files: Files;
}

type StoredObject = Pick<V1Secret | V1ConfigMap, 'data'> & { readonly metadata?: V1ObjectMeta };

const LABELS = { [PART_OF.key]: PART_OF.value, 'app.kubernetes.io/managed-by': 'autocert-pki' };

/** The object as the API has it. */
export function manifestOf(key: ObjectKey, metadata: V1ObjectMeta, files: Files): object {
  const common = { apiVersion: 'v1', metadata: { ...metadata, labels: { ...metadata.labels, ...LABELS } } };
  if (key === 'certificates') return { ...common, kind: 'ConfigMap', data: files };
  const encoded = Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')] as const);
  return { ...common, kind: 'Secret', type: 'Opaque', data: Object.fromEntries(encoded) };
}

/** Whether two sets of files are the same. */
export function sameFiles(one: Files, other: Files): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => one[name] === other[name]);
}

/** The PKI's objects in one namespace. */
export class ClusterObjects {
  readonly #api: ClusterPort;
  readonly namespace: string;

  constructor(api: ClusterPort, namespace: string) {
    this.#api = api;
    this.namespace = namespace;
  }

  /** How people name the object: `secret/ca-password`. */
  nameOf(key: ObjectKey): string {
    return `${key === 'certificates' ? 'configmap' : 'secret'}/${NAME[key]}`;
  }

  /**
   * The object; `undefined` when it is not there.
   * @throws AutocertError `INVALID_CONFIG` when it is there and one of the files that it must have is not.
   */
  async find(key: ObjectKey): Promise<Stored | undefined> {
    const stored = await this.read(key);
    const missing = stored && FILES[key].must.find((file) => stored.files[file] === undefined);
    if (missing === undefined) return stored;
    throw new AutocertError(
      'INVALID_CONFIG',
      `${this.nameOf(key)} in namespace ${this.namespace} has no ${missing}: put it back, or restore the object from a backup (autocert pki restore)`,
    );
  }

  /** The object with those of its files that are there; `undefined` when it is not there. */
  async read(key: ObjectKey): Promise<Stored | undefined> {
    const stored = await this.#get(key);
    if (stored === undefined) return undefined;
    const { must, may } = FILES[key];
    const files = new Map<string, string>();
    for (const file of [...must, ...may]) {
      const content = stored.data?.[file];
      if (content) files.set(file, key === 'certificates' ? content : Buffer.from(content, 'base64').toString());
    }
    const { resourceVersion = '', creationTimestamp, ...metadata } = stored.metadata ?? {};
    return {
      files: Object.fromEntries(files),
      resourceVersion,
      createdAt: new Date(creationTimestamp ?? 0),
      metadata,
    };
  }

  /** Creates the object; gives the files that count: somebody else may have been faster, then they are theirs. */
  async create(key: ObjectKey, files: Files): Promise<Files> {
    try {
      await this.#api.create(this.#collection(key), this.#body(key, files));
      return files;
    } catch (error) {
      const existing = isTaken(error) ? await this.find(key) : undefined;
      if (existing === undefined) throw error;
      return existing.files;
    }
  }

  /** Creates the object, unless there is one; whether it did. Takes no right to read it. */
  createNew(key: ObjectKey, files: Files): Promise<boolean> {
    return unlessTaken(this.#api.create(this.#collection(key), this.#body(key, files)));
  }

  /** Whether there is no such object, for whoever may create it and not read it: the creation is tried, and not done. */
  isFree(key: ObjectKey): Promise<boolean> {
    const options = { query: { dryRun: 'All' }, body: this.#body(key, {}) };
    return unlessTaken(this.#api.request('POST', this.#collection(key), options));
  }

  /**
   * Puts `files` in the place of those of `seen`; all of them, so that no old one stays.
   * @throws AutocertError with status 409 when somebody else has changed the object since it was read
   */
  async replace(key: ObjectKey, files: Files, seen: Stored): Promise<void> {
    await this.#api.update(this.#path(key), this.#body(key, files, seen));
  }

  /** Has the object hold `files`: creates it where none was seen, else replaces it, unless it holds them already. */
  async write(key: ObjectKey, files: Files, seen: Stored | undefined): Promise<Written> {
    if (seen === undefined) return { outcome: 'created', files: await this.create(key, files) };
    if (sameFiles(seen.files, files)) return { outcome: 'kept', files };
    await this.replace(key, files, seen);
    return { outcome: 'updated', files };
  }

  /**
   * Deletes the object, if it is there: with the annotation without which the PKI's objects cannot be deleted.
   * @throws AutocertError with status 409 when somebody else has changed the object since `seen` was read
   */
  async remove(key: ObjectKey, { resourceVersion: seen }: Stored): Promise<void> {
    const path = this.#path(key);
    const stored = await this.#get(key);
    if (stored === undefined) return;
    const annotations = { ...stored.metadata?.annotations, [ALLOW_DELETION]: 'true' };
    const metadata = { ...stored.metadata, annotations, resourceVersion: seen };
    const marked = await ifFound(this.#api.update<StoredObject>(path, { ...stored, metadata }));
    if (marked === undefined) return;
    const { uid, resourceVersion } = marked.metadata ?? {};
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } };
    await ifFound(this.#api.request('DELETE', path, { body }));
  }

  #get(key: ObjectKey): Promise<StoredObject | undefined> {
    return ifFound(this.#api.get<StoredObject>(this.#path(key)));
  }

  #body(key: ObjectKey, files: Files, seen?: Stored): object {
    // Without them the API server keeps the owners of fields as they are.
    const { managedFields: _, ...kept } = seen?.metadata ?? {};
    const metadata = { ...kept, name: NAME[key], namespace: this.namespace };
    const resourceVersion = seen?.resourceVersion;
    return manifestOf(key, { ...metadata, ...(resourceVersion && { resourceVersion }) }, files);
  }

  #collection(key: ObjectKey): string {
    return `/api/v1/namespaces/${encodeURIComponent(this.namespace)}/${key === 'certificates' ? 'configmaps' : 'secrets'}`;
  }

  #path(key: ObjectKey): string {
    return `${this.#collection(key)}/${NAME[key]}`;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof AutocertError && error.status === 409;
}

async function unlessTaken(creation: Promise<unknown>): Promise<boolean> {
  try {
    await creation;
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}
