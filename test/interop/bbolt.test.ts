/** Real step-ca and real `bbolt` on database files that are checked and rewritten here. */
import { randomInt, X509Certificate } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkFile, rewriteFile } from '../../runtime/bbolt/file.ts';
import { neededBy } from '../../runtime/bbolt/needed.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { type Identity, postTo, renew } from '../support/ca-requests.ts';
import { LONG } from '../support/long.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { type RunningCa, startStepCa } from '../support/running-ca.ts';

/** How often step-ca is killed at work. */
const ROUNDS = LONG ? 10 : 3;

let bbolt: string;
beforeAll(async () => {
  await program('step');
  await program('step-ca');
  bbolt = await program('bbolt');
}, BUILD_TIMEOUT_MS);

const databaseOf = ({ dir }: RunningCa) => join(dir, 'ca.db');

/** step-ca with its database in one file of bbolt, and with a provisioner that leaves no trace in its certificates. */
const start = () =>
  startStepCa(({ configFile }) => {
    const config = JSON.parse(readFileSync(configFile, 'utf8'));
    config.db = { type: 'bbolt', dataSource: join(configFile, '..', '..', '..', 'ca.db') };
    const autocert = config.authority.provisioners.find(({ name }: { name: string }) => name === 'autocert');
    autocert.claims = { ...autocert.claims, disableRenewal: true, disableSmallstepExtensions: true };
    writeFileSync(configFile, JSON.stringify(config));
  });

/** What `bbolt check` says of a file. */
const strictCheck = async (file: string) => {
  const { stdout, stderr } = await output(bbolt, ['check', file]);
  return (stdout + stderr).trim();
};

const serialOf = ({ chainPem }: Identity) =>
  BigInt(`0x${new X509Certificate(chainPem[0] ?? '').serialNumber}`).toString();
const at = <T>(list: readonly T[], index: number): T => {
  const item = list[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
};

describe('a database of 300 certificates', () => {
  const CERTIFICATES = 300;
  let ca: RunningCa;
  let file: string;
  let identities: Identity[];
  let traceless: Identity;
  let used: { readonly csr: string; readonly ott: string };
  let bytesBefore: number;

  const revoke = async (identity: Identity) => {
    const by = ['--provisioner', 'admin', '--provisioner-password-file', ca.files.caPasswordFile];
    const { stdout } = await ca.step('ca', 'token', serialOf(identity), '--revoke', ...by);
    const { code, stderr } = await ca.step('ca', 'revoke', serialOf(identity), '--token', stdout.trim());
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  };

  beforeAll(async () => {
    ca = await start();
    file = databaseOf(ca);
    identities = [];
    while (identities.length < CERTIFICATES) {
      const names = Array.from({ length: 20 }, (_, index) => `pod-${identities.length + index}.shop.svc`);
      identities.push(...(await Promise.all(names.map((name) => ca.issue([name], 'admin')))));
    }
    traceless = await ca.issue(['traceless.shop.svc'], 'autocert');
    await revoke(at(identities, 0));
    await revoke(at(identities, 1));
    const { csrPem } = await createKeyAndRequest();
    used = { csr: csrPem, ott: (await ca.token(['once.shop.svc'], { by: 'admin' })).reveal() };
    expect((await postTo(ca, '/1.0/sign', used)).status).toBe(201);
    await ca.kill();
    bytesBefore = statSync(file).size;
  }, 120_000);
  afterAll(() => ca.stop());

  test('as step-ca leaves it, it is sound, with an entry for each certificate, revocation and token', async () => {
    const { problem, tables, bytes } = await checkFile(file);
    expect({ problem, bytes }).toEqual({ problem: undefined, bytes: bytesBefore });
    const entries = (table: string) => tables.get(table)?.entries;
    expect([entries('x509_certs'), entries('x509_certs_data')]).toEqual([CERTIFICATES + 2, CERTIFICATES + 2]);
    expect([entries('used_ott'), entries('revoked_x509_certs')]).toEqual([CERTIFICATES + 4, 2]);
    expect(await strictCheck(file)).toBe('OK');
  });

  test('rewritten an hour later it has the revocations, and no token', async () => {
    const target = `${file}.later`;
    await rewriteFile(file, target, neededBy(new Date(Date.now() + 3_600_000)));
    const { tables } = await checkFile(target);
    expect([tables.get('used_ott')?.entries, tables.get('revoked_x509_certs')?.entries]).toEqual([0, 2]);
    expect(await strictCheck(target)).toBe('OK');
  });

  test('rewritten now it is smaller, and sound for bbolt as well', async () => {
    const target = `${file}.new`;
    const rewritten = await rewriteFile(file, target, neededBy(new Date()));
    // The traceless certificate is two entries; all the tokens are fresh.
    expect(rewritten).toMatchObject({
      kept: 2 + 2 + CERTIFICATES + 4,
      dropped: 2 * (CERTIFICATES + 1),
      unreadablePages: 0,
    });
    expect(rewritten.bytes).toBeLessThan(bytesBefore / 2);
    expect(await strictCheck(target)).toBe('OK');
    renameSync(target, file);
    await ca.start();
  });

  test('step-ca on it refuses a token that was used before', async () => {
    expect(await postTo(ca, '/1.0/sign', used)).toMatchObject({ status: 401 });
  });

  test('and to renew a certificate that was revoked before', async () => {
    expect((await renew(ca, at(identities, 0))).status).toBe(401);
    expect((await renew(ca, at(identities, 1))).status).toBe(401);
  });

  test('and to renew one whose provisioner forbids it, though the certificate does not say of which it is', async () => {
    expect((await renew(ca, traceless)).status).toBe(401);
  });

  test('it renews a certificate from before, of which it has no entry any more', async () => {
    expect((await renew(ca, at(identities, 2))).status).toBe(201);
  });

  test('and revokes one by its serial number, and then refuses to renew it', async () => {
    await revoke(at(identities, 3));
    expect((await renew(ca, at(identities, 3))).status).toBe(401);
  });

  test('it goes on writing: the file stays sound', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, index) => ca.issue([`more-${index}.shop.svc`], 'admin')));
    await ca.kill();
    expect((await checkFile(file)).problem).toBeUndefined();
    expect(await strictCheck(file)).toBe('OK');
  });

  test('with the newest pages torn, the state before them is taken, with its revocations', async () => {
    const bytes = readFileSync(file);
    const [root] = [0, 4096]
      .map((page) => ({ transaction: bytes.readBigUInt64LE(page + 64), root: bytes.readUInt32LE(page + 32) }))
      .sort((a, b) => Number(b.transaction - a.transaction));
    bytes.fill(0, (root?.root ?? 0) * 4096, ((root?.root ?? 0) + 1) * 4096);
    writeFileSync(`${file}.torn`, bytes);
    expect((await checkFile(`${file}.torn`)).problem).toMatch(/^page \d+: /);
    const target = `${file}.saved`;
    expect(await rewriteFile(`${file}.torn`, target, neededBy(new Date()), { lenient: true })).toMatchObject({
      ...{ unreadablePages: 0, damagedTables: [] },
    });
    expect((await checkFile(target)).tables.get('revoked_x509_certs')?.entries).toBe(3);
    expect(await strictCheck(target)).toBe('OK');
  });
});

test('killed at work again and again, step-ca leaves a sound file each time', async () => {
  const ca = await start();
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const enough = randomInt(1, 40);
      let issued = 0;
      let isRunning = true;
      const client = async () => {
        while (isRunning) {
          // The requests that the kill ends fail; it comes in the midst of them.
          await ca.issue([`pod-${round}.shop.svc`], 'admin').then(
            () => issued++,
            () => {},
          );
          if (issued >= enough) isRunning = false;
        }
      };
      const clients = [client(), client(), client(), client(), client(), client()];
      await Promise.race(clients);
      await ca.kill();
      await Promise.all(clients);
      expect(issued).toBeGreaterThanOrEqual(enough);
      expect((await checkFile(databaseOf(ca))).problem).toBeUndefined();
      expect(await strictCheck(databaseOf(ca))).toBe('OK');
      await ca.start();
    }
  } finally {
    await ca.stop();
  }
}, 180_000);
