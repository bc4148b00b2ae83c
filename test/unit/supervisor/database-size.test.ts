import { isWorthPruning, limitOf, pruneReason, reserveOf } from '../../../runtime/supervisor/database-size.ts';

const MIB = 1024 * 1024;
const volume = (mebibytes: number, free = mebibytes) => ({ bytes: mebibytes * MIB, free: free * MIB });

test.each([
  [3, 4],
  [100, 25],
  [1024, 256],
  [100_000, 256],
])('on a volume of %i MiB a database may have %i MiB', (size, limit) => {
  expect(limitOf(volume(size))).toBe(limit * MIB);
});

test.each([
  [3, 0.5],
  [100, 10],
  [100_000, 64],
])('of a volume of %i MiB, %d MiB are to stay free', (size, reserve) => {
  expect(reserveOf(volume(size))).toBe(reserve * MIB);
});

describe('step-ca is stopped for a rewrite', () => {
  test('when the file has reached its limit', () => {
    expect(pruneReason(256 * MIB, 0, volume(1024, 700))).toBe('database-size');
    expect(pruneReason(256 * MIB - 1, 0, volume(1024, 700))).toBeUndefined();
  });

  test('when the volume is nearly full, and the file is large enough to matter', () => {
    expect(pruneReason(2 * MIB, 0, volume(3, 0.4))).toBe('volume-space');
    expect(pruneReason(2 * MIB, 0, volume(3, 0.6))).toBeUndefined();
    expect(pruneReason(0.5 * MIB, 0, volume(3, 0))).toBeUndefined();
  });

  test('not before it has doubled since the last time, however large what is needed is', () => {
    expect(pruneReason(300 * MIB, 200 * MIB, volume(1024, 10))).toBeUndefined();
    expect(pruneReason(400 * MIB, 200 * MIB, volume(1024, 10))).toBe('database-size');
  });
});

test('at a restart that happens anyway, a file of a sixteenth of the volume is rewritten', () => {
  expect(isWorthPruning(16 * MIB, 0, volume(1024))).toBe(true);
  expect(isWorthPruning(15 * MIB, 0, volume(1024))).toBe(false);
  expect(isWorthPruning(20 * MIB, 15 * MIB, volume(1024))).toBe(false);
  expect(isWorthPruning(1 * MIB, 0, volume(3))).toBe(true);
});
