import { PkiFile } from '../../../runtime/contract.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { interpret, type RotationPhase, readObjects } from '../../../runtime/pki/cluster-pki.ts';
import { rotateCaPassword } from '../../../runtime/pki/password-rotation.ts';
import { renewIntermediate } from '../../../runtime/pki/renew-intermediate.ts';
import { retire } from '../../../runtime/pki/retire.ts';
import { abort, announce, switchRoot } from '../../../runtime/pki/rotation.ts';
import { fingerprintOf, verifyChain } from '../../../runtime/x509/certificate.ts';
import { openKey } from '../../../runtime/x509/private-key.ts';
import { agentPod, PkiWorld } from '../../support/pki-world.ts';

let world: PkiWorld;
let first: string;
beforeEach(async () => {
  world = await PkiWorld.ready();
  first = world.roots[0] ?? '';
  world.pass(100);
  world.store.objects.set('/api/v1/namespaces/step/configmaps/ca-config', {
    metadata: { name: 'ca-config' },
    data: { 'ca.json': JSON.stringify({ authority: { claims: { maxTLSCertDuration: '48h' } } }) },
  });
});

const steps = {
  announce: () => announce(world.objects, { now: world.now }),
  switch: () => switchRoot(world.objects, { now: world.now }),
  retire: (force = false) => retire(world.store, world.objects, { now: world.now, force }),
  abort: () => abort(world.objects),
};
const phase = async (): Promise<RotationPhase | undefined> =>
  interpret(world.objects, await readObjects(world.objects))?.phase;
const pods = (...roots: (readonly string[])[]) =>
  world.store.lists.set(
    '/api/v1/pods',
    roots.map((bundle, index) => agentPod(`pod-${index}`, bundle)),
  );

/** What anybody trusts who was told of roots at some time in this rotation: a leaf of now verifies by it. */
async function expectTrusted(...bundles: (readonly string[])[]): Promise<void> {
  const leaf = await world.issue(1);
  for (const bundle of bundles) verifyChain(leaf, bundle, world.now);
}

test('goes from phase to phase, and a leaf of any phase verifies by what pods of any phase trust', async () => {
  expect(await phase()).toBe('none');
  const early = await world.issue(90);
  expect(await steps.announce()).toContain('"Autocert Root CA 2" is announced');
  expect(await phase()).toBe('announced');
  const both = world.roots;
  expect(both.map(fingerprintOf)[0]).toBe(fingerprintOf(first));
  expect(both).toHaveLength(2);
  await expectTrusted([first], both);

  expect(await steps.switch()).toContain('signs under "Autocert Root CA 2"');
  expect(await phase()).toBe('switched');
  const second = both[1] ?? '';
  expect(world.chain).toHaveLength(2);
  await expectTrusted([first], both, [second]);
  verifyChain(early, both, world.now);

  world.pass(3);
  const text = await steps.retire();
  expect(text).toContain('"Autocert Root CA" is retired: trusted is "Autocert Root CA 2" alone.');
  expect(text).toContain("the old root's key is gone");
  expect(await phase()).toBe('none');
  expect(world.roots).toEqual([second]);
  expect(world.chain).toHaveLength(1);
  expect(world.has('nextRoot')).toBe(false);
  await expectTrusted(both, [second]);
  await world.init();
  expect(world.roots).toEqual([second]);
});

test('each step, once done, says so when it is asked for again, and changes nothing', async () => {
  for (const step of ['announce', 'switch'] as const) {
    await steps[step]();
    const before = structuredClone(world.store.objects);
    await steps[step]();
    expect(world.store.objects).toEqual(before);
  }
  expect(await steps.announce()).toContain('already');
  world.pass(3);
  await steps.retire();
  expect(await steps.retire()).toContain('nothing to retire');
  expect(await steps.abort()).toContain('nothing to abort');
});

/** Steps, what has to be done before, and how many writes each has. */
const KILLS = [
  { step: 'announce', before: [], writes: 3, after: 'announced' },
  { step: 'switch', before: ['announce'], writes: 2, after: 'switched' },
  // the key of the root, the intermediate, its copy; then the new root's Secret is marked, and deleted
  { step: 'retire', before: ['announce', 'switch'], writes: 5, after: 'none' },
  { step: 'abort', before: ['announce'], writes: 4, after: 'none' },
] as const;

test.each(KILLS.flatMap((kill) => Array.from({ length: kill.writes }, (_, fatal) => ({ ...kill, fatal }))))(
  '$step, killed at write $fatal, is brought to its end by running it again, with a CronJob in between or without',
  async ({ step, before, fatal, after }) => {
    for (const cron of [false, true]) {
      world = await PkiWorld.ready();
      for (const one of before) await steps[one]();
      // certificates of the old intermediate have expired
      world.pass(100);
      const goOn = world.failWrite(fatal);
      await expect(steps[step]()).rejects.toThrow('killed');
      goOn();
      await expectTrusted([...world.roots]);
      if (before.length < 2) await expectTrusted([first]);
      if (cron) await world.init();
      await steps[step]();
      expect(await phase()).toBe(after);
      await expectTrusted([...world.roots]);
      expect(await world.init()).toMatchObject({ created: [], updated: [], renewed: false });
    }
  },
);

test('writes are counted: a step that is not killed has no more of them', async () => {
  for (const { step, before, writes } of KILLS) {
    world = await PkiWorld.ready();
    for (const one of before) await steps[one]();
    world.pass(100);
    world.store.writes.length = 0;
    await steps[step]();
    expect({ step, writes: world.store.writes.length }).toEqual({ step, writes });
  }
});

test.each(['announce', 'switch'] as const)('%s by two at a time ends with one new root', async (step) => {
  if (step === 'switch') await steps.announce();
  await Promise.all([steps[step](), steps[step](), world.init()]);
  expect(world.roots).toHaveLength(2);
  await expectTrusted([first], world.roots);
  expect(await world.init()).toMatchObject({ updated: [] });
});

test('the renewal of the intermediate during a rotation keeps the cross certificate', async () => {
  await steps.announce();
  await steps.switch();
  const [, cross] = world.chain;
  world.pass(366);
  expect(await world.init()).toMatchObject({ renewed: true });
  expect(world.chain[1]).toBe(cross);
  await expectTrusted([first], world.roots, world.roots.slice(1));
});

test('abort has the announced root trusted no more', async () => {
  await steps.announce();
  await steps.abort();
  expect(world.roots).toEqual([first]);
  expect(world.has('nextRoot')).toBe(false);
});

describe('two operators at a time', () => {
  /** Has the first call of this kind wait for what somebody else does. */
  const meanwhile = (
    method: 'request' | 'update',
    isIt: (...args: string[]) => boolean,
    run: () => Promise<unknown>,
  ) => {
    const { store } = world;
    let isDone = false;
    const first = async (...args: readonly unknown[]) => {
      if (isDone || !isIt(...args.map(String))) return;
      isDone = true;
      await run();
    };
    const [request, update] = [store.request.bind(store), store.update.bind(store)];
    if (method === 'request') store.request = (...args) => first(...args).then(() => request(...args));
    else store.update = (...args) => first(...args).then(() => update(...args));
  };

  test('retire and the password: what is left of the key is under the new one', async () => {
    const rootKey = world.takeKey('rootKey');
    await announce(world.objects, { now: world.now, rootKey });
    await steps.switch();
    world.pass(3);
    meanwhile(
      'request',
      (_, path) => path === '/api/v1/pods',
      () => rotateCaPassword(world.objects, { say: () => {}, rootKeyElsewhere: true }),
    );
    await steps.retire();
    expect(world.has('nextRoot')).toBe(false);
    openKey(new Secret(world.file('rootKey', PkiFile.rootKey)), world.password, 'the key of the new root');
  });

  test('abort and announce, before the root is forgotten: it is trusted no more', async () => {
    await steps.announce();
    meanwhile('request', (method) => method === 'DELETE', steps.announce);
    await steps.abort();
    expect(world.has('nextRoot')).toBe(false);
    expect(world.roots).toEqual([first]);
  });

  test('announce and abort, before the root is trusted: it is not', async () => {
    meanwhile('update', (path) => path === world.path('intermediateKey'), steps.abort);
    await expect(steps.announce()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the new root is gone: somebody has aborted the rotation',
    });
    expect(world.has('nextRoot')).toBe(false);
    expect(world.roots).toEqual([first]);
  });
});

describe('is refused:', () => {
  const refusal = (promise: Promise<string>) =>
    promise.then(
      () => 'done',
      (error: unknown) => (error instanceof AutocertError ? `${error.code} ${error.message}` : String(error)),
    );

  test('switch before announce, retire before switch, abort after switch', async () => {
    expect(await refusal(steps.switch())).toMatch(/^INVALID_INPUT no new root is announced/);
    await steps.announce();
    expect(await refusal(steps.retire())).toMatch(/^INVALID_INPUT the CA signs under the old root/);
    expect(await refusal(steps.retire(true))).toMatch(/^INVALID_INPUT/);
    await steps.switch();
    expect(await refusal(steps.abort())).toMatch(/^INVALID_INPUT the CA signs under the new root already/);
  });

  test('any of them where there is no PKI', async () => {
    world = new PkiWorld();
    expect(await refusal(steps.announce())).toMatch(/^INVALID_CONFIG namespace step has no PKI/);
  });

  test('retire, while certificates of the old root may be valid, and until when', async () => {
    await steps.announce();
    await steps.switch();
    const switched = +world.now;
    world.pass(2);
    const until = new Date(switched + 49 * 3_600_000).toISOString();
    expect(await refusal(steps.retire())).toContain(`may be valid until ${until}`);
    expect(await refusal(steps.retire())).toContain('autocert renew --all');
    world.pass(0.1);
    expect(await refusal(steps.retire())).toBe('done');
  });

  test('retire, while pods pin the old root only: twenty are named', async () => {
    await steps.announce();
    await steps.switch();
    world.pass(3);
    const old = Array.from({ length: 300 }, () => [first]);
    pods(world.roots, ...old, [], world.roots.slice(1));
    const before = structuredClone(world.store.objects);
    const text = await refusal(steps.retire());
    // An agent without any root knows the new one as little.
    expect(text).toContain('FORBIDDEN 301 pods know the old root only');
    expect(text).toContain('\n  shop/pod-1\n');
    expect(text).toContain('\n  shop/pod-20\n  and 281 more');
    expect(text).not.toContain('pod-21');
    expect(world.store.objects).toEqual(before);
    pods(world.roots, world.roots.slice(1));
    expect(await steps.retire()).not.toContain('Forced');
  });

  test('but not for the agents of another installation in the cluster, which trust its roots', async () => {
    await steps.announce();
    await steps.switch();
    world.pass(3);
    world.store.lists.set('/api/v1/pods', [agentPod('elsewhere', [first], 'tls')]);
    expect(await refusal(steps.retire())).toBe('done');
  });

  test('but not for pods and containers that only look like agents', async () => {
    await steps.announce();
    await steps.switch();
    world.pass(3);
    const pod = agentPod('x', [first]);
    const [agent] = pod.spec?.initContainers ?? [];
    const another = { ...agent, name: 'another' };
    world.store.lists.set('/api/v1/pods', [
      { ...pod, metadata: { name: 'not-injected', namespace: 'shop' } },
      { ...pod, spec: { containers: [another], initContainers: [another] } },
    ]);
    expect(await refusal(steps.retire())).toBe('done');
  });

  test('and --force goes on, and says in spite of what', async () => {
    await steps.announce();
    await steps.switch();
    pods([first]);
    const text = await steps.retire(true);
    expect(text).toContain('Forced, although');
    expect(text).toContain('shop/pod-0');
    expect(world.roots).toHaveLength(1);
  });
});

describe("with the root's key outside of the cluster", () => {
  test('each step takes the key that it needs, and no other', async () => {
    const oldKey = world.takeKey('rootKey');
    await expect(steps.announce()).rejects.toMatchObject({ message: expect.stringContaining('--root-key FILE') });
    await announce(world.objects, { now: world.now, rootKey: oldKey });
    const newKey = world.takeKey('nextRoot');
    await expect(steps.switch()).rejects.toMatchObject({ message: expect.stringContaining('--root-key FILE') });
    await expect(switchRoot(world.objects, { now: world.now, rootKey: oldKey })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('root_ca_key is not the key of "Autocert Root CA 2"'),
    });
    await switchRoot(world.objects, { now: world.now, rootKey: newKey });
    world.pass(3);
    expect(await steps.retire()).toContain("The new root's key is not in the cluster");
    expect(world.has('rootKey')).toBe(false);
    await expectTrusted(world.roots);
  });

  test('the key of the new root may stay: at the end it is where that of the old one was', async () => {
    const oldKey = world.takeKey('rootKey');
    await announce(world.objects, { now: world.now, rootKey: oldKey });
    await steps.switch();
    world.pass(3);
    await steps.retire();
    expect(world.file('rootKey', PkiFile.root)).toBe(world.roots[0]);
  });

  test('the intermediate is renewed by hand when it is due, or by force', async () => {
    const rootKey = world.takeKey('rootKey');
    const [before] = world.chain;
    expect(await renewIntermediate(world.objects, { rootKey, now: world.now })).toContain('left alone');
    expect(world.chain[0]).toBe(before);
    await renewIntermediate(world.objects, { rootKey, now: world.now, force: true });
    expect(world.chain[0]).not.toBe(before);
    world.pass(366);
    await expect(renewIntermediate(world.objects, { now: world.now })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await renewIntermediate(world.objects, { rootKey, now: world.now })).toContain('A new intermediate');
    await expectTrusted([first]);
  });

  test('an intermediate that was lost is made again from the published certificates and that key', async () => {
    const rootKey = world.takeKey('rootKey');
    world.remove('intermediateKey');
    expect(await renewIntermediate(world.objects, { rootKey, now: world.now })).toContain('A new intermediate');
    await expectTrusted([first]);
    expect(await world.init()).toMatchObject({ created: [], updated: [] });
  });
});
