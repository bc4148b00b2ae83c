import { endText, lengthText, shareLeft } from '../../../../runtime/cli/dashboard/page/times.ts';

const S = 1000;
const [MIN, HOUR, DAY] = [60 * S, 3600 * S, 86_400 * S];

test.each([
  [-5, '0 s'],
  [999, '0 s'],
  [9 * S, '9 s'],
  [61 * S, '1 min 1 s'],
  [2 * HOUR, '2 h'],
  [2 * HOUR + 30 * S, '2 h'],
  [23 * HOUR + 59 * MIN + 59 * S, '23 h 59 min'],
  [DAY, '1 day'],
  [2 * DAY + 3 * HOUR, '2 days 3 h'],
  [29 * DAY + 3 * HOUR, '29 days'],
  [366 * DAY, '1 year 1 day'],
  [3650 * DAY, '10 years'],
])('%d ms read %s', (ms, text) => {
  expect(lengthText(ms)).toBe(text);
});

test('one unit is enough where there is little room', () => {
  expect(lengthText(3_649 * DAY, 1)).toBe('9 years');
});

test('an end is ahead or past', () => {
  expect([endText(9 * S, 0), endText(0, 61 * S)]).toEqual(['in 9 s', '1 min 1 s ago']);
});

test.each([
  ['half of it', '2026-01-01T00:00:00Z', '2026-01-01T02:00:00Z', 0.5],
  ['nothing after its end', '2026-01-01T00:00:00Z', '2026-01-01T00:30:00Z', 0],
  ['all before its beginning', '2026-01-01T01:30:00Z', '2026-01-01T02:00:00Z', 1],
  ['not known without a beginning', undefined, '2026-01-01T02:00:00Z', undefined],
  ['not known where it ends before it begins', '2026-01-02T00:00:00Z', '2026-01-01T02:00:00Z', undefined],
])('of a life is left: %s', (_, begin, end, share) => {
  expect(shareLeft(begin, end, Date.parse('2026-01-01T01:00:00Z'))).toBe(share);
});
