import { lifetimeFor } from '../../../runtime/cli/demo/scenario.ts';

describe('the certificates of the demo', () => {
  test('last nine seconds where the first one came soon: renewals are there to be watched', () => {
    expect(lifetimeFor(300)).toBe(9);
    expect(lifetimeFor(1_500)).toBe(9);
  });
  test('last longer on a slow machine: a renewal has a third of the time, and that is twice what the first one took', () => {
    expect(lifetimeFor(12_800)).toBe(77);
    expect(lifetimeFor(12_800) / 3).toBeGreaterThan(2 * 12.7);
  });
  test('last two minutes at most', () => expect(lifetimeFor(10 ** 9)).toBe(120));
});
