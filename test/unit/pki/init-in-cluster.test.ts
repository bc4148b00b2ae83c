import { PkiFile } from '../../../runtime/contract.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import type { PkiObjectKey } from '../../../runtime/pki/cluster-objects.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { type JwkProvisioner, TokenSigner } from '../../../runtime/step-ca/one-time-token.ts';
import { fingerprintOf, validityOf, verifyChain } from '../../../runtime/x509/certificate.ts';
import { openKey } from '../../../runtime/x509/private-key.ts';
import { PkiWorld } from '../../support/pki-world.ts';

const ORDER = ['ca-password', 'autocert-password', 'ca-root-key', 'ca-intermediate-key', 'ca-provisioners', 'ca-certs'];
/** The draft is created, then annotated so that it may go, then deleted. */
const FIRST_RUN = ['ca-draft', ...ORDER, 'ca-draft', 'ca-draft'];

let world: PkiWorld;
beforeEach(() => {
  world = new PkiWorld();
});

const written = () => world.store.writes.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
const warnings = () => world.log.lines.filter(({ level }) => level === 'warn');

async function expectUsablePki(): Promise<void> {
  const { password } = world;
  if (world.has('rootKey')) openKey(new Secret(world.file('rootKey', PkiFile.rootKey)), password, 'root');
  verifyChain(await world.issue(1), world.roots, world.now);
  expect(world.files('certificates')).toEqual({
    [PkiFile.root]: world.file('intermediateKey', PkiFile.root),
    [PkiFile.intermediate]: world.file('intermediateKey', PkiFile.intermediate),
  });
  const provisioners: JwkProvisioner[] = JSON.parse(world.file('provisioners', PkiFile.provisioners));
  if (provisioners.length === 0) return;
  const [admin, autocert] = provisioners;
  if (!admin || !autocert) throw new Error('two provisioners are wanted');
  await TokenSigner.open(admin, password);
  await TokenSigner.open(autocert, new Secret(world.file('autocertPassword', PkiFile.password)));
}

/** Nothing is written, and the error says so. */
async function expectRefusal(code: string, ...words: string[]): Promise<string> {
  const before = structuredClone(world.store.objects);
  const error = await world.init().then(
    () => undefined,
    (thrown: { code?: string; message: string }) => thrown,
  );
  expect(error).toMatchObject({ code });
  for (const word of words) expect(error?.message).toContain(word);
  expect(world.store.objects).toEqual(before);
  return error?.message ?? '';
}

describe('in an empty namespace', () => {
  test('the whole PKI is made, each object before those that need it', async () => {
    const report = await world.init();
    expect(written()).toEqual(FIRST_RUN);
    expect(world.store.objects.size).toBe(ORDER.length);
    expect(report).toMatchObject({ created: expect.arrayContaining(['configmap/ca-certs']), kept: [], advice: [] });
    await expectUsablePki();
  });

  test('the root lasts ten years and the intermediate two; each Secret has its certificate and the root', async () => {
    await world.init('Corp');
    const years = (pem = '') => (+validityOf(pem).notAfter - +world.now) / (365 * 86_400_000);
    expect([years(world.roots[0]), years(world.chain[0])]).toEqual([10, 2]);
    expect(world.file('rootKey', PkiFile.root)).toBe(world.roots[0]);
    expect(world.file('intermediateKey', PkiFile.root)).toBe(world.roots[0]);
  });

  test('keys are encrypted, and passwords have 32 letters and digits', async () => {
    await world.init();
    expect(world.file('rootKey', PkiFile.rootKey)).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(world.file('intermediateKey', PkiFile.intermediateKey)).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(world.password.reveal()).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(world.file('autocertPassword', PkiFile.password)).not.toBe(world.password.reveal());
  });

  test('the fingerprint is logged, and how to read the passwords; the passwords are not', async () => {
    const { fingerprints } = await world.init();
    const log = JSON.stringify(world.log.lines);
    expect(log).toContain(fingerprints[0]);
    expect(log).toContain('kubectl -n step get secret ca-password');
    expect(log).not.toContain(world.password.reveal());
    expect(log).not.toContain(world.file('autocertPassword', PkiFile.password));
    expect(log).not.toContain('PRIVATE KEY');
  });
});

describe('run again', () => {
  test('it changes nothing', async () => {
    await world.init();
    const before = structuredClone(world.store.objects);
    const report = await world.init();
    expect(world.store.objects).toEqual(before);
    expect(world.store.writes).toHaveLength(FIRST_RUN.length);
    expect(report).toMatchObject({ created: [], updated: [], renewed: false });
  });

  test.each([...FIRST_RUN.keys()])('after it was killed at write %d, it completes the PKI', async (fatal) => {
    const goOn = world.failWrite(fatal);
    await expect(world.init()).rejects.toThrow('killed');
    goOn();
    const before = structuredClone(world.store.objects);
    await world.init();
    const kept = [...before].filter(([path]) => !path.endsWith('/ca-draft'));
    for (const [path, object] of kept) expect(world.store.objects.get(path)).toEqual(object);
    expect(world.store.objects.size).toBe(ORDER.length);
    await expectUsablePki();
  });

  test('at the same time, all end with the same PKI', async () => {
    const reports = await Promise.all([world.init(), world.init(), world.init()]);
    expect(new Set(reports.map(({ fingerprints }) => fingerprints[0])).size).toBe(1);
    // A slower one may have made a draft for nothing.
    expect(written().filter((name) => name !== 'ca-draft')).toEqual(ORDER);
    await expectUsablePki();
  });

  test("after the root's key was taken out of the cluster, it goes on without", async () => {
    await world.init();
    world.takeKey('rootKey');
    await world.init();
    expect(world.has('rootKey')).toBe(false);
    expect(world.store.writes).toHaveLength(FIRST_RUN.length);
  });
});

describe('heals, with the same root:', () => {
  let fingerprint: string;
  beforeEach(async () => {
    world = await PkiWorld.ready();
    fingerprint = fingerprintOf(world.roots[0] ?? '');
    world.pass(40);
  });
  const expectHealed = async () => {
    const { fingerprints } = await world.init();
    expect(fingerprints).toEqual([fingerprint]);
    await expectUsablePki();
  };

  test.each<[PkiObjectKey]>([['certificates'], ['intermediateKey'], ['provisioners']])(
    '%s was deleted',
    async (key) => {
      world.remove(key);
      await expectHealed();
    },
  );

  test.each<[PkiObjectKey]>([['certificates'], ['intermediateKey']])('%s was emptied', async (key) => {
    world.put(key, {});
    await expectHealed();
  });

  test('both objects with certificates were deleted', async () => {
    world.remove('certificates');
    world.remove('intermediateKey');
    await expectHealed();
  });

  test("the certificates were deleted, and the root's key is elsewhere", async () => {
    world.takeKey('rootKey');
    world.remove('certificates');
    await expectHealed();
  });

  test('the certificates were overwritten by those of another PKI', async () => {
    const { rootPem, intermediatePem } = await createPki('Other');
    world.put('certificates', { [PkiFile.root]: rootPem, [PkiFile.intermediate]: intermediatePem });
    expect((await world.init()).updated).toEqual(['configmap/ca-certs']);
    await expectHealed();
  });

  test('the PKI is of an older version: the Secrets get their copies', async () => {
    world.makeOld();
    expect((await world.init()).updated).toEqual(['secret/ca-intermediate-key', 'secret/ca-root-key']);
    expect(fingerprintOf(world.file('rootKey', PkiFile.root))).toBe(fingerprint);
    await expectHealed();
  });

  test.each([0, 1])('the same, killed at write %d', async (fatal) => {
    world.makeOld();
    const goOn = world.failWrite(fatal);
    await expect(world.init()).rejects.toThrow('killed');
    goOn();
    await expectHealed();
    expect(fingerprintOf(world.file('rootKey', PkiFile.root))).toBe(fingerprint);
  });

  test('what others have put on an object stays when it is replaced', async () => {
    const annotations = { 'argocd.argoproj.io/tracking-id': 'x' };
    const object = world.store.objects.get(world.path('certificates')) as { metadata: object };
    world.store.objects.set(world.path('certificates'), { ...object, metadata: { ...object.metadata, annotations } });
    world.put('certificates', {});
    await world.init();
    expect(world.store.objects.get(world.path('certificates'))).toMatchObject({ metadata: { annotations } });
  });
});

describe('never makes a new root, and says what to restore, when', () => {
  beforeEach(async () => {
    world = await PkiWorld.ready();
    world.pass(1);
  });

  test.each<[PkiObjectKey, string]>([
    ['caPassword', 'secret/ca-password is missing in namespace step, but secret/ca-root-key'],
    [
      'autocertPassword',
      'secret/autocert-password is missing in namespace step, but secret/ca-provisioners, made with it, exists',
    ],
  ])('%s was deleted', async (key, message) => {
    world.remove(key);
    await expectRefusal('INVALID_CONFIG', message, 'autocert pki restore');
  });

  test("the intermediate's key was lost, and that of the root is elsewhere", async () => {
    world.takeKey('rootKey');
    world.remove('intermediateKey');
    await expectRefusal(
      'INVALID_CONFIG',
      'restore secret/ca-intermediate-key from a backup',
      'autocert pki intermediate --root-key FILE',
    );
  });

  test.each([
    ['in the cluster', () => {}],
    ['elsewhere', () => void world.takeKey('rootKey')],
  ])('the certificates of an older version were lost, and the key of the root is %s', async (_where, takeAway) => {
    world.makeOld();
    takeAway();
    world.remove('certificates');
    await expectRefusal(
      'INVALID_CONFIG',
      'the root certificate is lost',
      'restore configmap/ca-certs',
      'autocert pki restore',
    );
  });

  test.each<[string, readonly PkiObjectKey[]]>([
    ['passwords and provisioners', ['rootKey', 'intermediateKey', 'certificates']],
    ["provisioners and the webhook's password", ['rootKey', 'intermediateKey', 'certificates', 'caPassword']],
    ['passwords', ['rootKey', 'intermediateKey', 'certificates', 'provisioners']],
  ])('only %s are left', async (_what, lost) => {
    for (const key of lost) world.remove(key);
    const message = await expectRefusal('INVALID_CONFIG', 'autocert pki restore');
    if (lost.includes('provisioners')) expect(message).toContain('to begin anew');
    else expect(message).not.toContain('delete');
  });
});

describe('what does not fit together is said, and left alone:', () => {
  beforeEach(async () => {
    await world.init();
  });

  test('a password was changed', async () => {
    world.put('caPassword', { password: 'other' });
    await expectRefusal('WRONG_PASSWORD', 'the password does not open secret/ca-intermediate-key');
  });

  test("the provisioner's password was changed", async () => {
    world.put('autocertPassword', { password: 'other' });
    await expectRefusal('INVALID_CONFIG', 'secret/autocert-password and secret/ca-provisioners do not belong together');
  });

  test('the certificates beside the intermediate key are of another PKI', async () => {
    const { rootPem, intermediatePem } = await createPki('Other');
    const files = {
      ...world.files('intermediateKey'),
      [PkiFile.root]: rootPem,
      [PkiFile.intermediate]: intermediatePem,
    };
    world.put('intermediateKey', files);
    await expectRefusal('INVALID_CONFIG', 'the key is not that of the intermediate certificate');
  });

  test('a password is empty', async () => {
    world.put('caPassword', {});
    await expectRefusal('INVALID_CONFIG', 'secret/ca-password in namespace step has no password');
  });
});

test('keys under the password that is about to replace the other are opened too', async () => {
  await world.init();
  world.put('caPassword', { [PkiFile.password]: 'about to go', [PkiFile.nextPassword]: world.password.reveal() });
  expect(await world.init()).toMatchObject({ created: [], updated: [] });
});

describe('the intermediate', () => {
  beforeEach(async () => {
    world = await PkiWorld.ready();
  });

  test('is renewed, with a new key, when less than half of its life is left', async () => {
    const [before] = world.chain;
    world.pass(364);
    expect(await world.init()).toMatchObject({ renewed: false });
    expect(world.chain[0]).toBe(before);
    world.pass(2);
    const old = await world.issue(90);
    expect(await world.init()).toMatchObject({ renewed: true, advice: [] });
    expect(written()).toEqual(['ca-intermediate-key', 'ca-certs']);
    expect(+validityOf(world.chain[0] ?? '').notAfter - +world.now).toBe(2 * 365 * 86_400_000);
    await expectUsablePki();
    verifyChain(old, world.roots, world.now);
  });

  test('written to the Secret and not to the ConfigMap by a run that was killed is published by the next', async () => {
    world.pass(400);
    const goOn = world.failWrite(1);
    await expect(world.init()).rejects.toThrow('killed');
    goOn();
    expect(world.file('certificates', PkiFile.intermediate)).not.toBe(world.chain.join(''));
    expect(await world.init()).toMatchObject({ renewed: false, updated: ['configmap/ca-certs'] });
    await expectUsablePki();
  });

  test('is renewed once by two runs at a time', async () => {
    world.pass(400);
    const reports = await Promise.all([world.init(), world.init()]);
    expect(reports.filter(({ renewed }) => renewed)).toHaveLength(1);
    expect(world.store.writes).toHaveLength(2);
    await expectUsablePki();
  });

  test("is warned of, with the command and the day, when the root's key is elsewhere", async () => {
    world.takeKey('rootKey');
    world.pass(366);
    expect(await world.init()).toMatchObject({ renewed: false });
    expect(warnings()).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('renew it by 2027-10-02'),
        fields: expect.objectContaining({ command: 'autocert pki intermediate --root-key FILE' }),
      }),
    ]);
  });

  test('lasts no longer than its root, and is not renewed over and over for that', async () => {
    let renewals = 0;
    for (let day = 0; day < 3645; day += 15) {
      world.pass(15);
      if ((await world.init()).renewed) renewals += 1;
    }
    expect(renewals).toBe(8);
    expect(validityOf(world.chain[0] ?? '').notAfter).toEqual(validityOf(world.roots[0] ?? '').notAfter);
  });

  test('has a root that is to be replaced: the rotation is named when less than two years are left', async () => {
    world.pass(8 * 365 - 2);
    await world.init();
    expect(warnings()).toEqual([]);
    world.pass(3);
    await world.init();
    expect(warnings().map(({ fields }) => fields.command)).toEqual(['autocert pki rotate announce']);
  });
});
