/**
 * The Secrets and the ConfigMap of a PKI, in the cluster: read, or created once. Nothing here overwrites.
 * @module
 */
import type { V1ConfigMap, V1Secret } from '@kubernetes/client-node';
import { PkiFile, PkiObject } from '../contract.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';

/** What the init Job does with the Kubernetes API; `KubernetesApi` is one. */
export interface ClusterPort {
  get<T>(path: string): Promise<T>;
  create<T>(path: string, body: unknown): Promise<T>;
  apply<T>(path: string, body: unknown, fieldManager: string): Promise<T>;
}

/** Names of the PKI's objects as code has them. */
export type PkiObjectKey = keyof typeof PkiObject;

/** The files in each object. */
const FILES: Readonly<Record<PkiObjectKey, readonly string[]>> = {
  certificates: [PkiFile.root, PkiFile.intermediate],
  rootKey: [PkiFile.rootKey],
  intermediateKey: [PkiFile.intermediateKey],
  provisioners: [PkiFile.provisioners],
  caPassword: [PkiFile.password],
  autocertPassword: [PkiFile.password],
};

/** Contents of an object by file name. */
export type Files = Readonly<Record<string, string>>;

type StoredObject = Pick<V1Secret | V1ConfigMap, 'data'>;

/** The PKI's objects in one namespace. */
export class ClusterObjects {
  readonly #api: ClusterPort;
  readonly #namespace: string;

  constructor(api: ClusterPort, namespace: string) {
    this.#api = api;
    this.#namespace = namespace;
  }

  /** How people name the object: `secret/ca-password`. */
  nameOf(key: PkiObjectKey): string {
    return `${key === 'certificates' ? 'configmap' : 'secret'}/${PkiObject[key]}`;
  }

  /**
   * The object's files; `undefined` when it is not there.
   * @throws AutocertError `INVALID_CONFIG` when it is there and one of its files is not.
   */
  async find(key: PkiObjectKey): Promise<Files | undefined> {
    const stored = await ifFound(this.#api.get<StoredObject>(`${this.#collection(key)}/${PkiObject[key]}`));
    if (stored === undefined) return undefined;
    return Object.fromEntries(FILES[key].map((file) => [file, this.#content(key, file, stored)]));
  }

  /** Creates the object; gives the files that count: another Job may have been faster, then they are its. */
  async create(key: PkiObjectKey, files: Files): Promise<Files> {
    const kind = key === 'certificates' ? 'ConfigMap' : 'Secret';
    const body = {
      apiVersion: 'v1',
      kind,
      metadata: {
        name: PkiObject[key],
        namespace: this.#namespace,
        labels: { 'app.kubernetes.io/part-of': 'autocert', 'app.kubernetes.io/managed-by': 'autocert-init' },
      },
      ...(kind === 'ConfigMap'
        ? { data: files }
        : {
            type: 'Opaque',
            data: Object.fromEntries(
              Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')]),
            ),
          }),
    };
    try {
      await this.#api.create(this.#collection(key), body);
      return files;
    } catch (error) {
      const isTaken = error instanceof AutocertError && error.status === 409;
      const existing = isTaken ? await this.find(key) : undefined;
      if (existing === undefined) throw error;
      return existing;
    }
  }

  #collection(key: PkiObjectKey): string {
    return `/api/v1/namespaces/${this.#namespace}/${key === 'certificates' ? 'configmaps' : 'secrets'}`;
  }

  #content(key: PkiObjectKey, file: string, { data }: StoredObject): string {
    const content = data?.[file];
    if (content) return key === 'certificates' ? content : Buffer.from(content, 'base64').toString();
    throw new AutocertError(
      'INVALID_CONFIG',
      `${this.nameOf(key)} in namespace ${this.#namespace} has no ${file}: put it back, or delete the object to have it made again`,
    );
  }
}
