import { median, quantile, range, ratioOf, rounded, tableOf } from '../../../bench/figure.ts';

test('the median is not moved by one outlier', () => {
  expect(median([5, 1, 1000])).toBe(5);
});

test('a quantile is a value of the sample, whatever its order', () => {
  const sample = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(quantile(sample, 0.99)).toBe(100);
  expect(quantile([7], 0.99)).toBe(7);
  expect(() => quantile([], 0.5)).toThrow('an empty sample');
});

test('the spread goes from the least to the greatest', () => {
  expect(range([3, 1, 2])).toEqual([1, 3]);
});

test('a figure without a baseline, or with one of zero, has no ratio', () => {
  const figure = { name: 'x', value: 3, unit: 's' };
  expect(ratioOf(figure)).toBeUndefined();
  expect(ratioOf({ ...figure, baseline: { name: 'nothing', value: 0 } })).toBeUndefined();
  expect(ratioOf({ ...figure, baseline: { name: 'y', value: 2 } })).toBe(1.5);
});

test.each([
  [1234.5, '1235'],
  [12.345, '12.3'],
  [0.01234, '0.0123'],
  [0, '0.00'],
])('%d is shown as %s', (value, shown) => {
  expect(rounded(value)).toBe(shown);
});

test('the table has one line a figure', () => {
  const figures = [
    { name: 'a', value: 3, unit: 's', range: [2.5, 4], baseline: { name: 'b', value: 2 }, aim: '4 s' },
    { name: 'c', value: 100, unit: 'MB' },
  ] as const;
  expect(tableOf(figures).split('\n')).toEqual([
    'what  here    spread        baseline   ratio  aim',
    'a     3.00 s  2.50 to 4.00  2.00 s, b  1.50   4 s',
    'c     100 MB',
  ]);
});
