import { jest } from '@jest/globals';
import { type Outcome, WorkQueue } from '../../../runtime/signer/work-queue.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A queue whose work ends when the test says so. */
function controlled(limit = 2) {
  const open = new Map<string, (outcome: Outcome) => void>();
  const started: string[] = [];
  const queue = new WorkQueue<string>({
    limit,
    pause: { firstMs: 100, longestMs: 1000 },
    random: () => 1,
    work: (item) => {
      started.push(item);
      return new Promise((resolve) => open.set(item, resolve));
    },
  });
  const end = async (item: string, kind: Outcome['kind']) => {
    open.get(item)?.({ kind });
    await jest.advanceTimersByTimeAsync(0);
  };
  return { queue, started, end };
}

test('works on no more than the limit at once, first in, first out', async () => {
  const { queue, started, end } = controlled(2);
  for (const item of ['a', 'b', 'c', 'd']) queue.put(item, item);
  expect(started).toEqual(['a', 'b']);
  await end('b', 'done');
  expect(started).toEqual(['a', 'b', 'c']);
  expect(queue.size).toBe(3);
});

test('works on a key once, however often it is put', async () => {
  const { queue, started, end } = controlled();
  queue.put('a', 'a');
  queue.put('a', 'a');
  await end('a', 'done');
  expect(started).toEqual(['a']);
  expect(queue.size).toBe(0);
});

test('uses the latest version of an item for its next attempt', async () => {
  const { queue, started, end } = controlled();
  queue.put('a', 'old');
  queue.put('a', 'new');
  await end('old', 'again');
  await jest.advanceTimersByTimeAsync(100);
  expect(started).toEqual(['old', 'new']);
});

test('tries one item again after growing pauses while the others go on', async () => {
  const { queue, started, end } = controlled(1);
  queue.put('a', 'a');
  queue.put('b', 'b');
  await end('a', 'again');
  expect(started).toEqual(['a', 'b']);
  await end('b', 'done');
  await jest.advanceTimersByTimeAsync(100);
  await end('a', 'again');
  await jest.advanceTimersByTimeAsync(199);
  expect(started).toEqual(['a', 'b', 'a']);
  await jest.advanceTimersByTimeAsync(1);
  expect(started).toEqual(['a', 'b', 'a', 'a']);
});

test('pauses as a whole while a peer is down, and starts at once in the old order when it is back', async () => {
  const { queue, started, end } = controlled(2);
  for (const item of ['a', 'b', 'c']) queue.put(item, item);
  await end('a', 'unavailable');
  await end('b', 'unavailable');
  expect(started).toEqual(['a', 'b']);
  await jest.advanceTimersByTimeAsync(100);
  expect(started).toEqual(['a', 'b', 'a', 'b']);
  await end('a', 'unavailable');
  await end('b', 'unavailable');
  await jest.advanceTimersByTimeAsync(199);
  expect(started).toHaveLength(4);
  await jest.advanceTimersByTimeAsync(1);
  await end('a', 'done');
  await end('b', 'done');
  expect(started).toEqual(['a', 'b', 'a', 'b', 'a', 'b', 'c']);
});

test('never pauses longer than the longest pause', async () => {
  const { queue, started, end } = controlled(1);
  queue.put('a', 'a');
  for (let failure = 0; failure < 40; failure += 1) {
    await end('a', 'unavailable');
    await jest.advanceTimersByTimeAsync(1000);
  }
  expect(started).toHaveLength(41);
});

test('forgets what was dropped, also while it waits for another attempt', async () => {
  const { queue, started, end } = controlled(1);
  queue.put('a', 'a');
  queue.put('b', 'b');
  queue.drop('b');
  await end('a', 'again');
  queue.drop('a');
  await jest.advanceTimersByTimeAsync(10_000);
  expect(started).toEqual(['a']);
  expect(queue.size).toBe(0);
});

test('forgets what a new list no longer has', () => {
  const { queue } = controlled(1);
  for (const item of ['a', 'b', 'c']) queue.put(item, item);
  queue.retain(new Set(['b']));
  expect(queue.size).toBe(1);
});

test('stop starts nothing more and waits for what is in work', async () => {
  const { queue, started, end } = controlled(1);
  queue.put('a', 'a');
  queue.put('b', 'b');
  let stopped = false;
  const stopping = queue.stop().then(() => {
    stopped = true;
  });
  await jest.advanceTimersByTimeAsync(0);
  expect(stopped).toBe(false);
  await end('a', 'done');
  await stopping;
  expect(started).toEqual(['a']);
  queue.put('c', 'c');
  expect(queue.size).toBe(0);
});
