import fc from 'fast-check';
import { deniedStatus, failedStatus, issuedStatus, refreshAt } from '../../../runtime/signer/request-status.ts';

const NOON = new Date('2026-01-01T12:00:00.123Z');
const VALIDITY = { notBefore: new Date('2026-01-01T11:59:00Z'), notAfter: new Date('2026-01-02T11:59:00Z') };

test('an issued request carries leaf and intermediate, the validity of the leaf, and when to renew', () => {
  expect(issuedStatus(['LEAF', 'INTERMEDIATE\n\n'], VALIDITY, NOON, undefined)).toEqual({
    conditions: [
      {
        type: 'Issued',
        status: 'True',
        reason: 'Issued',
        message: 'signed by the Autocert CA',
        lastTransitionTime: '2026-01-01T12:00:00Z',
      },
    ],
    certificateChain: 'LEAF\nINTERMEDIATE\n',
    notBefore: '2026-01-01T11:59:00Z',
    notAfter: '2026-01-02T11:59:00Z',
    beginRefreshAt: '2026-01-02T03:59:00Z',
  });
});

test('a refused request carries a condition and nothing else, as the API demands', () => {
  expect(deniedStatus('NotAllowed', 'no', NOON)).toEqual({
    conditions: [expect.objectContaining({ type: 'Denied', status: 'True', reason: 'NotAllowed', message: 'no' })],
  });
  expect(failedStatus('RejectedByCA', 'no', NOON)).toEqual({
    conditions: [expect.objectContaining({ type: 'Failed', status: 'True', reason: 'RejectedByCA', message: 'no' })],
  });
});

test('renewal begins when the share is gone that the configuration names, and never within ten minutes of either end', () => {
  const day = { notBefore: NOON, notAfter: new Date(NOON.getTime() + 86_400_000) };
  expect(refreshAt(day, 0.5)).toEqual(new Date(NOON.getTime() + 43_200_000));
  expect(refreshAt(day, 0.001)).toEqual(new Date(NOON.getTime() + 600_000));
  expect(refreshAt(day, 0.999)).toEqual(new Date(day.notAfter.getTime() - 600_000));
});

test('a message is cut to what a condition can hold', () => {
  expect(deniedStatus('NotAllowed', 'x'.repeat(100_000), NOON).conditions[0]?.message).toHaveLength(32_768);
});

test('renewal begins when two thirds are gone, ten minutes from either end at least, for all lifetimes the API takes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3600, max: 91 * 86_400 }), (seconds) => {
      const notBefore = VALIDITY.notBefore;
      const notAfter = new Date(notBefore.getTime() + seconds * 1000);
      const at = refreshAt({ notBefore, notAfter }).getTime();
      expect(at - notBefore.getTime()).toBeGreaterThanOrEqual(600_000);
      expect(notAfter.getTime() - at).toBeGreaterThanOrEqual(600_000);
      expect(Math.abs(at - notBefore.getTime() - (seconds * 2000) / 3)).toBeLessThan(1);
    }),
  );
});
