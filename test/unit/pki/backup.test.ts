import { Secret } from '../../../runtime/lib/secret.ts';
import { type Backup, fromManifests, readPki, toManifests } from '../../../runtime/pki/backup.ts';
import { problemsOf } from '../../../runtime/pki/backup-check.ts';
import type { Files, PkiObjectKey } from '../../../runtime/pki/cluster-objects.ts';
import { type RestoreOptions, restorePki } from '../../../runtime/pki/restore.ts';
import { openBackup, sealBackup } from '../../../runtime/pki/sealed-backup.ts';
import { encryptWithPassword } from '../../../runtime/step-ca/password-jwe.ts';
import { fingerprintOf } from '../../../runtime/x509/certificate.ts';
import { PkiStore } from '../../support/pki-in-cluster.ts';

const PASSPHRASE = new Secret('correct horse battery');
const CERTIFICATES = '/api/v1/namespaces/step/configmaps/ca-certs';

let original: PkiStore;
let other: PkiStore;
let backup: Backup;
beforeAll(async () => {
  [original, other] = await Promise.all([PkiStore.make(), PkiStore.make()]);
  backup = await backupOf(original);
});

let store: PkiStore;
let said: string[];
beforeEach(() => {
  store = original.copy();
  said = [];
});

async function backupOf({ pki }: PkiStore): Promise<Backup> {
  const stored = await readPki(pki);
  const objects = new Map([...stored].map(([key, { files }]) => [key, files]));
  return { namespace: 'step', version: '1.2.3', createdAt: new Date('2026-01-02T03:04:05Z'), objects };
}

const restore = (to: PkiStore, options: Partial<RestoreOptions> = {}, from = backup) =>
  restorePki(to, from, { say: (line) => said.push(line), ...options });

const dataOf = ({ objects }: PkiStore) =>
  new Map(
    [...objects]
      .filter(([path]) => /secrets|configmaps/.test(path))
      .map(([path, it]) => [path, (it as { data: object }).data]),
  );
const empty = () => {
  const fresh = new PkiStore();
  fresh.objects.set('/api/v1/namespaces/step', { metadata: { name: 'step' } });
  return fresh;
};
const rootOf = ({ objects }: PkiStore) =>
  fingerprintOf((objects.get(CERTIFICATES) as { data: Record<string, string> }).data['root_ca.crt'] ?? '');

describe('a backup', () => {
  test('read back is what it was made from, sealed or plain', async () => {
    expect(fromManifests(toManifests(backup))).toEqual(backup);
    expect(await openBackup(await sealBackup(backup, PASSPHRASE), PASSPHRASE)).toEqual(backup);
  });

  test('is what kubectl applies: manifests with everything that the cluster has', () => {
    const { kind, items } = JSON.parse(toManifests(backup));
    expect(kind).toBe('List');
    for (const { kind: one, metadata, data } of items) {
      expect(metadata.namespace).toBe('step');
      const path = `/api/v1/namespaces/step/${one.toLowerCase()}s/${metadata.name}`;
      expect(data).toEqual(dataOf(original).get(path));
    }
    expect(items).toHaveLength(dataOf(original).size);
  });

  test('is of one moment: objects that change meanwhile are read again', async () => {
    const find = store.pki.read.bind(store.pki);
    let reads = 0;
    store.pki.read = async (key) => {
      const found = await find(key);
      reads += 1;
      // While the last objects are read, somebody replaces the whole PKI.
      if (reads === 5) for (const [key, files] of (await backupOf(other)).objects) await replace(key, files);
      return found;
    };
    const replace = async (key: Parameters<typeof find>[0], files: Readonly<Record<string, string>>) => {
      const seen = await find(key);
      if (seen) await store.pki.replace(key, files, seen);
    };
    const { objects } = await backupOf(store);
    expect(objects).toEqual((await backupOf(other)).objects);
  });

  test('of nothing is refused', async () => {
    await expect(readPki(empty().pki)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('no object of a PKI in namespace step'),
    });
  });
});

describe('what would not bring the CA back is said:', () => {
  const problems = async () => problemsOf(store.pki, await readPki(store.pki));

  test('nothing, of a PKI that is whole', async () => {
    expect(await problems()).toEqual([]);
  });

  test.each(['ca-password', 'autocert-password', 'ca-intermediate-key', 'ca-provisioners'])(
    '%s is missing',
    async (name) => {
      store.deleteSecret(name);
      expect(await problems()).toEqual([expect.stringContaining(`secret/${name} is missing`)]);
    },
  );

  test('an emptied Secret', async () => {
    store.setSecret('ca-password', {});
    expect(await problems()).toEqual([expect.stringContaining('secret/ca-password is missing, or not whole')]);
  });

  test.each(['ca-password', 'autocert-password'])('%s was changed', async (name) => {
    store.setSecret(name, { password: 'other' });
    const [problem, ...more] = await problems();
    expect(problem).toMatch(/password/);
    expect(more).toEqual([]);
  });
});

describe('a file that is no backup is refused, and nothing of it is quoted:', () => {
  let sealed: string;
  beforeAll(async () => {
    sealed = await sealBackup(backup, PASSPHRASE);
  });

  test('another passphrase', async () => {
    await expect(openBackup(sealed, new Secret('another passphrase'))).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
    });
  });

  test('a changed character', async () => {
    const at = sealed.length - 100;
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    await expect(openBackup(changed, PASSPHRASE)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
  });

  test.each([0, 0.01, 0.5, 0.999])('the first %d of it', async (share) => {
    const cut = sealed.slice(0, Math.floor(sealed.length * share));
    await expect(openBackup(cut, PASSPHRASE)).rejects.toMatchObject({
      code: expect.stringMatching(/INVALID_INPUT|WRONG/),
    });
  });

  test('one that would take minutes to open', async () => {
    const [header = '', ...rest] = sealed.split('.');
    const json = JSON.parse(Buffer.from(header, 'base64url').toString());
    const slow = Buffer.from(JSON.stringify({ ...json, p2c: 1e9 })).toString('base64url');
    await expect(openBackup([slow, ...rest].join('.'), PASSPHRASE)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('something else under the same passphrase', async () => {
    const jwe = await encryptWithPassword('TOP SECRET', PASSPHRASE, { alg: 'PBES2-HS512+A256KW', cty: 'json' });
    await expect(openBackup(jwe, PASSPHRASE)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: 'this is no backup of a PKI: it is not JSON',
    });
  });

  type Item = Readonly<Record<string, unknown>>;
  type Json = { readonly metadata: { readonly annotations: object }; readonly items: readonly [Item, Item, ...Item[]] };
  const HIDDEN = 'TOP-SECRET';
  const noted = (json: Json, notes: object) => ({
    ...json,
    metadata: { annotations: { ...json.metadata.annotations, ...notes } },
  });
  /** With another first (ConfigMap) or second item (Secret). */
  const first = ({ items: [item, ...others], ...json }: Json, change: object) => ({
    ...json,
    items: [{ ...item, ...change }, ...others],
  });
  const second = ({ items: [item, next, ...others], ...json }: Json, change: object) => ({
    ...json,
    items: [item, { ...next, ...change }, ...others],
  });
  test.each<[string, (json: Json) => unknown, RegExp]>([
    ['a text', () => HIDDEN, /not a List/],
    ['a list', () => [HIDDEN], /not a List/],
    ['another kind', (json) => ({ ...json, kind: HIDDEN }), /kind: must be one of List/],
    ['no items', (json) => ({ ...json, items: [] }), /at least 1/],
    ['items that are a text', (json) => ({ ...json, items: HIDDEN }), /items: must be a list/],
    ['an item that is a text', (json) => ({ ...json, items: [HIDDEN] }), /items\[0\]: must be an object/],
    ['no notes', (json) => ({ ...json, metadata: {} }), /annotations: must be an object/],
    ['a later format', (json) => noted(json, { 'autocert.step.sm/backup': '2' }), /must be one of 1/],
    ['no time', (json) => noted(json, { 'autocert.step.sm/created-at': HIDDEN }), /must be a time/],
    ['an unknown object', (json) => first(json, { metadata: { name: HIDDEN, namespace: 'step' } }), /one of ca-certs/],
    ['a path', (json) => first(json, { metadata: { name: 'ca-certs', namespace: '../x' } }), /name of a namespace/],
    ['two namespaces', (json) => first(json, { metadata: { name: 'ca-certs', namespace: 'x' } }), /several namespaces/],
    ['an object twice', (json) => ({ ...json, items: [...json.items, json.items[0]] }), /there twice/],
    ['a Secret that is a ConfigMap', (json) => second(json, { kind: 'ConfigMap' }), /kind: is not that of this object/],
    ['data that is a text', (json) => second(json, { data: HIDDEN }), /data: must be an object/],
    ['data that is a list', (json) => second(json, { data: { root_ca_key: [HIDDEN] } }), /root_ca_key: must be a text/],
    ['data that is no base64', (json) => second(json, { data: { root_ca_key: HIDDEN } }), /data: must be base64/],
    ['a file that is missing', (json) => second(json, { data: {} }), /data: has no root_ca_key/],
  ])('%s', (_, change, message) => {
    const changed = JSON.stringify(change(JSON.parse(toManifests(backup))));
    let thrown: unknown;
    try {
      fromManifests(changed);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(String(thrown)).not.toContain(HIDDEN);
  });
});

describe('restore', () => {
  test('into a cluster that has lost everything brings all objects back as they were, and makes the namespace', async () => {
    const fresh = new PkiStore();
    const report = await restore(fresh);
    expect(dataOf(fresh)).toEqual(dataOf(original));
    expect(report).toEqual({ fingerprints: [rootOf(original)], replacedRoot: false });
    expect(fresh.objects.get('/api/v1/namespaces/step')).toMatchObject({
      metadata: { labels: { 'app.kubernetes.io/part-of': 'autocert' } },
    });
  });

  test('run again changes nothing', async () => {
    await restore(store);
    expect(store.writes).toEqual([]);
    expect(said).toContain('secret/ca-password: is there already');
  });

  test('brings back the one object that was lost, and leaves the others alone', async () => {
    store.deleteSecret('ca-intermediate-key');
    await restore(store);
    expect(store.writes.map(({ path }) => path)).toEqual(
      ['/api/v1/namespaces/step/secrets'].map((path) => `${path}/ca-intermediate-key`),
    );
    expect(dataOf(store)).toEqual(dataOf(original));
  });

  test('refuses where an object differs, and names it; by force it is replaced', async () => {
    store.setSecret('autocert-password', { password: 'other' });
    const before = dataOf(store);
    await expect(restore(store)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/nothing was changed.*secret\/autocert-password: not as in the backup.*--force/s),
    });
    expect(dataOf(store)).toEqual(before);
    await restore(store, { force: true });
    expect(dataOf(store)).toEqual(dataOf(original));
  });

  test('heals an emptied Secret by force', async () => {
    store.setSecret('ca-password', {});
    await expect(restore(store)).rejects.toMatchObject({ message: expect.stringContaining('secret/ca-password') });
    await restore(store, { force: true });
    expect(dataOf(store)).toEqual(dataOf(original));
  });

  test('says where the init Job was faster; by force its PKI goes, the root key too', async () => {
    store = other.copy();
    await expect(restore(store)).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`another root \\(${rootOf(other)}, the backup's is ${rootOf(original)}\\): the init Job`),
      ),
    });
    const withoutRootKey = { ...backup, objects: new Map([...backup.objects].filter(([key]) => key !== 'rootKey')) };
    await expect(restore(store, {}, withoutRootKey)).rejects.toMatchObject({
      message: expect.stringContaining('secret/ca-root-key: not in the backup'),
    });
    expect(await restore(store, { force: true }, withoutRootKey)).toMatchObject({ replacedRoot: true });
    expect(store.secret('ca-root-key', 'root_ca_key')).toBeUndefined();
    await restore(store);
    expect(dataOf(store)).toEqual(dataOf(original));
  });

  test.each([0, 1, 2, 3, 4, 5])('that was killed before write %d is completed by the next run', async (fatal) => {
    const fresh = empty();
    let count = 0;
    fresh.beforeWrite = () => {
      if (count++ === fatal) throw new Error('killed');
    };
    await expect(restore(fresh)).rejects.toThrow('killed');
    fresh.beforeWrite = () => {};
    await restore(fresh);
    expect(dataOf(fresh)).toEqual(dataOf(original));
  });

  test('never leaves the init Job a namespace in which it would make a PKI: the provisioners come first', async () => {
    const fresh = empty();
    await restore(fresh);
    const [first, ...others] = fresh.writes.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
    expect(first).toBe('ca-provisioners');
    expect(others.slice(-2)).toEqual(['autocert-password', 'ca-password']);
  });

  test('notices an object that was made in the meantime', async () => {
    const fresh = empty();
    fresh.beforeWrite = ({ path }) => {
      if (!path.endsWith('ca-certs')) return;
      fresh.beforeWrite = () => {};
      fresh.objects.set(CERTIFICATES, structuredClone(other.objects.get(CERTIFICATES)));
    };
    await expect(restore(fresh)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('configmap/ca-certs was made by somebody else in the meantime'),
    });
  });

  test('waits for nobody: a namespace that is being deleted is said to be', async () => {
    const fresh = empty();
    fresh.objects.set('/api/v1/namespaces/step', {
      metadata: { name: 'step', deletionTimestamp: '2026-01-01T00:00:00Z' },
    });
    await expect(restore(fresh)).rejects.toMatchObject({ message: expect.stringContaining('is being deleted') });
  });

  test('into another namespace, by its name', async () => {
    const fresh = new PkiStore();
    fresh.objects.set('/api/v1/namespaces/pki', { metadata: { name: 'pki' } });
    await restore(fresh, { namespace: 'pki' });
    expect([...fresh.objects.keys()]).toContain('/api/v1/namespaces/pki/secrets/ca-password');
  });

  test('makes no namespace but its own', async () => {
    const fresh = new PkiStore();
    await expect(restore(fresh, { namespace: 'pki' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('there is no namespace pki, and the backup is of namespace step'),
    });
    expect(fresh.writes).toEqual([]);
  });

  const broken = (change: (objects: Map<PkiObjectKey, Files>) => void): Backup => {
    const objects = new Map(backup.objects);
    change(objects);
    return { ...backup, objects };
  };
  const NO_CERTIFICATE = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  test.each<[string, (objects: Map<PkiObjectKey, Files>) => void, RegExp]>([
    ['has another password', (objects) => objects.set('caPassword', { password: 'other' }), /password does not open/],
    ['lacks an object', (objects) => objects.delete('autocertPassword'), /secret\/autocert-password is missing/],
    [
      'has a damaged certificate',
      (objects) => {
        const files = objects.get('intermediateKey') ?? {};
        objects.set('intermediateKey', { ...files, 'intermediate_ca.crt': NO_CERTIFICATE });
      },
      /certificate/,
    ],
  ])('refuses a backup that %s before the first write; by force it is taken', async (_, change, message) => {
    const fresh = new PkiStore();
    await expect(restore(fresh, {}, broken(change))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    });
    expect(fresh.writes).toEqual([]);
    await restore(fresh, { force: true }, broken(change));
    expect(said).toContainEqual(expect.stringMatching(message));
    expect(fresh.secret('ca-root-key', 'root_ca_key')).toBe(original.secret('ca-root-key', 'root_ca_key'));
  });

  test('says nothing secret', async () => {
    const fresh = new PkiStore();
    await restore(fresh);
    await restore(other.copy(), { force: true });
    const text = said.join('\n');
    expect(original.secrets().length).toBeGreaterThan(5);
    for (const secret of [...original.secrets(), ...other.secrets()]) expect(text).not.toContain(secret);
  });
});
