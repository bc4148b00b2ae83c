import { REMEMBERED_MS, remember } from '../../../../runtime/cli/observed/memory.ts';

/** Somebody who asks again and again; the answers are numbers from 1 on. */
function asking(answer = async (count: number) => count, isKept?: (count: number) => boolean) {
  let [clock, count] = [0, 0];
  const ask = remember(
    () => answer(++count),
    () => clock,
    isKept,
  );
  return (ms: number) => {
    clock += ms;
    return ask();
  };
}

test('an answer is believed for half a minute', async () => {
  const later = asking();
  expect([await later(0), await later(2_000), await later(REMEMBERED_MS - 2_001), await later(1)]).toEqual([
    1, 1, 1, 2,
  ]);
});

test('who asks before the answer is there waits for the same one', async () => {
  const later = asking();
  expect(await Promise.all([later(0), later(1)])).toEqual([1, 1]);
});

test('a failure is not kept', async () => {
  const later = asking(async (count) => {
    if (count === 1) throw new Error('no route');
    return count;
  });
  await expect(later(0)).rejects.toThrow('no route');
  expect(await later(2_000)).toBe(2);
});

test('an answer that is not worth keeping is given, and not kept', async () => {
  const later = asking(undefined, (count) => count > 1);
  expect([await later(0), await later(1), await later(1)]).toEqual([1, 2, 2]);
});
