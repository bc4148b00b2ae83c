import { DEFAULT_CLAIMS, overrideClaims, validityFor } from '../../../runtime/ca/lifetimes.ts';

const NOW = new Date('2027-01-01T12:00:00.400Z');
const at = (text: string) => new Date(text);

const validity = (notAfter?: string, notBefore?: string) =>
  validityFor({ ...(notAfter ? { notAfter } : {}), ...(notBefore ? { notBefore } : {}) }, DEFAULT_CLAIMS, NOW);

test('a certificate is valid from a minute ago, for the default from now', () => {
  expect(validity()).toEqual({ notBefore: at('2027-01-01T11:59:00.400Z'), notAfter: at('2027-01-02T12:00:00.400Z') });
});

test('a duration counts from now, the back-dated minute comes on top', () => {
  expect(validity('1h30m')).toEqual({
    notBefore: at('2027-01-01T11:59:00.400Z'),
    notAfter: at('2027-01-01T13:30:00.400Z'),
  });
});

test('an end may be given as a time, also in another zone', () => {
  expect(validity('2027-01-01T16:00:00+02:00').notAfter).toEqual(at('2027-01-01T14:00:00Z'));
});

test('a start that is asked for is not dated back, and the duration counts from it', () => {
  expect(validity('1h', '2h')).toEqual({
    notBefore: at('2027-01-01T14:00:00.400Z'),
    notAfter: at('2027-01-01T15:00:00.400Z'),
  });
  expect(validity('1h', '-5m').notBefore).toEqual(at('2027-01-01T11:55:00.400Z'));
});

test('the whole maximum may be asked for', () => {
  expect(() => validity('24h')).not.toThrow();
});

test.each([
  ['24h0m1s', 'FORBIDDEN', "a lifetime of 24h1m1s is longer than the provisioner's maximum, 24h"],
  ['3m', 'FORBIDDEN', "a lifetime of 4m is shorter than the provisioner's minimum, 5m"],
  ['2020-01-01T00:00:00Z', 'INVALID_INPUT', 'notAfter 2020-01-01T00:00:00.000Z is in the past'],
  [
    'tomorrow',
    'INVALID_INPUT',
    'notAfter "tomorrow" has to be a duration such as 1h30m, or a time such as 2027-01-01T00:00:00Z',
  ],
  [
    '5 parsecs',
    'INVALID_INPUT',
    'notAfter "5 parsecs" has to be a duration such as 1h30m, or a time such as 2027-01-01T00:00:00Z',
  ],
])('%s is refused', (notAfter, code, message) => {
  expect(() => validity(notAfter)).toThrow(expect.objectContaining({ code, message }));
});

test('an end before the start is refused', () => {
  expect(() => validity('2027-01-01T13:00:00Z', '2027-01-01T14:00:00Z')).toThrow(
    expect.objectContaining({ code: 'INVALID_INPUT' }),
  );
});

describe('claims', () => {
  test('of a provisioner override those of the CA, one by one', () => {
    const claims = overrideClaims(DEFAULT_CLAIMS, { maxTLSCertDuration: '48h', disableRenewal: true }, 'x');
    expect(claims).toEqual({ ...DEFAULT_CLAIMS, maxMs: 48 * 3_600_000, disableRenewal: true });
  });

  test('that contradict each other are refused', () => {
    expect(() => overrideClaims(DEFAULT_CLAIMS, { minTLSCertDuration: '25h' }, 'authority.claims')).toThrow(
      'authority.claims: wanted minTLSCertDuration ≤ defaultTLSCertDuration ≤ maxTLSCertDuration, got 25h, 24h, 24h',
    );
  });

  test('that are no durations are refused, with their name', () => {
    expect(() => overrideClaims(DEFAULT_CLAIMS, { minTLSCertDuration: 5 }, 'authority.claims')).toThrow(
      /^authority\.claims\.minTLSCertDuration: "5" is not a duration/,
    );
  });
});
