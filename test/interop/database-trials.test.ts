/**
 * The CA's database cannot end the CA: real step-ca on a small file system in memory, with the real supervisor.
 */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { CaPod } from '../support/ca-pod.ts';
import { postTo, renew } from '../support/ca-requests.ts';
import { fewOrAll } from '../support/long.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

/** In which the CA has to be back. */
const A_MINUTE = 60_000;
const TIMEOUT_MS = 240_000;

beforeAll(() => program('step-ca'), BUILD_TIMEOUT_MS);

let pod: CaPod;
const startPod = async (options?: { readonly mebibytes: number }) => {
  pod = await CaPod.start(options);
};
const endPod = async () => {
  await Promise.all(loads.splice(0).map((stop) => stop())); // also of a test that has failed
  await pod[Symbol.asyncDispose]();
};
/** What ends the loads that have begun. */
const loads: (() => Promise<void>)[] = [];

/** A certificate that can be renewed, unless it is revoked. */
const certificate = () => pod.issue(['revocable.test'], 'admin');
type Certificate = Awaited<ReturnType<typeof certificate>>;
const address = () => ({ url: pod.config.caUrl, rootPem: pod.files.pki.rootPem });

async function revoke(identity: Certificate): Promise<void> {
  const serial = BigInt(`0x${new X509Certificate(identity.chainPem[0] ?? '').serialNumber}`).toString();
  const { status } = await postTo(address(), '/1.0/revoke', { serial, reasonCode: 0, passive: true }, identity);
  expect(status).toBe(200);
}

const isRevoked = async (identity: Certificate) => (await renew(address(), identity)).status === 401;

/** Asks for certificates, eight at a time, until told to stop; failures are followed by the next request. */
function load(): { readonly had: () => number; readonly stop: () => Promise<void> } {
  let [had, going] = [0, true];
  const ask = async () => {
    while (going) {
      await pod.issue(['load.test']).then(
        () => (had += 1),
        () => sleep(20), // a CA that refuses is not to be kept from coming back
      );
    }
  };
  const asking = Promise.all(Array.from({ length: 8 }, ask));
  const stop = async () => {
    going = false;
    await asking;
  };
  loads.push(stop);
  return { had: () => had, stop };
}

/** Fills the volume to its last byte with a file that is none of the CA's. */
function fillVolume(): string {
  const file = pod.at('volume/foreign');
  expect(() => execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' })).toThrow();
  return file;
}

const refusal = () =>
  waitFor(
    'readiness to tell',
    async () => {
      const { status, text } = await pod.readyz();
      return status === 503 && text;
    },
    { timeoutMs: A_MINUTE, everyMs: 100 },
  );

describe('full', () => {
  beforeEach(() => startPod(), TIMEOUT_MS);
  afterEach(endPod);

  test(
    'of its own certificates: it is rewritten without them, revocations stay, and the CA goes on',
    async () => {
      const revoked = await certificate();
      await revoke(revoked);
      const asking = load();
      const pruned = async () => ((await pod.metric('autocert_ca_database_pruned_timestamp_seconds')) ?? 0) > 0;
      await waitFor('the database to be rewritten', pruned, { timeoutMs: 2 * A_MINUTE, everyMs: 100 });
      const before = asking.had();
      await waitFor('certificates to be had again', async () => asking.had() > before + 50, { timeoutMs: A_MINUTE });
      await asking.stop();
      expect(before).toBeGreaterThan(500);
      expect(await isRevoked(revoked)).toBe(true);
      expect(await isRevoked(await certificate())).toBe(false);
      expect(pod.said('supervisor')).not.toContain('damaged');
    },
    TIMEOUT_MS,
  );

  test(
    'of a foreign file: readiness says so, step-ca is left alone, and goes on as soon as the file is gone',
    async () => {
      const foreign = fillVolume();
      expect(await refusal()).toMatch(/^the volume of the database takes nothing more: .*no space left/i);
      fs.rmSync(foreign);
      await pod.ready(A_MINUTE);
      expect(await pod.metric('autocert_ca_restarts_total{reason="volume-space"}')).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'and grown: it goes on',
    async () => {
      fillVolume();
      await refusal();
      pod.grow(8);
      await pod.ready(A_MINUTE);
      expect(await pod.metric('autocert_ca_volume_bytes')).toBe(8 * 1024 * 1024);
    },
    TIMEOUT_MS,
  );
});

describe('torn', () => {
  // With room for the database and two that were set aside: this is not about a full volume.
  beforeAll(() => startPod({ mebibytes: 16 }), TIMEOUT_MS);
  afterAll(() => endPod());

  const cut = (file: string, to: (size: number) => number) => fs.truncateSync(file, to(fs.statSync(file).size));
  const zero = (file: string, from: number, bytes: number) => {
    const descriptor = fs.openSync(file, 'r+');
    fs.writeSync(descriptor, Buffer.alloc(bytes), 0, bytes, from);
    fs.closeSync(descriptor);
  };

  const tears: readonly (readonly [string, (file: string) => void])[] = [
    ['cut in half', (file) => cut(file, (size) => size >> 1)],
    ['nothing but noise', (file) => fs.writeFileSync(file, Buffer.alloc(100_000, 'noise'))],
    ['100 bytes short', (file) => cut(file, (size) => size - 100)],
    ['with eight pages of zeros in the middle', (file) => zero(file, (fs.statSync(file).size >> 13) * 4096, 32_768)],
    ['without its first two pages', (file) => zero(file, 0, 8192)],
  ];
  test.each(fewOrAll(2, tears))(
    '%s: the CA is back within a minute',
    async (_what, tear) => {
      const revoked = await certificate();
      await revoke(revoked);
      for (let count = 0; count < 100; count += 1) await pod.issue([`${count}.test`]);
      await pod.hold('step-ca');
      tear(pod.databaseFile);
      const before = pod.said('supervisor').length;
      pod.run('step-ca');
      await pod.ready(A_MINUTE);
      // A revocation is there, or its loss was said.
      const lost = /revoked_x509_certs|"damagedTables":\[""|nothing can be read/;
      if (!(await isRevoked(revoked))) expect(pod.said('supervisor').slice(before)).toMatch(lost);
      expect(await isRevoked(await certificate())).toBe(false);
    },
    TIMEOUT_MS,
  );
});

describe('killed under load', () => {
  beforeAll(() => startPod(), TIMEOUT_MS);
  afterAll(() => endPod());

  const kills: readonly (readonly [string, () => void])[] = [
    ['step-ca', () => pod.killStepCa()],
    ['both containers', () => (['step-ca', 'supervisor'] as const).forEach((each) => void pod.kill(each))],
    ['its container', () => pod.kill('step-ca')],
    ['the supervisor', () => pod.kill('supervisor')],
  ];
  test.each(fewOrAll(2, kills))(
    '%s: the CA is back, and its database is sound',
    async (_what, kill) => {
      const revoked = await certificate();
      await revoke(revoked);
      const asking = load();
      await waitFor('some load', async () => asking.had() > 50, { everyMs: 10 });
      kill();
      const before = asking.had();
      await waitFor('certificates to be had again', async () => asking.had() > before + 50, { everyMs: 20 });
      await asking.stop();
      await pod.ready(A_MINUTE);
      expect(pod.said('supervisor')).not.toContain('damaged');
      expect(await isRevoked(revoked)).toBe(true);
    },
    TIMEOUT_MS,
  );
});

describe('a changed PKI', () => {
  beforeEach(() => startPod(), TIMEOUT_MS);
  afterEach(endPod);

  const issuer = async () => (await pod.issue(['a.test'])).chainPem[1];

  test(
    'is taken up when key and certificate have changed; meanwhile the CA serves with the old ones',
    async () => {
      const old = await issuer();
      const { certificate: next, key } = await pod.newIntermediate();
      pod.put('secrets/intermediate_ca_key', key);
      await waitFor('the supervisor to say so', async () => pod.said('supervisor').includes('does not fit'));
      expect(await pod.metric('autocert_ca_configuration_fits')).toBe(0);
      expect((await pod.readyz()).status).toBe(200);
      expect(await issuer()).toBe(old);
      pod.put('secrets/intermediate_ca.crt', next);
      await waitFor('certificates by the new intermediate', async () => (await issuer()) === next, { everyMs: 20 });
      await pod.ready(A_MINUTE);
      expect(await pod.metric('autocert_ca_configuration_fits')).toBe(1);
      expect(await pod.metric('autocert_ca_restarts_total{reason="configuration"}')).toBe(1);
    },
    TIMEOUT_MS,
  );

  test(
    'that step-ca does not start on is given up for the one before',
    async () => {
      const template = JSON.parse(fs.readFileSync(pod.config.inputs.template, 'utf8'));
      fs.writeFileSync(pod.config.inputs.template, JSON.stringify({ ...template, address: 'nowhere' }));
      await waitFor('the supervisor to say so', async () => pod.said('supervisor').includes('back to the one before'));
      await pod.ready(A_MINUTE);
      expect(await pod.metric('autocert_ca_configuration_fits')).toBe(0);
    },
    TIMEOUT_MS,
  );
});
