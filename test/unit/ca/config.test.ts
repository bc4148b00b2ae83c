import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCaSettings } from '../../../runtime/ca/config.ts';
import { type InitializedPki, initPki } from '../../../runtime/pki/files.ts';

let dir: string;
let pki: InitializedPki;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-ca-config-'));
  pki = await initPki({ dir, address: ':9000', passwordFiles: true, claims: { minTLSCertDuration: '5s' } });
});
afterAll(() => rmSync(dir, { recursive: true }));

const read = (change: (config: Record<string, unknown>) => object = (config) => config) => {
  const file = join(dir, 'config', 'changed.json');
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(pki.configFile, 'utf8')))));
  return readCaSettings(file, pki.caPasswordFile);
};

test("the configuration that autocert init makes for step-ca is the embedded CA's too", () => {
  const settings = read();
  expect(settings).toMatchObject({
    host: '::',
    port: 9000,
    roots: [pki.pki.rootPem],
    dnsNames: ['localhost', '127.0.0.1'],
    claims: { minMs: 5_000, maxMs: 86_400_000 },
    provisioners: pki.pki.provisioners,
  });
  expect(settings.issuer.certificatePem).toBe(pki.pki.intermediatePem);
});

test('an address may name a host', () => {
  expect(read((config) => ({ ...config, address: '127.0.0.1:1234' }))).toMatchObject({ host: '127.0.0.1', port: 1234 });
  expect(read((config) => ({ ...config, address: '[::1]:1234' }))).toMatchObject({ host: '::1', port: 1234 });
});

test('the wrong password is said to be wrong, with the name of the key', () => {
  expect(() => readCaSettings(pki.configFile, pki.autocertPasswordFile)).toThrow(
    expect.objectContaining({
      code: 'WRONG_PASSWORD',
      message: `the password does not open ${pki.intermediateKeyFile}`,
    }),
  );
});

test('what step-ca would enforce and this CA cannot is refused, all of it at once', () => {
  const change = (config: Record<string, unknown>) => ({
    ...config,
    kms: { type: 'pkcs11' },
    authority: {
      policy: {},
      provisioners: [
        { type: 'ACME', name: 'acme' },
        { ...pki.pki.provisioners[0], options: {} },
      ],
    },
  });
  expect(() => read(change)).toThrow(
    /the embedded CA cannot do this, run step-ca: kms; authority\.policy; authority\.provisioners\[0\]: type "ACME", only JWK is known; authority\.provisioners\[1\]: options/,
  );
});

test.each([
  [{ address: 'nowhere' }, 'address: wanted host:port or :port, got "nowhere"'],
  [{ dnsNames: 'localhost' }, 'dnsNames: wanted a list, got "localhost"'],
  [{ root: '/none' }, 'cannot read /none'],
  [{ crt: undefined }, 'crt: wanted a text, got nothing'],
  [{ authority: [] }, 'authority: wanted an object, got []'],
])('%j is refused', (change, message) => {
  expect(() => read((config) => ({ ...config, ...change }))).toThrow(
    expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(message) }),
  );
});
