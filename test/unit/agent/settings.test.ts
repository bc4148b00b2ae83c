import { readSettings } from '../../../runtime/agent/settings.ts';
import { issue } from '../../support/tiny-ca.ts';

const [first, second] = ['First Root', 'Second Root'].map((name) => issue(name, { ca: true }).certificatePem) as [
  string,
  string,
];
const complete = { AUTOCERT_URL: 'https://autocert.step.svc:4444/', AUTOCERT_ROOTS: first };

test('what the injector sets is enough; the rest has defaults', () => {
  expect(readSettings(complete)).toEqual({
    autocertUrl: 'https://autocert.step.svc:4444',
    roots: [first],
    namespace: '',
    mode: 0o644,
    hostAliases: new Map(),
    dir: '/var/run/autocert.step.sm',
    tokenFile: '/var/run/secrets/autocert.step.sm/token',
  });
});

test('everything can be set', () => {
  const settings = readSettings({
    ...complete,
    AUTOCERT_ROOTS: `${first}${second}`,
    NAMESPACE: 'shop',
    MODE: '0600',
    AUTOCERT_HOST_ALIASES: 'Autocert.step.svc=10.0.0.1, other.step.svc=fd00::1',
    AUTOCERT_DIR: '/files',
    AUTOCERT_TOKEN_FILE: '/token',
  });
  expect(settings).toMatchObject({
    roots: [first, second],
    namespace: 'shop',
    mode: 0o600,
    dir: '/files',
    tokenFile: '/token',
  });
  expect([...settings.hostAliases]).toEqual([
    ['autocert.step.svc', '10.0.0.1'],
    ['other.step.svc', 'fd00::1'],
  ]);
});

test('every fault is reported at once: the variable, what it is, what it takes', () => {
  const faults = () =>
    readSettings({ AUTOCERT_URL: 'http://autocert', MODE: '999', AUTOCERT_HOST_ALIASES: 'autocert=nowhere' });
  expect(faults).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  expect(faults).toThrow(
    /AUTOCERT_URL is "http:\/\/autocert"; it takes the https:\/\/ URL of the certificate endpoint/,
  );
  expect(faults).toThrow(/AUTOCERT_ROOTS is not set/);
  expect(faults).toThrow(/MODE is "999"; it takes an octal file mode/);
  expect(faults).toThrow(/AUTOCERT_HOST_ALIASES is "autocert=nowhere"; it takes name=address pairs/);
});

test.each([
  ['a word', 'a root'],
  ['what is no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
])('roots are no %s', (_, roots) => {
  expect(() => readSettings({ ...complete, AUTOCERT_ROOTS: roots })).toThrow(
    /AUTOCERT_ROOTS is .*; it takes root certificates in PEM/,
  );
});
