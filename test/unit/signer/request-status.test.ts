import fc from 'fast-check';
import { USUAL_WINDOW } from '../../../runtime/policy/renewal.ts';
import { issuedStatus, refreshAt, refusedStatus, windowOf } from '../../../runtime/signer/request-status.ts';

const NOON = new Date('2026-01-01T12:00:00.123Z');
const VALIDITY = { notBefore: new Date('2026-01-01T11:59:00Z'), notAfter: new Date('2026-01-02T12:00:00Z') };

test('an issued request carries leaf and intermediate, the validity of the leaf, and when to renew', () => {
  const issued = { chainPem: ['LEAF', 'INTERMEDIATE\n\n'], validity: VALIDITY, serial: '01' };
  expect(issuedStatus(issued, NOON, refreshAt(VALIDITY, USUAL_WINDOW, 1))).toEqual({
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
    notAfter: '2026-01-02T12:00:00Z',
    beginRefreshAt: '2026-01-02T04:00:00Z',
  });
});

test('a refused request carries a condition and nothing else, as the API demands', () => {
  expect(refusedStatus('Denied', 'NotAllowed', 'no', NOON)).toEqual({
    conditions: [expect.objectContaining({ type: 'Denied', status: 'True', reason: 'NotAllowed', message: 'no' })],
  });
  expect(refusedStatus('Failed', 'RejectedByCA', 'no', NOON)).toEqual({
    conditions: [expect.objectContaining({ type: 'Failed', status: 'True', reason: 'RejectedByCA', message: 'no' })],
  });
});

test('a message is cut to what a condition can hold', () => {
  const status = refusedStatus('Denied', 'NotAllowed', 'x'.repeat(100_000), NOON);
  expect(status.conditions[0]?.message).toHaveLength(32_768);
});

describe('renewal begins', () => {
  const day = { notBefore: new Date(NOON.getTime() - 60_000), notAfter: new Date(NOON.getTime() + 86_400_000) };
  const hoursIn = (hours: number) => new Date(NOON.getTime() + hours * 3_600_000);

  test('in the window that agents have too: between a half and two thirds of the lifetime', () => {
    expect(refreshAt(day, windowOf(undefined), 0)).toEqual(hoursIn(12));
    expect(refreshAt(day, windowOf(undefined), 1)).toEqual(hoursIn(16));
  });

  test('by the share of the lifetime that the configuration names, and up to a quarter of it earlier', () => {
    expect(refreshAt(day, windowOf(0.5), 1)).toEqual(hoursIn(12));
    expect(refreshAt(day, windowOf(0.5), 0)).toEqual(hoursIn(9));
  });

  test('never within ten minutes of either end', () => {
    expect(refreshAt(day, windowOf(0.001), 0)).toEqual(new Date(day.notBefore.getTime() + 600_000));
    expect(refreshAt(day, windowOf(0.999), 1)).toEqual(new Date(day.notAfter.getTime() - 600_000));
  });

  test('ten minutes from either end at least, for all lifetimes that the API takes', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const seconds = fc.integer({ min: 3600, max: 91 * 86_400 });
    fc.assert(
      fc.property(seconds, fc.option(share, { nil: undefined }), share, (lifetime, renewAt, position) => {
        const { notBefore } = VALIDITY;
        const notAfter = new Date(notBefore.getTime() + lifetime * 1000);
        const at = refreshAt({ notBefore, notAfter }, windowOf(renewAt), position).getTime();
        expect(at - notBefore.getTime()).toBeGreaterThanOrEqual(600_000);
        expect(notAfter.getTime() - at).toBeGreaterThanOrEqual(600_000);
      }),
    );
  });
});
