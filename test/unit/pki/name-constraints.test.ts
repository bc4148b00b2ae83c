import { initPki } from '../../../runtime/pki/init-in-cluster.ts';
import type { PermittedNames } from '../../../runtime/pki/intermediate.ts';
import { renewIntermediate } from '../../../runtime/pki/renew-intermediate.ts';
import { announce, switchRoot } from '../../../runtime/pki/rotation.ts';
import { encodeNameConstraints } from '../../../runtime/x509/name-constraints.ts';
import { nameConstraintsOf } from '../../../runtime/x509/signing.ts';
import { PkiWorld } from '../../support/pki-world.ts';

const NAMES = ['svc', 'cluster.local'];

let world: PkiWorld;
beforeEach(async () => {
  world = await PkiWorld.ready();
});

const init = (permitted?: PermittedNames) =>
  initPki(world.store, { namespace: 'step', log: world.log, now: world.now, ...(permitted && { permitted }) });
const found = () => {
  const der = nameConstraintsOf(world.chain[0] ?? '');
  return der && Buffer.from(der).toString('hex');
};
const of = (names: readonly string[]) => encodeNameConstraints(names).toString('hex');

test('a new PKI has none unless they are asked for', async () => {
  expect(found()).toBeUndefined();
  world = new PkiWorld();
  await init(NAMES);
  expect(found()).toBe(of(NAMES));
});

test('a change has the intermediate replaced, once', async () => {
  expect((await init(NAMES)).renewed).toBe(true);
  expect(found()).toBe(of(NAMES));
  expect((await init(NAMES)).renewed).toBe(false);
  expect((await init([...NAMES, 'example.com'])).renewed).toBe(true);
  expect((await init('any')).renewed).toBe(true);
  expect(found()).toBeUndefined();
});

test('they stay when nothing is said: at each run, at renewal, by hand, and under a new root', async () => {
  await init(NAMES);
  expect((await init()).renewed).toBe(false);
  world.pass(370);
  expect((await init()).renewed).toBe(true);
  expect(found()).toBe(of(NAMES));
  await renewIntermediate(world.objects, { now: world.now, force: true });
  expect(found()).toBe(of(NAMES));
  await announce(world.objects, { now: world.now });
  await switchRoot(world.objects, { now: world.now });
  expect(world.chain).toHaveLength(2);
  expect(found()).toBe(of(NAMES));
});

test("where the root's key is elsewhere the Job says what to run, and by that they change", async () => {
  const rootKey = world.takeKey('rootKey');
  expect((await init(NAMES)).renewed).toBe(false);
  expect(found()).toBeUndefined();
  expect(world.log.lines).toContainEqual(
    expect.objectContaining({
      fields: expect.objectContaining({ command: 'autocert pki intermediate --root-key FILE --permit NAMES' }),
    }),
  );
  await renewIntermediate(world.objects, { now: world.now, permitted: NAMES, rootKey });
  expect(found()).toBe(of(NAMES));
});
