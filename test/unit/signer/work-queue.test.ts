import { jest } from '@jest/globals';
import { type Outcome, WorkQueue } from '../../../runtime/signer/work-queue.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A queue whose work ends when the test says so. By chance 0 every pause is the shortest. */
function controlled(limit = 2, capacity = 1000) {
  const open = new Map<string, (outcome: Outcome) => void>();
  const started: string[] = [];
  const state = { held: false };
  const queue = new WorkQueue<string>({
    limit,
    capacity,
    backoff: { item: { base: 100, cap: 1000 }, all: { base: 100, cap: 1000 } },
    random: () => 0,
    held: () => state.held,
    work: (item) => {
      started.push(item);
      return new Promise((resolve) => open.set(item, resolve));
    },
  });
  const end = async (item: string, kind: Outcome['kind'], leastMs?: number) => {
    open.get(item)?.({ kind, leastMs });
    await jest.advanceTimersByTimeAsync(0);
  };
  return { queue, started, end, state, put: (item: string, namespace = 'shop') => queue.put(item, namespace, item) };
}

describe('order', () => {
  test('works on no more than the limit at once, first in, first out', async () => {
    const { queue, put, started, end } = controlled(2);
    for (const item of ['a', 'b', 'c', 'd']) put(item);
    expect(started).toEqual(['a', 'b']);
    await end('b', 'done');
    expect(started).toEqual(['a', 'b', 'c']);
    expect(queue.size).toBe(3);
  });

  test('takes namespaces in turn, first in, first out within one', async () => {
    const { put, started, end } = controlled(1);
    for (const item of ['a1', 'a2', 'a3']) put(item, 'a');
    for (const item of ['b1', 'b2']) put(item, 'b');
    put('c1', 'c');
    for (let done = 0; done < 6; done += 1) await end(started.at(-1) ?? '', 'done');
    expect(started).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2']);
  });

  test('a namespace with 5,000 requests makes another wait for those in work only', async () => {
    const { put, started, end } = controlled(8, 20_000);
    for (let item = 0; item < 5000; item += 1) put(`flood-${item}`, 'flood');
    await end('flood-0', 'done');
    put('mine', 'shop');
    const before = started.length;
    await end('flood-1', 'done');
    await end('flood-2', 'done');
    expect(started.slice(before)).toContain('mine');
  });
});

describe('room', () => {
  test('a namespace that floods the queue gets half of its places, and others find room beside it', () => {
    const { queue, put } = controlled(1, 1000);
    const flood = (namespace: string) =>
      Array.from({ length: 5000 }, (_, item) => put(`${namespace}-${item}`, namespace)).filter(Boolean).length;
    expect(flood('a')).toBe(500);
    expect(flood('b')).toBe(250);
    expect(put('mine', 'shop')).toBe(true);
    for (let other = 0; other < 100; other += 1) flood(`n-${other}`);
    expect(queue.size).toBeLessThanOrEqual(1000);
  });

  test('what is done makes room', async () => {
    const { put, end } = controlled(1, 2);
    expect(put('a')).toBe(true);
    expect(put('b')).toBe(false);
    await end('a', 'done');
    expect(put('b')).toBe(true);
  });

  test('works on a key once, however often it is put', async () => {
    const { queue, put, started, end } = controlled();
    put('a');
    put('a');
    await end('a', 'done');
    expect(started).toEqual(['a']);
    expect(queue.size).toBe(0);
  });

  test('uses the latest version of an item for its next attempt', async () => {
    const { queue, started, end } = controlled();
    queue.put('a', 'shop', 'old');
    queue.put('a', 'shop', 'new');
    expect(queue.get('a')).toBe('new');
    await end('old', 'again');
    await jest.advanceTimersByTimeAsync(100);
    expect(started).toEqual(['old', 'new']);
  });

  test('forgets what was dropped, also while it waits for another attempt', async () => {
    const { queue, put, started, end } = controlled(1);
    put('a');
    put('b');
    queue.drop('b');
    await end('a', 'again');
    queue.drop('a');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(started).toEqual(['a']);
    expect(queue.size).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('forgets what a new list no longer has', () => {
    const { queue, put } = controlled(1);
    for (const item of ['a', 'b', 'c']) put(item);
    queue.retain(new Set(['b']));
    expect(queue.size).toBe(1);
  });
});

describe('trying again', () => {
  test('tries one item again after a pause while the others go on', async () => {
    const { put, started, end } = controlled(1);
    put('a');
    put('b');
    await end('a', 'again');
    expect(started).toEqual(['a', 'b']);
    await end('b', 'done');
    await jest.advanceTimersByTimeAsync(100);
    expect(started).toEqual(['a', 'b', 'a']);
  });

  test('with growing pauses, up to the longest', async () => {
    const times: number[] = [];
    const queue = new WorkQueue<string>({
      limit: 1,
      capacity: 10,
      backoff: { item: { base: 100, cap: 1000 }, all: { base: 100, cap: 1000 } },
      random: () => 1,
      work: async () => {
        times.push(performance.now());
        return { kind: 'again' };
      },
    });
    queue.put('a', 'shop', 'a');
    await jest.advanceTimersByTimeAsync(5000);
    const pauses = times.slice(1).map((time, index) => Math.round(time - (times[index] ?? 0)));
    expect(pauses.slice(0, 4)).toEqual([300, 900, 1000, 1000]);
    await queue.stop();
  });

  test('no sooner than the attempt has asked for', async () => {
    const { put, started, end } = controlled(1);
    put('a');
    await end('a', 'again', 5000);
    await jest.advanceTimersByTimeAsync(4999);
    expect(started).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(1);
    expect(started).toEqual(['a', 'a']);
  });
});

describe('while a peer is down', () => {
  test('pauses as a whole, and goes on in the old order when it is back', async () => {
    const { put, started, end } = controlled(2);
    for (const item of ['a', 'b', 'c']) put(item);
    await end('a', 'unavailable');
    await end('b', 'unavailable');
    expect(started).toEqual(['a', 'b']);
    await jest.advanceTimersByTimeAsync(100);
    expect(started).toEqual(['a', 'b', 'a', 'b']);
    await end('a', 'done');
    await end('b', 'done');
    expect(started).toEqual(['a', 'b', 'a', 'b', 'c']);
  });

  test('honours what the peer asks for', async () => {
    const { put, started, end } = controlled(1);
    put('a');
    await end('a', 'unavailable', 30_000);
    await jest.advanceTimersByTimeAsync(29_999);
    expect(started).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(1);
    expect(started).toEqual(['a', 'a']);
  });

  test('never pauses longer than the longest pause', async () => {
    const { put, started, end } = controlled(1);
    put('a');
    for (let failure = 0; failure < 40; failure += 1) {
      await end('a', 'unavailable');
      await jest.advanceTimersByTimeAsync(1000);
    }
    expect(started).toHaveLength(41);
  });

  test('begins nothing while it is held, and goes on when it is woken', async () => {
    const { queue, put, started, state } = controlled(2);
    state.held = true;
    for (const item of ['a', 'b', 'c']) put(item);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(started).toEqual([]);
    state.held = false;
    queue.wake();
    expect(started).toEqual(['a', 'b']);
  });
});

test('stop begins nothing more and waits for what is in work', async () => {
  const { queue, put, started, end } = controlled(1);
  put('a');
  put('b');
  let stopped = false;
  const stopping = queue.stop().then(() => {
    stopped = true;
  });
  await jest.advanceTimersByTimeAsync(0);
  expect(stopped).toBe(false);
  await end('a', 'done');
  await stopping;
  expect(started).toEqual(['a']);
  expect(put('c')).toBe(false);
  expect(queue.size).toBe(0);
});
