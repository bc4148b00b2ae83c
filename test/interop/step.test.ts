/** Real `step` against real step-ca on our PKI, and against the embedded CA. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPki } from '../../runtime/pki/pki.ts';
import { fingerprintOf, splitPem } from '../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../runtime/x509/certificate-description.ts';
import { certificateShortText, certificateText } from '../../runtime/x509/certificate-text.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';
import { CAS, type RunningCa } from '../support/running-ca.ts';

beforeAll(async () => {
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

describe.each(CAS)('step and %s', (_name, start) => {
  let ca: RunningCa;
  beforeAll(async () => {
    ca = await start();
  });
  afterAll(() => ca.stop());

  const at = (file: string) => join(ca.dir, file);
  const read = (file: string) => readFileSync(at(file), 'utf8');

  const succeed = async (...args: string[]) => {
    const { code, stdout, stderr } = await ca.step(...args);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  };

  const fail = async (...args: string[]) => {
    const { code, stdout, stderr } = await ca.step(...args);
    expect(code).not.toBe(0);
    return stdout + stderr;
  };

  const token = async (name: string, ...more: string[]) => {
    const password = ['--provisioner', 'admin', '--provisioner-password-file', ca.files.caPasswordFile];
    return (await succeed('ca', 'token', name, ...password, ...more)).trim();
  };

  /** A certificate in `<file>.crt` and `<file>.key`. */
  const certificate = async (file: string, name: string, ...more: string[]) =>
    succeed('ca', 'certificate', name, at(`${file}.crt`), at(`${file}.key`), '--token', await token(name, ...more));

  test('ca health', async () => {
    expect(await succeed('ca', 'health')).toBe('ok\n');
  });

  test('ca root gives our root, by its fingerprint', async () => {
    await succeed('ca', 'root', at('root.crt'), '--fingerprint', ca.files.pki.fingerprint, '--ca-url', ca.files.caUrl);
    expect(read('root.crt')).toBe(ca.rootPem);
  });

  test('ca roots, ca federation and ca provisioner list', async () => {
    expect(splitPem(await succeed('ca', 'roots'))).toEqual([ca.rootPem]);
    expect(splitPem(await succeed('ca', 'federation'))).toContain(ca.rootPem);
    const provisioners = JSON.parse(await succeed('ca', 'provisioner', 'list'));
    expect(provisioners).toMatchObject([{ name: 'admin' }, { name: 'autocert' }]);
  });

  test('ca certificate with a token; the token is good once', async () => {
    const once = await token('web.shop.svc');
    await succeed('ca', 'certificate', 'web.shop.svc', at('a.crt'), at('a.key'), '--token', once);
    expect(describeCertificate(read('a.crt')).subject).toEqual([{ type: 'CN', value: 'web.shop.svc' }]);
    await fail('ca', 'certificate', 'web.shop.svc', at('b.crt'), at('b.key'), '--token', once);
  });

  test('ca certificate with a password, names of every kind and a lifetime', async () => {
    const names = ['web.shop.svc', '10.0.0.1', 'fd00::1', 'spiffe://example.org/web', 'web@example.org'];
    await succeed(
      ...['ca', 'certificate', 'web.shop.svc', at('all.crt'), at('all.key'), '--not-after', '1h'],
      ...['--provisioner', 'autocert', '--provisioner-password-file', ca.files.autocertPasswordFile],
      ...names.flatMap((name) => ['--san', name]),
    );
    const { extensions, notBefore, notAfter } = describeCertificate(read('all.crt'));
    expect(extensions.find(({ oid }) => oid === '2.5.29.17')?.lines).toEqual([
      'DNS:web.shop.svc',
      'email:web@example.org',
      'IP Address:10.0.0.1, IP Address:fd00::1',
      'URI:spiffe://example.org/web',
    ]);
    expect(Math.round((+notAfter - +notBefore) / 60_000)).toBe(61);
  });

  test('ca certificate with the wrong password is refused', async () => {
    writeFileSync(at('wrong'), 'guess');
    const password = ['--provisioner', 'admin', '--provisioner-password-file', at('wrong')];
    expect(await fail('ca', 'certificate', 'x', at('x.crt'), at('x.key'), ...password)).toContain('invalid password');
  });

  test('ca certificate for a day and more is refused', async () => {
    const asked = ['--token', await token('long.shop.svc'), '--not-after', '48h'];
    expect(await fail('ca', 'certificate', 'long.shop.svc', at('l.crt'), at('l.key'), ...asked)).toContain('maximum');
  });

  test('another root is not accepted', async () => {
    writeFileSync(at('other.crt'), (await createPki('Other')).rootPem);
    await fail('ca', 'health', '--root', at('other.crt'));
  });

  test('ca renew and ca rekey', async () => {
    await certificate('r', 'renew.shop.svc');
    const serials = new Set([describeCertificate(read('r.crt')).serialNumber]);
    await succeed('ca', 'renew', '--force', at('r.crt'), at('r.key'));
    serials.add(describeCertificate(read('r.crt')).serialNumber);
    const { publicKey } = describeCertificate(read('r.crt'));
    await succeed('ca', 'rekey', '--force', at('r.crt'), at('r.key'));
    serials.add(describeCertificate(read('r.crt')).serialNumber);
    expect(serials.size).toBe(3);
    expect(describeCertificate(read('r.crt')).publicKey).not.toEqual(publicKey);
  });

  test('certificate verify accepts it under our root, and under no other', async () => {
    await certificate('c', 'verify.shop.svc');
    await succeed('certificate', 'verify', at('c.crt'), '--roots', ca.files.rootFile);
    await succeed('certificate', 'verify', at('c.crt'), '--roots', ca.files.rootFile, '--host', 'verify.shop.svc');
    await fail('certificate', 'verify', at('c.crt'), '--roots', ca.files.rootFile, '--host', 'other.shop.svc');
    writeFileSync(at('stranger.crt'), (await createPki('Stranger')).rootPem);
    await fail('certificate', 'verify', at('c.crt'), '--roots', at('stranger.crt'));
  });

  test('certificate fingerprint is ours', async () => {
    expect((await succeed('certificate', 'fingerprint', ca.files.rootFile)).trim()).toBe(ca.files.pki.fingerprint);
    await certificate('f', 'fingerprint.shop.svc');
    expect((await succeed('certificate', 'fingerprint', at('f.crt'))).trim()).toBe(fingerprintOf(read('f.crt')));
  });

  test('certificate inspect prints what autocert inspect prints, byte for byte', async () => {
    await certificate(
      'i',
      'inspect.shop.svc',
      '--san',
      'inspect.shop.svc',
      '--san',
      '10.0.0.1',
      '--san',
      'spiffe://a/b',
    );
    for (const file of [at('i.crt'), ca.files.rootFile, ca.files.intermediateFile]) {
      const described = describeCertificate(readFileSync(file, 'utf8'));
      expect(certificateText(described)).toBe(await succeed('certificate', 'inspect', file));
      expect(certificateShortText(described)).toBe(await succeed('certificate', 'inspect', '--short', file));
    }
  });
});
