import { formatDuration, parseDuration } from '../../../runtime/policy/duration.ts';

describe('parseDuration', () => {
  test.each([
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1h0m0s', 3_600_000],
    ['250ms', 250],
    ['2000us', 2],
    ['0', 0],
    ['0s', 0],
  ])('%s is %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', '5 parsecs', '5', 'h', '1h 30m', '-1h', '+1h', '1d', '1e3s', '1h30', '٣h', ' 1h', '9'.repeat(100)])(
    'refuses %j and says what a duration looks like',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/is not a duration: write numbers with a unit/);
    },
  );

  test('refuses what no Go duration holds', () => {
    expect(() => parseDuration('99999999999h')).toThrow(/is not a duration/);
  });
});

describe('formatDuration', () => {
  test.each([
    [86_400_000, '24h'],
    [5_400_000, '1h30m'],
    [300_000, '5m'],
    [90_000, '1m30s'],
    [1_500, '1.5s'],
    [0, '0s'],
  ])('%d milliseconds are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('is read back as it was', () => {
    for (const ms of [1, 999, 60_001, 3_600_000, 3_723_004, 7_862_400_000]) {
      expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 6);
    }
  });
});
