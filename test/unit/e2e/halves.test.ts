/** The steps of the end-to-end tests as two machines share them. */
import { select, usualOf } from '../../e2e/runner.ts';
import { noCluster } from '../../e2e/runs.ts';
import { allSteps, type Half, numbersOf } from '../../e2e/steps/index.ts';

const STEPS = allSteps(noCluster(false));
const idsOf = (half: Half) => select(STEPS, numbersOf(half, STEPS)).map(({ id }) => id);
const [first, second] = [idsOf(1), idsOf(2)];

test('every step is in a half', () => {
  expect(STEPS.filter(({ id }) => !first.includes(id) && !second.includes(id))).toEqual([]);
});

test('what runs without --long rests upon nothing that takes it', () => {
  const long = STEPS.filter(({ long }) => long).map(({ id }) => id);
  expect(long.length).toBeGreaterThan(0);
  const leaned = usualOf(STEPS, false).flatMap(({ restsOn = [] }) => restsOn);
  expect(long.filter((id) => leaned.includes(id))).toEqual([]);
});

test('only what others rest upon is in both', () => {
  const leaned = new Set(STEPS.flatMap(({ id, base, restsOn = [] }) => (base === true ? [id, ...restsOn] : restsOn)));
  const both = first.filter((id) => second.includes(id));
  expect(both.filter((id) => !leaned.has(id))).toEqual([]);
  expect(both.length).toBeLessThan(20);
});

test('neither is much the larger', () => {
  for (const half of [first, second]) expect(half.length).toBeGreaterThan(STEPS.length / 5);
});
