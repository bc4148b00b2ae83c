import { Duration } from 'cdk8s';
import { CaDatabase, Pki, StepCa, type StepCaProps } from '../../../constructs/index.ts';
import { createAuthorities } from '../../support/authorities.ts';
import { configOf, find, type Manifest, synth } from '../../support/manifests.ts';

const made = (props: StepCaProps = {}) => synth((chart) => new StepCa(chart, 'ca', props));
const caJson = (manifests: readonly Manifest[]) => configOf(manifests, 'ca-config', 'ca.json');
const usual = caJson(made());
const acme = { type: 'ACME', name: 'acme', claims: { maxTLSCertDuration: '72h' } };

describe('more settings of step-ca', () => {
  test('are in its configuration, at the top level, beside ours', () => {
    const config = { kms: { type: 'softkms' }, crl: { enabled: true }, commonName: 'Shop CA', of: ['any', 1, null] };
    expect(caJson(made({ config }))).toEqual({ ...usual, ...config });
  });

  test('may say how it logs', () => {
    expect(usual.logger).toEqual({ format: 'json' });
    expect(caJson(made({ config: { logger: { format: 'text' } } })).logger).toEqual({ format: 'text' });
  });

  test('of the authority are beside our lifetimes', () => {
    const policy = { x509: { deny: { dns: ['*.internal'] } } };
    expect(caJson(made({ config: { authority: { policy, backdate: '2m' } } })).authority).toEqual({
      ...usual.authority,
      policy,
      backdate: '2m',
    });
  });

  test('and provisioners have no new pod: the supervisor takes them over', () => {
    const template = (props?: StepCaProps) => find(made(props), 'StatefulSet').spec.template;
    expect(template({ config: { crl: { enabled: true } }, provisioners: [acme] })).toEqual(template());
  });

  test.each([
    ['root', 'set pki'],
    ['crt', 'set pki'],
    ['key', 'set pki: Pki.existing({ intermediateKey }) for one in a KMS'],
    ['federatedRoots', 'set federatedRoots'],
    ['address', 'Service, NetworkPolicies and probes go by it'],
    ['metricsAddress', 'NetworkPolicies and AutocertMonitoring go by it'],
    ['dnsNames', 'set dnsNames'],
    ['db', 'set database'],
  ])('never are those that are ours: %s', (key, advice) => {
    expect(() => made({ config: { [key]: 'hunter2' } })).toThrow(
      new RegExp(`^config\\.${key}: these constructs set it: ${advice.replace(/[()]/g, '\\$&')}$`),
    );
  });

  test.each([
    ['claims', 'set defaultDuration, minDuration and maxDuration; a provisioner may have claims of its own'],
    ['provisioners', 'set provisioners'],
    ['enableAdmin', 'step-ca would take its provisioners from its database, and not those of the Secret'],
  ])('nor of the authority: %s', (key, advice) => {
    const attempt = () => made({ config: { authority: { [key]: true } } });
    expect(attempt).toThrow(`config.authority.${key}: these constructs set it: ${advice}`);
  });

  test.each<[string, object, string]>([
    ['a password', { config: { password: 'hunter2' } }, 'config.password: it is a secret'],
    [
      'deep in it',
      { config: { kms: { pin: 'hunter2' } } },
      'config.kms.pin: it is a secret, and would be in a ConfigMap',
    ],
    ['in a URI', { config: { kms: { uri: 'pkcs11:token=x?pin-value=hunter2' } } }, 'take pin-source, with a file'],
    [
      'of a provisioner',
      { provisioners: [{ type: 'SCEP', name: 'scep', challenge: 'hunter2' }] },
      'provisioners[0].challenge: it is a secret, and would be in a ConfigMap: put a provisioner with one into the Secret ca-provisioners',
    ],
  ])('never are secrets, and those are not shown: %s', (_what, props, message) => {
    const attempt = () => made(props as StepCaProps);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow('hunter2');
  });

  test.each<[unknown, string]>([
    ['{"x":"hunter2"}', 'config: it takes an object'],
    [['hunter2'], 'config: it takes an object'],
    [{ crl: { cacheDuration: Duration.hours(1) } }, 'config.crl.cacheDuration: it takes JSON: objects, lists'],
    [{ crl: undefined }, 'config.crl: it takes JSON'],
    [{ x: [1, Number.NaN] }, 'config.x[1]: it takes JSON'],
    [{ x: () => {} }, 'config.x: it takes JSON'],
    [{ authority: 'x' }, 'config.authority: it takes an object'],
    [{ x: 'x'.repeat(256 * 1024) }, 'bytes", but with provisioners it takes 262144 bytes at most'],
    [
      Array.from({ length: 30 }).reduce<object>((inner) => ({ x: inner }), {}),
      'it takes objects and lists in each other 20 deep at most',
    ],
  ])('have to be JSON, and are not shown where they are not: %#', (config, message) => {
    expect(() => made({ config } as StepCaProps)).toThrow(message);
    expect(() => made({ config } as StepCaProps)).not.toThrow('hunter2');
  });
});

describe('more provisioners', () => {
  test('are in the configuration, to which the supervisor adds those of the Secret', () => {
    expect(usual.authority).not.toHaveProperty('provisioners');
    expect(caJson(made({ provisioners: [acme] })).authority).toEqual({ ...usual.authority, provisioners: [acme] });
    expect(caJson(made({ provisioners: [] }))).toEqual(usual);
  });

  test.each<[unknown, string]>([
    [acme, 'provisioners: it takes a list'],
    [['ACME'], 'provisioners[0]: it takes an object'],
    [[{ name: 'x' }], 'provisioners[0].type: got undefined, but it takes a string that is not empty'],
    [[{ type: 'ACME' }], 'provisioners[0].name: got undefined, but'],
    [[acme, { type: 'OIDC', name: 'acme' }], 'provisioners: got "acme", but they take a name of their own each'],
    [
      ['a', 'b'].map((name) => ({ type: 'OIDC', name, clientID: 'step' })),
      'provisioners: got "step", but they take a clientID of their own each, and this is there twice',
    ],
    ...['autocert', 'admin'].map((name): [unknown, string] => [
      [{ type: 'ACME', name }],
      `provisioners[0].name: got "${name}", but that one is Autocert’s, in the Secret of pki: give yours another name`,
    ]),
  ])('refuses %j', (provisioners, message) => {
    expect(() => made({ provisioners } as StepCaProps)).toThrow(message);
  });
});

describe("an intermediate's key in a KMS", () => {
  let certificates: { rootCertificate: string; intermediateCertificate: string };
  beforeAll(async () => {
    const { root, intermediate } = await createAuthorities();
    certificates = { rootCertificate: root, intermediateCertificate: intermediate };
  });
  const uri = 'awskms:key-id=6f2a';
  const inKms = (more: object = {}, props: StepCaProps = {}) =>
    made({ pki: Pki.existing({ ...certificates, intermediateKey: uri, ...more }), ...props });

  test('is named to step-ca with the type of the KMS', () => {
    expect(caJson(inKms())).toMatchObject({ key: uri, kms: { type: 'awskms' } });
    expect(usual).not.toHaveProperty('key');
    expect(usual).not.toHaveProperty('kms');
  });

  test('may be reached as the settings say', () => {
    const kms = { type: 'awskms', uri: 'awskms:region=eu-central-1' };
    expect(caJson(inKms({}, { config: { kms } }))).toMatchObject({ key: uri, kms });
  });

  test('is in no Secret, and none is mounted, guarded or waited for', () => {
    const manifests = inKms({}, { database: CaDatabase.persistent() });
    expect(JSON.stringify(manifests)).not.toMatch(/ca-intermediate-key|ca-password/);
    const { volumes } = find(manifests, 'StatefulSet').spec.template.spec;
    expect(volumes.find(({ name }: { name: string }) => name === 'secrets')).toEqual({ name: 'secrets', emptyDir: {} });
  });

  test.each<[object, string]>([
    [
      { intermediateKey: '-----BEGIN PRIVATE KEY-----\nhunter2' },
      'intermediateKey: it takes the URI of a key in a KMS',
    ],
    [{ intermediateKey: 'https://kms/hunter2' }, 'intermediateKey: it takes the URI of a key in a KMS'],
    [{ intermediateKey: 'awskms:' }, 'intermediateKey: it takes the URI of a key in a KMS, such as "awskms:key-id=…"'],
    [{ intermediateKey: 5 }, 'intermediateKey: it takes the URI of a key in a KMS'],
    [{ intermediateKey: 'pkcs11:id=1?pin-value=hunter2' }, 'intermediateKey: its pin would be in a ConfigMap'],
    [{ passwordSecret: 'x' }, 'intermediateKey: it is in a KMS, so leave out intermediateKeySecret and passwordSecret'],
    [{ intermediateKeySecret: 'x' }, 'intermediateKey: it is in a KMS, so leave out'],
  ])('refuses %j, and shows no key', (more, message) => {
    expect(() => inKms(more)).toThrow(message);
    expect(() => inKms(more)).not.toThrow('hunter2');
  });
});
