import { PkiWorld } from '../../support/pki-world.ts';

let world: PkiWorld;
beforeEach(async () => {
  world = await PkiWorld.ready();
});

const seen = async () => {
  const stored = await world.objects.find('rootKey');
  if (stored === undefined) throw new Error('the world has no root key');
  return stored;
};
/** Somebody else's change. */
const change = async () => world.objects.replace('rootKey', { root_ca_key: 'another' }, await seen());

describe('an object is deleted', () => {
  test('as it was seen', async () => {
    await world.objects.remove('rootKey', await seen());
    expect(world.has('rootKey')).toBe(false);
  });

  test('or was already', async () => {
    const stored = await seen();
    world.remove('rootKey');
    await world.objects.remove('rootKey', stored);
    expect(world.store.writes).toEqual([]);
  });

  test.each(['before it is marked', 'before it is deleted'])('but not when somebody changes it %s', async (moment) => {
    const stored = await seen();
    const request = world.store.request.bind(world.store);
    if (moment === 'before it is marked') await change();
    else world.store.request = (...args) => change().then(() => request(...args));
    await expect(world.objects.remove('rootKey', stored)).rejects.toMatchObject({ status: 409 });
    expect(world.files('rootKey')).toEqual({ root_ca_key: 'another' });
  });
});
