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
    listen: { host: '::', port: 9000 },
    roots: [pki.pki.rootPem],
    dnsNames: ['localhost', '127.0.0.1'],
    claims: { minMs: 5_000, maxMs: 86_400_000 },
    provisioners: [{ name: 'admin' }, { name: 'autocert', claims: { disableRenewal: true } }],
  });
  expect(settings.issuer.certificatePem).toBe(pki.pki.intermediatePem);
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
        { ...pki.pki.provisioners[0], options: { x509: { template: '{}' } } },
        { ...pki.pki.provisioners[1], options: { webhooks: [{}] } },
      ],
    },
  });
  const refused = 'the embedded CA cannot do this, run step-ca';
  const faults = [
    `kms: ${refused}`,
    'authority.provisioners[0].type: the embedded CA knows JWK alone, got "ACME": run step-ca',
    'authority.provisioners[0].key: must be an object, got nothing',
    `authority.provisioners[1].options: ${refused}`,
    `authority.provisioners[2].options: ${refused}`,
    `authority.policy: ${refused}`,
  ];
  expect(() => read(change)).toThrow(faults.map((fault) => `\n  ${fault}`).join(''));
});

test.each([
  [{ address: 'nowhere' }, 'address: "nowhere" is no address to listen on: write host:port or :port'],
  [{ dnsNames: 'localhost' }, 'dnsNames: must be a list, got "localhost"'],
  [{ root: [] }, 'root: must be a list of at least 1, got []'],
  [{ root: '/none' }, 'cannot read /none'],
  [{ crt: undefined }, 'crt: must be a text, got nothing'],
  [{ authority: [] }, 'authority: must be an object, got []'],
])('%j is refused', (change, message) => {
  expect(() => read((config) => ({ ...config, ...change }))).toThrow(
    expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(message) }),
  );
});
