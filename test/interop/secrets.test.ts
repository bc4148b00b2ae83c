/** Passwords and keys that were replaced, and backups, as real step-ca and step see them. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Secret } from '../../runtime/lib/secret.ts';
import { readPki, toManifests } from '../../runtime/pki/backup.ts';
import { rotateCaPassword } from '../../runtime/pki/password-rotation.ts';
import { rotateAdminProvisioner, rotateAutocertProvisioner } from '../../runtime/pki/provisioner-rotation.ts';
import { sealBackup } from '../../runtime/pki/sealed-backup.ts';
import { caOpener, Issuer } from '../../runtime/step-ca/issuer.ts';
import { withAutocertRules } from '../../runtime/step-ca/provisioner.ts';
import { readKeyRequestPem } from '../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { PkiStore } from '../support/pki-in-cluster.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { type RunningCa, startStepCa } from '../support/running-ca.ts';

beforeAll(async () => {
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

const NAME = 'web.shop.svc';
const text = (file: string) => readFileSync(file, 'utf8');

let ca: RunningCa;
let store: PkiStore;
beforeEach(async () => {
  ca = await startStepCa();
  store = new PkiStore();
  const { files } = ca;
  const certificates = { 'root_ca.crt': text(files.rootFile), 'intermediate_ca.crt': text(files.intermediateFile) };
  store.setSecret('ca-password', { password: text(files.caPasswordFile) });
  store.setSecret('autocert-password', { password: text(files.autocertPasswordFile) });
  store.setSecret('ca-root-key', { root_ca_key: text(files.rootKeyFile), 'root_ca.crt': certificates['root_ca.crt'] });
  store.setSecret('ca-intermediate-key', { ...certificates, intermediate_ca_key: text(files.intermediateKeyFile) });
  store.setSecret('ca-provisioners', { 'provisioners.json': text(files.provisionersFile) });
});
afterEach(() => ca.stop());

const nextPasswordFile = () => join(ca.dir, 'next-password');

/** What kubelet does: brings the Secrets' files; the key's and the provisioners' to the CA, the passwords' to the issuer. */
function bringToCa(): void {
  const { files } = ca;
  writeFileSync(files.intermediateKeyFile, store.secret('ca-intermediate-key', 'intermediate_ca_key') ?? '');
  const config = JSON.parse(text(files.configFile));
  const provisioners = JSON.parse(store.secret('ca-provisioners', 'provisioners.json') ?? '').map(
    (one: { name: string }) => withAutocertRules(one),
  );
  config.authority.provisioners = provisioners;
  writeFileSync(files.configFile, JSON.stringify(config));
}

function bringToIssuer(): void {
  writeFileSync(ca.files.autocertPasswordFile, store.secret('autocert-password', 'password') ?? '');
  const next = store.secret('autocert-password', 'next-password');
  if (next === undefined) rmSync(nextPasswordFile(), { force: true });
  else writeFileSync(nextPasswordFile(), next);
}

async function restartCa(): Promise<void> {
  await ca.kill();
  await ca.start();
}

const issuer = () => {
  const config = {
    caUrl: ca.files.caUrl,
    rootFile: ca.files.rootFile,
    provisioner: 'autocert',
    provisionerPasswordFile: ca.files.autocertPasswordFile,
    provisionerNextPasswordFile: nextPasswordFile(),
  };
  return new Issuer({ open: caOpener(() => config), now: () => new Date(), monotonic: () => performance.now() });
};

const newOrder = async () => {
  const { csrPem } = await createKeyAndRequest();
  return { request: readKeyRequestPem(csrPem, 'csr'), commonName: NAME, sans: [NAME] };
};

/** `step` gets a token of the provisioner `admin` by the password in a file. */
const stepToken = (passwordFile: string) =>
  ca.step('ca', 'token', NAME, '--provisioner', 'admin', '--password-file', passwordFile);

test('real step-ca starts with the new password, and with it alone; so does step get tokens of admin', async () => {
  const old = text(ca.files.caPasswordFile);
  await rotateCaPassword(store.pki, { say: () => {} });
  bringToCa();
  await ca.kill();
  // The old password does not start it any more.
  await expect(ca.start()).rejects.toThrow(/ended with 2:.*decryption password incorrect/s);
  writeFileSync(ca.files.caPasswordFile, store.secret('ca-password', 'password') ?? '');
  await ca.start();
  await expect(ca.client.health()).resolves.toBeUndefined();
  await expect(issuer().issue(await newOrder())).resolves.toBeDefined();

  const token = await stepToken(ca.files.caPasswordFile);
  expect(token.code).toBe(0);
  const oldFile = join(ca.dir, 'old-password');
  writeFileSync(oldFile, old);
  expect((await stepToken(oldFile)).code).not.toBe(0);
});

test('an issuer with the old key recovers by itself when the CA has the new one; old tokens are refused', async () => {
  const running = issuer();
  await running.refresh();
  await expect(running.issue(await newOrder())).resolves.toBeDefined();
  const { csrPem } = await createKeyAndRequest();
  const oldToken = await ca.token([NAME]);

  let recovered = 0;
  await rotateAutocertProvisioner(store.pki, {
    say: () => {},
    waitMs: 1,
    signal: new AbortController().signal,
    sleep: async () => {
      bringToIssuer();
      if (store.provisioner('autocert').key.kid === JSON.parse(text(ca.files.provisionersFile))[1].key.kid) {
        // The first pause: the webhook has both passwords, and the old key works.
        await running.refresh();
        await expect(running.issue(await newOrder())).resolves.toBeDefined();
        return;
      }
      // The second one: the CA has the new key, the issuer still the old one.
      bringToCa();
      await restartCa();
      await expect(running.issue(await newOrder())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(running.outage?.reason).toContain('answered 401');
      const since = performance.now();
      for (;;) {
        await running.probe().catch(() => {});
        const isIssued =
          running.outage === undefined &&
          (await running.issue(await newOrder()).then(
            () => true,
            () => false,
          ));
        if (isIssued) break;
        await pause(500);
      }
      recovered = performance.now() - since;
    },
  });
  expect(recovered).toBeGreaterThan(0);
  expect(recovered).toBeLessThan(15_000);
  await expect(ca.client.sign({ csrPem, token: oldToken })).rejects.toMatchObject({ code: 'CA_REJECTED', status: 401 });

  // The old password is gone.
  bringToIssuer();
  await running.refresh();
  await expect(running.issue(await newOrder())).resolves.toBeDefined();
  await expect(issuer().issue(await newOrder())).resolves.toBeDefined();
}, 60_000);

test('step gets tokens of the new key of admin', async () => {
  await rotateAdminProvisioner(store.pki, { say: () => {} });
  bringToCa();
  await restartCa();
  const { code, stdout } = await stepToken(ca.files.caPasswordFile);
  expect(code).toBe(0);
  const [header = ''] = stdout.split('.');
  expect(JSON.parse(Buffer.from(header, 'base64url').toString()).kid).toBe(store.provisioner('admin').key.kid);
});

test('step opens a backup with the passphrase: a standard JWE', async () => {
  const stored = await readPki(store.pki);
  const objects = new Map([...stored].map(([key, { files }]) => [key, files]));
  const backup = { namespace: 'step', version: '1.2.3', createdAt: new Date(), objects };
  const [sealed, opened] = [join(ca.dir, 'pki.backup'), join(ca.dir, 'pki.json')];
  writeFileSync(sealed, await sealBackup(backup, new Secret('correct horse battery')));
  // step asks at the terminal only, so it is given one.
  const step = await program('step');
  const command = `${step} crypto jwe decrypt < ${sealed} > ${opened}`;
  await output('script', ['-qec', command, '/dev/null'], {}, 'correct horse battery\n');
  expect(text(opened)).toBe(toManifests(backup));
}, 60_000);
