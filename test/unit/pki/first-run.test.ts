import { AutocertError } from '../../../runtime/lib/errors.ts';
import { PkiWorld } from '../../support/pki-world.ts';

let world: PkiWorld;
beforeEach(() => {
  world = new PkiWorld();
});

/** Lets nothing be read but what the Job's account may read. */
function readNothing(): void {
  const { get } = world.store;
  world.store.get = (path) => {
    if (/\/(ca-certs|ca-draft)$/.test(path)) return get.call(world.store, path) as never;
    throw new AutocertError('FORBIDDEN', `get ${path}`, { status: 403 });
  };
}

const writes = () => world.store.writes.length;

test('the PKI is made by an account that may read neither keys nor passwords, and the CronJob finds nothing to do', async () => {
  const allowed = world.store.get;
  readNothing();
  await world.create();
  world.store.get = allowed;
  expect(await world.upkeep()).toMatchObject({ created: [], updated: [], advice: [] });
});

test('where there is one nothing is written, and its fingerprint is said', async () => {
  await world.init();
  const before = writes();
  readNothing();
  await world.create();
  expect(writes()).toBe(before);
  expect(world.log.lines.at(-1)?.fields.fingerprints).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
});

test.each([...Array(9).keys()])('killed at write %d, it is gone on from, however long ago that was', async (fatal) => {
  readNothing();
  const goOn = world.failWrite(fatal);
  await expect(world.create()).rejects.toThrow('killed');
  goOn();
  world.pass(30);
  await world.create();
  expect([...world.store.objects.keys()].filter((path) => path.endsWith('/ca-draft'))).toEqual([]);
  expect(world.roots).toHaveLength(1);
});

test('one that was slower than a whole first run of another leaves that PKI alone', async () => {
  const other = new PkiWorld();
  await other.init();
  let isFirst = true;
  world.store.beforeWrite = ({ path }) => {
    if (!isFirst) return;
    isFirst = false;
    expect(path).toMatch(/\/ca-draft$/);
    for (const [key, object] of other.store.objects) world.store.objects.set(key, structuredClone(object));
  };
  await world.create();
  expect(world.roots).toEqual(other.roots);
  expect(world.store.objects).toEqual(other.store.objects);
});

test('beside what is left of a PKI none is made, and it is said who heals it', async () => {
  await world.init();
  world.remove('certificates');
  const before = writes();
  await expect(world.create()).rejects.toThrow(
    /has secret\/ca-provisioners, .*, and not configmap\/ca-certs.*--from=cronjob\/autocert-pki/s,
  );
  expect(writes()).toBe(before);
  await world.upkeep();
  await world.create();
});

test('the CronJob makes no PKI', async () => {
  await expect(world.upkeep()).rejects.toThrow(/namespace step has no PKI: the Job autocert-init makes one/);
  expect(writes()).toBe(0);
});
