/**
 * A PKI in a cluster of objects in memory, and a clock that a test moves.
 * @module
 */
import type { KeyObject } from 'node:crypto';
import type { V1Pod } from '@kubernetes/client-node';
import { AgentEnv, Annotation, ContainerName, PkiFile, PkiObject, STATUS_INJECTED } from '../../runtime/contract.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { ClusterObjects, type PkiObjectKey } from '../../runtime/pki/cluster-objects.ts';
import { createPkiIn, type InitReport, initPki, keepPki } from '../../runtime/pki/init-in-cluster.ts';
import type { RootKeyFile } from '../../runtime/pki/root-key.ts';
import { splitPem } from '../../runtime/x509/certificate.ts';
import { createKey, openKey } from '../../runtime/x509/private-key.ts';
import { createLeaf } from '../../runtime/x509/signing.ts';
import { keptLog } from './logs.ts';
import { ObjectStore } from './object-store.ts';
import { reissued } from './reissued.ts';

const NAMESPACE = 'step';
const LEAF_NAME = 'web.shop.svc';
const BASE = `/api/v1/namespaces/${NAMESPACE}`;

/** Days as milliseconds. */
export const DAY_MS = 86_400_000;

type Contents = Readonly<Record<string, string>>;

/** See the module. */
export class PkiWorld {
  readonly store = new ObjectStore();
  readonly objects = new ClusterObjects(this.store, NAMESPACE);
  readonly log = keptLog();
  now = new Date('2026-01-01T00:00:00Z');
  #opened: { readonly issuer: string; readonly key: KeyObject; readonly leaf: string } | undefined;

  constructor() {
    this.store.now = () => this.now;
  }

  /**
   * A world with a PKI, the same for all tests of a file. Its provisioners are the user's own: ours are looked into, which
   * takes a tenth of a second each time.
   */
  static async ready(): Promise<PkiWorld> {
    const world = new PkiWorld();
    if (made === undefined) {
      await world.init();
      made = world.store.objects;
    }
    const ready = new PkiWorld();
    for (const [path, object] of made) ready.store.objects.set(path, structuredClone(object));
    ready.put('provisioners', { [PkiFile.provisioners]: '[]' });
    return ready;
  }

  /** What people run: the Job's part and the CronJob's. */
  init(caName?: string): Promise<InitReport> {
    return initPki(this.store, { ...this.#options(), ...(caName && { caName }) });
  }

  /** What the Job runs. */
  create(): Promise<void> {
    return createPkiIn(this.store, this.#options());
  }

  /** What the CronJob runs. */
  upkeep(): Promise<InitReport> {
    return keepPki(this.store, this.#options());
  }

  #options() {
    return { namespace: NAMESPACE, log: this.log, now: this.now };
  }

  /** Lets `days` pass. */
  pass(days: number): void {
    this.now = new Date(+this.now + days * DAY_MS);
  }

  path(key: PkiObjectKey): string {
    return `${BASE}/${key === 'certificates' ? 'configmaps' : 'secrets'}/${PkiObject[key]}`;
  }

  has(key: PkiObjectKey): boolean {
    return this.store.objects.has(this.path(key));
  }

  remove(key: PkiObjectKey): void {
    this.store.objects.delete(this.path(key));
  }

  /** Files of an object, as text. */
  files(key: PkiObjectKey): Contents {
    const { data = {} } = (this.store.objects.get(this.path(key)) ?? {}) as { data?: Contents };
    if (key === 'certificates') return data;
    return Object.fromEntries(
      Object.entries(data).map(([file, text]) => [file, Buffer.from(text, 'base64').toString()]),
    );
  }

  file(key: PkiObjectKey, file: string): string {
    return this.files(key)[file] ?? '';
  }

  /** Puts other files into an object, as somebody with `kubectl` would. */
  put(key: PkiObjectKey, files: Contents): void {
    const encoded = Object.entries(files).map(([file, text]) => [
      file,
      key === 'certificates' ? text : Buffer.from(text).toString('base64'),
    ]);
    const object = (this.store.objects.get(this.path(key)) ?? { metadata: { name: PkiObject[key] } }) as object;
    this.store.objects.set(this.path(key), { ...object, data: Object.fromEntries(encoded) });
  }

  /** Takes the copies of certificates out of the Secrets, as older versions made them. */
  makeOld(): void {
    this.put('rootKey', { [PkiFile.rootKey]: this.file('rootKey', PkiFile.rootKey) });
    this.put('intermediateKey', { [PkiFile.intermediateKey]: this.file('intermediateKey', PkiFile.intermediateKey) });
  }

  /** What everybody is told to trust. */
  get roots(): readonly string[] {
    return splitPem(this.file('certificates', PkiFile.root));
  }

  /** What the CA sends behind a leaf. */
  get chain(): readonly string[] {
    return splitPem(this.file('intermediateKey', PkiFile.intermediate));
  }

  get password(): Secret {
    return new Secret(this.file('caPassword', PkiFile.password));
  }

  /** Takes a root's key out of the cluster: the file that its keeper has. */
  takeKey(key: 'rootKey' | 'nextRoot'): RootKeyFile {
    const { [PkiFile.rootKey]: pem = '', ...others } = this.files(key);
    if (key === 'rootKey') this.remove(key);
    else this.put(key, others);
    return { file: 'root_ca_key', pem: new Secret(pem) };
  }

  /** A leaf with its chain, as the CA issues it now. */
  async issue(days: number): Promise<readonly string[]> {
    const [notBefore, notAfter] = [new Date(+this.now - 60_000), new Date(+this.now + days * DAY_MS)];
    const { key, leaf } = await this.#openIssuer(notBefore, notAfter);
    return [reissued(leaf, key, notBefore, notAfter), ...this.chain];
  }

  /** The intermediate's key, and a first leaf of it. */
  async #openIssuer(notBefore: Date, notAfter: Date) {
    const [certificatePem = ''] = this.chain;
    const keyPem = this.file('intermediateKey', PkiFile.intermediateKey);
    const issuer = certificatePem + keyPem;
    if (this.#opened?.issuer !== issuer) {
      const key = openKey(new Secret(keyPem), this.password, 'the intermediate key');
      leafKey ??= await createKey();
      const leaf = await createLeaf({
        commonName: LEAF_NAME,
        sans: [LEAF_NAME],
        publicKey: leafKey,
        issuer: { certificatePem, key },
        notBefore,
        notAfter,
      });
      this.#opened = { issuer, key, leaf };
    }
    return this.#opened;
  }

  /** Kills whoever makes write number `fatal` from now on (0 is the first); gives back how to go on. */
  failWrite(fatal: number): () => void {
    let count = 0;
    this.store.beforeWrite = () => {
      if (count++ === fatal) throw new Error('killed');
    };
    return () => {
      this.store.beforeWrite = () => {};
    };
  }
}

let made: PkiWorld['store']['objects'] | undefined;

/** One for all: tests are about authorities. */
let leafKey: Awaited<ReturnType<typeof createKey>> | undefined;

/** A pod with an agent that was given `roots` by the Autocert of a namespace. */
export function agentPod(name: string, roots: readonly string[], autocert = 'step'): V1Pod {
  const env = [
    { name: AgentEnv.autocertUrl, value: `https://autocert.${autocert}.svc:4444` },
    { name: AgentEnv.roots, value: roots.join('') },
  ];
  return {
    metadata: { name, namespace: 'shop', annotations: { [Annotation.status]: STATUS_INJECTED } },
    spec: { containers: [{ name: 'app' }], initContainers: [{ name: ContainerName.renewer, env }] },
  };
}
