import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../runtime/lib/secret.ts';
import { initPki } from '../../../runtime/pki/files.ts';
import { TokenSigner } from '../../../runtime/step-ca/one-time-token.ts';
import { withAutocertRules } from '../../../runtime/step-ca/provisioner.ts';
import { openKey } from '../../../runtime/x509/private-key.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-pki-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

describe('a PKI in a folder', () => {
  test('is laid out as step ca init does it', async () => {
    const made = await initPki({ dir, dnsNames: ['ca.example', '10.0.0.1'], address: '0.0.0.0:9000' });
    expect(json(made.configFile)).toMatchObject({
      root: join(dir, 'certs/root_ca.crt'),
      crt: join(dir, 'certs/intermediate_ca.crt'),
      key: join(dir, 'secrets/intermediate_ca_key'),
      address: '0.0.0.0:9000',
      dnsNames: ['ca.example', '10.0.0.1'],
      db: { type: 'badgerv2', dataSource: join(dir, 'db') },
      authority: { provisioners: [{ name: 'admin' }, withAutocertRules({ name: 'autocert' })] },
    });
    expect(json(made.configFile).authority.provisioners[0]).not.toHaveProperty('claims');
    expect(json(made.defaultsFile)).toEqual({
      'ca-url': 'https://ca.example:9000',
      'ca-config': made.configFile,
      fingerprint: made.pki.fingerprint,
      root: made.rootFile,
    });
  });

  test('has keys that open with its password, for this user alone', async () => {
    const made = await initPki({ dir });
    openKey(new Secret(readFileSync(made.intermediateKeyFile, 'utf8')), made.pki.caPassword, 'key');
    openKey(new Secret(readFileSync(made.rootKeyFile, 'utf8')), made.pki.caPassword, 'key');
    expect([made.rootKeyFile, made.intermediateKeyFile].map(modeOf)).toEqual(['600', '600']);
  });

  test('has its passwords in files only when asked for', async () => {
    const without = await initPki({ dir: join(dir, 'a') });
    expect(() => statSync(without.caPasswordFile)).toThrow('ENOENT');
    const made = await initPki({ dir: join(dir, 'b'), passwordFiles: true });
    expect(readFileSync(made.autocertPasswordFile, 'utf8')).toBe(made.pki.autocertPassword.reveal());
    expect(modeOf(made.caPasswordFile)).toBe('600');
  });

  test('is never overwritten', async () => {
    const { rootFile } = await initPki({ dir });
    const before = readFileSync(rootFile);
    await expect(initPki({ dir })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: `${rootFile} exists: there is a PKI already; give another folder, or move it away`,
    });
    expect(readFileSync(rootFile)).toEqual(before);
  });

  test.each([
    [{ address: 'nonsense' }, '"nonsense" is no address to listen on: write host:port or :port'],
    [{ address: '127.0.0.1:70000' }, '"127.0.0.1:70000" is no address to listen on'],
    [{ dnsNames: [] }, 'the CA has no name: give at least one host name or IP address'],
    [{ dnsNames: ['ca.example', ''] }, '"" is not a host name'],
    [{ dnsNames: ['https://ca.example'] }, '"https://ca.example" is a URI'],
    [{ name: '' }, "the CA's name has to have 1 to 48 characters, not 0"],
    [{ name: 'n'.repeat(49) }, "the CA's name has to have 1 to 48 characters, not 49"],
  ])('is not made of %j, and nothing is written', async (options, message) => {
    await expect(initPki({ dir: join(dir, 'new'), ...options })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
    expect(existsSync(join(dir, 'new'))).toBe(false);
  });

  test('does not print its keys and passwords', async () => {
    const made = await initPki({ dir });
    const printed = JSON.stringify(made);
    expect(printed).not.toContain(made.pki.caPassword.reveal());
    expect(printed).not.toContain('PRIVATE KEY');
  });

  test('has a provisioner for people under the CA password, and one for the webhook under its own', async () => {
    const { pki } = await initPki({ dir });
    const [admin, autocert] = pki.provisioners;
    if (!admin || !autocert) throw new Error('two provisioners are wanted');
    expect((await TokenSigner.open(admin, pki.caPassword)).issuer).toBe('admin');
    expect((await TokenSigner.open(autocert, pki.autocertPassword)).issuer).toBe('autocert');
    await expect(TokenSigner.open(autocert, pki.caPassword)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
  });
});
