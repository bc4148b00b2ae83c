import { readSettings } from '../../../runtime/agent/settings.ts';
import { fingerprintOf } from '../../../runtime/x509/certificate.ts';
import { issue } from '../../support/tiny-ca.ts';

const complete = {
  STEP_CA_URL: 'https://ca.step.svc.cluster.local/',
  STEP_FINGERPRINT: 'ab'.repeat(32),
  AUTOCERT_URL: 'https://autocert.step.svc',
};

test('what the injector sets is enough; the rest has defaults', () => {
  expect(readSettings(complete)).toEqual({
    caUrl: 'https://ca.step.svc.cluster.local',
    fingerprints: ['ab'.repeat(32)],
    roots: [],
    autocertUrl: 'https://autocert.step.svc',
    mode: 0o644,
    hostAliases: new Map(),
    dir: '/var/run/autocert.step.sm',
    tokenFile: '/var/run/secrets/autocert.step.sm/token',
  });
});

test('everything can be set; fingerprints may be written as other programs print them', () => {
  const settings = readSettings({
    ...complete,
    STEP_FINGERPRINT: `${'AB:'.repeat(31)}AB, ${'cd'.repeat(32)}`,
    MODE: '0600',
    AUTOCERT_HOST_ALIASES: 'CA.step.svc=10.0.0.1, autocert.step.svc=fd00::1',
    AUTOCERT_DIR: '/files',
    AUTOCERT_TOKEN_FILE: '/token',
  });
  expect(settings).toMatchObject({
    fingerprints: ['ab'.repeat(32), 'cd'.repeat(32)],
    mode: 0o600,
    dir: '/files',
    tokenFile: '/token',
  });
  expect([...settings.hostAliases]).toEqual([
    ['ca.step.svc', '10.0.0.1'],
    ['autocert.step.svc', 'fd00::1'],
  ]);
});

test('every fault is reported at once: the variable, what it is, what it takes', () => {
  const faults = () =>
    readSettings({
      STEP_CA_URL: 'http://ca',
      STEP_FINGERPRINT: 'abc',
      MODE: '999',
      AUTOCERT_HOST_ALIASES: 'ca=nowhere',
    });
  expect(faults).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  expect(faults).toThrow(/STEP_CA_URL is "http:\/\/ca"; it takes the https:\/\/ URL of the CA/);
  expect(faults).toThrow(/STEP_FINGERPRINT is "abc"; it takes SHA-256 fingerprints/);
  expect(faults).toThrow(/AUTOCERT_URL is not set/);
  expect(faults).toThrow(/MODE is "999"; it takes an octal file mode/);
  expect(faults).toThrow(/AUTOCERT_HOST_ALIASES is "ca=nowhere"; it takes name=address pairs/);
});

describe('roots that are sent along', () => {
  const [first, second] = [issue('First Root', { ca: true }), issue('Second Root', { ca: true })].map(
    ({ certificatePem }) => certificatePem,
  ) as [string, string];
  const settings = (roots: string, ...pinned: string[]) =>
    readSettings({ ...complete, STEP_FINGERPRINT: pinned.map(fingerprintOf).join(','), AUTOCERT_ROOTS: roots });

  test('are taken when each is pinned', () => {
    expect(settings(`${first}${second}`, first, second).roots).toEqual([first, second]);
  });

  test.each([
    ['is not pinned', `${first}${second}`],
    ['is no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['is something else', 'a root'],
  ])('are refused when one %s', (_, roots) => {
    expect(() => settings(roots, first)).toThrow(
      /AUTOCERT_ROOTS is .*; it takes PEM certificates that STEP_FINGERPRINT/,
    );
  });
});
