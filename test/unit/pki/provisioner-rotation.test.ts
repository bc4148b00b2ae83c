import { Secret } from '../../../runtime/lib/secret.ts';
import {
  type ProvisionerRotationOptions,
  rotateAdminProvisioner,
  rotateAutocertProvisioner,
} from '../../../runtime/pki/provisioner-rotation.ts';
import { createProvisioner } from '../../../runtime/step-ca/one-time-token.ts';
import { PkiStore } from '../../support/pki-in-cluster.ts';

let original: PkiStore;
beforeAll(async () => {
  original = await PkiStore.make();
});

let store: PkiStore;
let said: string[];
/** Milliseconds waited, and how often. */
let waited: number[];
let stop: AbortController;
beforeEach(() => {
  store = original.copy();
  said = [];
  waited = [];
  stop = new AbortController();
});

const run = (options: Partial<ProvisionerRotationOptions> = {}) =>
  rotateAutocertProvisioner(store.pki, {
    say: (line) => said.push(line),
    waitMs: 25_000,
    sleep: async (ms) => {
      waited.push(ms);
    },
    signal: stop.signal,
    ...options,
  });

const keyOf = (some: PkiStore) => some.provisioner('autocert').key.kid;
const password = (some: PkiStore) => some.secret('autocert-password', 'password');

async function expectRotated(): Promise<void> {
  expect(keyOf(store)).not.toBe(keyOf(original));
  expect(password(store)).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(password(store)).not.toBe(password(original));
  expect(store.secret('autocert-password', 'next-password')).toBeUndefined();
  expect(await store.opening('autocert', 'autocert-password')).toBe(0);
  expect(store.provisioner('admin')).toEqual(original.provisioner('admin'));
}

describe('autocert', () => {
  test('gets a new key and a new password, and keeps its claims and its place', async () => {
    const claims = { maxTLSCertDuration: '48h' };
    const list = [{ ...original.provisioner('autocert'), claims }, original.provisioner('admin')];
    store.setSecret('ca-provisioners', { 'provisioners.json': JSON.stringify(list) });
    await run();
    await expectRotated();
    const after = JSON.parse(store.secret('ca-provisioners', 'provisioners.json') ?? '');
    expect(after[0]).toMatchObject({ name: 'autocert', type: 'JWK', claims });
  });

  test('is waited for twice: before the CA has the new key, and before the old password goes', async () => {
    const order: string[] = [];
    store.afterWrite = ({ path }) => order.push(path.slice(path.lastIndexOf('/') + 1));
    await run({
      sleep: async (ms) => {
        order.push(String(ms));
      },
    });
    const wait = ['10000', '10000', '5000'];
    expect(order).toEqual(['autocert-password', ...wait, 'ca-provisioners', ...wait, 'autocert-password']);
    expect(said.filter((line) => line.startsWith('waits'))).toHaveLength(6);
  });

  test('needs no wait where nobody wants one', async () => {
    await run({ waitMs: 0 });
    expect(waited).toEqual([]);
    await expectRotated();
  });

  test('opens with one of the two passwords at every moment', async () => {
    const openings: Promise<number>[] = [];
    store.afterWrite = () => openings.push(store.opening('autocert', 'autocert-password'));
    await run();
    expect(await Promise.all(openings)).toEqual([0, 1, 0]);
  });

  test.each([
    ['before', 0],
    ['before', 1],
    ['before', 2],
    ['after', 0],
    ['after', 1],
  ])('a run that was killed %s write %d is completed by the next one', async (when, fatal) => {
    let count = 0;
    const kill = () => {
      if (count++ === fatal) throw new Error('killed');
    };
    if (when === 'before') store.beforeWrite = kill;
    else store.afterWrite = kill;
    await expect(run()).rejects.toThrow('killed');
    expect(await store.opening('autocert', 'autocert-password')).not.toBe(-1);
    store.checkCaStarts();
    store.beforeWrite = () => {};
    store.afterWrite = () => {};
    await run();
    await expectRotated();
  });

  test.each([1, 4])('Ctrl-C in pause %d says how to go on; the next run makes no other key', async (pause) => {
    const stopping = run({
      sleep: async () => {
        waited.push(0);
        if (waited.length === pause) stop.abort();
      },
    });
    await expect(stopping).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('Run the command again to finish'),
    });
    const next = store.secret('autocert-password', 'next-password');
    const key = keyOf(store);
    stop = new AbortController();
    await run();
    await expectRotated();
    expect(password(store)).toBe(next);
    if (pause === 4) expect(keyOf(store)).toBe(key);
  });

  test('is left alone when its password does not open its key', async () => {
    store.setSecret('autocert-password', { password: 'other' });
    const before = structuredClone(store.objects);
    await expect(run()).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: expect.stringContaining('secret/autocert-password does not open the key of provisioner "autocert"'),
    });
    expect(store.objects).toEqual(before);
  });

  test('has to be there', async () => {
    const list = [original.provisioner('admin')];
    store.setSecret('ca-provisioners', { 'provisioners.json': JSON.stringify(list) });
    await expect(run()).rejects.toMatchObject({ message: expect.stringContaining('it has "admin"') });
  });

  test('has nothing secret said of it', async () => {
    let secrets = store.secrets();
    store.afterWrite = () => {
      secrets = [...secrets, ...store.secrets()];
    };
    await run();
    const text = said.join('\n');
    expect(secrets.length).toBeGreaterThan(20);
    for (const secret of secrets) expect(text).not.toContain(secret);
  });
});

describe('admin', () => {
  const rotate = () => rotateAdminProvisioner(store.pki, { say: (line) => said.push(line) });

  test('gets a new key under the password of the CA, at once', async () => {
    await rotate();
    expect(store.provisioner('admin').key.kid).not.toBe(original.provisioner('admin').key.kid);
    expect(await store.opening('admin', 'ca-password')).toBe(0);
    expect(store.writes).toHaveLength(1);
  });

  test('waits until the password of the CA is replaced', async () => {
    store.setSecret('ca-password', { password: store.secret('ca-password', 'password') ?? '', 'next-password': 'x' });
    await expect(rotate()).rejects.toMatchObject({ message: expect.stringContaining('autocert pki password') });
  });

  test('is left alone when it has a password of its own', async () => {
    const own = await createProvisioner('admin', new Secret('its own'));
    const list = JSON.stringify([own, original.provisioner('autocert')]);
    store.setSecret('ca-provisioners', { 'provisioners.json': list });
    await expect(rotate()).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
    expect(store.secret('ca-provisioners', 'provisioners.json')).toBe(list);
  });
});
