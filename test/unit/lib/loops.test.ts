import { jest } from '@jest/globals';
import fc from 'fast-check';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import {
  clamp,
  LEAST_PAUSE_MS,
  LONGEST_SLEEP_MS,
  nextDelay,
  type Repetition,
  repeat,
  retryAfterMs,
  sleep,
} from '../../../runtime/lib/loops.ts';
import { keptLog } from '../../support/logs.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const NEVER = new AbortController().signal;
const chance = fc.double({ min: 0, max: 1, noNaN: true });

afterEach(() => jest.useRealTimers());

describe('sleep', () => {
  /** How long a sleep of `ms` lasts by the machine's timers; at most two hours are waited for. */
  async function lengthOf(ms: number): Promise<number> {
    jest.useFakeTimers();
    let awake = false;
    const sleeping = sleep(ms, NEVER).then(() => {
      awake = true;
    });
    const start = Date.now();
    while (!awake && Date.now() - start < 7_200_000) await jest.advanceTimersToNextTimerAsync();
    await sleeping;
    return Date.now() - start;
  }

  test.each([
    ['a second', SECOND, SECOND],
    ['no time', 0, 0],
    ['less than no time', -5, 0],
    ['more than a timer holds, which would fire at once', 2 ** 31, LONGEST_SLEEP_MS],
    ['90 days', 90 * 24 * 60 * MINUTE, LONGEST_SLEEP_MS],
    ['for ever', Number.POSITIVE_INFINITY, LONGEST_SLEEP_MS],
    ['what is no number', Number.NaN, LONGEST_SLEEP_MS],
  ])('%s', async (_title, asked, slept) => {
    expect(await lengthOf(asked)).toBe(slept);
  });

  test('ends at once when it is to end, and does not begin after that', async () => {
    jest.useFakeTimers();
    const stop = new AbortController();
    const sleeping = sleep(MINUTE, stop.signal);
    stop.abort();
    await sleeping;
    await sleep(MINUTE, stop.signal);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('leaves no listener behind: a signal lives as long as the program', async () => {
    const { signal } = new AbortController();
    const added = jest.spyOn(signal, 'addEventListener');
    const removed = jest.spyOn(signal, 'removeEventListener');
    for (let turn = 0; turn < 20; turn += 1) await sleep(0, signal);
    expect(added).toHaveBeenCalledTimes(20);
    expect(removed).toHaveBeenCalledTimes(20);
  });
});

test('a value is clamped to its bounds, and what is no number to the upper one', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      const clamped = clamp(value, -1, 1);
      expect(clamped).toBeGreaterThanOrEqual(-1);
      expect(clamped).toBeLessThanOrEqual(1);
      if (value >= -1 && value <= 1) expect(clamped).toBe(value);
    }),
  );
  expect(clamp(Number.NaN, 0, 7)).toBe(7);
});

describe('nextDelay', () => {
  const bounds = { base: SECOND, cap: MINUTE };

  test('begins at the base and grows at most threefold', () => {
    expect(nextDelay(undefined, 0, bounds)).toBe(SECOND);
    expect(nextDelay(undefined, 1, bounds)).toBe(3 * SECOND);
    expect(nextDelay(3 * SECOND, 1, bounds)).toBe(9 * SECOND);
    expect(nextDelay(9 * SECOND, 0, bounds)).toBe(SECOND);
  });

  test('never leaves its bounds, however long the failure lasts', () => {
    const anyBounds = fc
      .tuple(fc.integer({ min: 1, max: MINUTE }), fc.integer({ min: 0, max: 60 * MINUTE }))
      .map(([base, more]) => ({ base, cap: base + more }));
    fc.assert(
      fc.property(anyBounds, fc.array(chance, { maxLength: 50 }), ({ base, cap }, chances) => {
        let delay: number | undefined;
        for (const random of chances) {
          delay = nextDelay(delay, random, { base, cap });
          expect(delay).toBeGreaterThanOrEqual(base);
          expect(delay).toBeLessThanOrEqual(cap);
        }
      }),
    );
  });
});

test('patience is what a peer has asked for by Retry-After', () => {
  expect(retryAfterMs(new AutocertError('UNAVAILABLE', 'busy', { retryAfterMs: 7000 }))).toBe(7000);
  expect(retryAfterMs(new AutocertError('UNAVAILABLE', 'busy'))).toBeUndefined();
  expect(retryAfterMs(new Error('retry-after: 7'))).toBeUndefined();
});

describe('repeat', () => {
  const log = keptLog();
  beforeEach(() => log.lines.splice(0));

  /** The pauses of a task whose runs end as `outcomes` say; an Error is a failure. */
  async function pausesOf(outcomes: readonly (Error | 'ok')[], repetition: Partial<Repetition> = {}) {
    const stop = new AbortController();
    const slept: number[] = [];
    let run = 0;
    await repeat(
      async () => {
        const outcome = outcomes[run++];
        if (outcome instanceof Error) throw outcome;
      },
      {
        what: 'the task has failed',
        everyMs: MINUTE,
        log,
        signal: stop.signal,
        random: () => 1,
        sleep: async (ms) => {
          slept.push(ms);
          if (slept.length >= outcomes.length) stop.abort();
        },
        ...repetition,
      },
    );
    return slept;
  }
  const failures = (count: number, error: Error = new Error('down')) => Array<Error>(count).fill(error);

  test('pauses as long as it is told to after a success', async () => {
    expect(await pausesOf(['ok', 'ok'])).toEqual([MINUTE, MINUTE]);
    let pause = 0;
    expect(await pausesOf(['ok', 'ok'], { everyMs: () => (pause += 5000) })).toEqual([5000, 10_000]);
  });

  test.each([0, -1, 1, Number.MIN_VALUE])('pauses at least a second after a success, not %d ms', async (everyMs) => {
    expect(await pausesOf(['ok', 'ok'], { everyMs })).toEqual([LEAST_PAUSE_MS, LEAST_PAUSE_MS]);
    expect(await pausesOf(['ok'], { everyMs: () => everyMs })).toEqual([LEAST_PAUSE_MS]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('a pause of %d is an hour', async (everyMs) => {
    expect(await pausesOf(['ok'], { everyMs })).toEqual([LONGEST_SLEEP_MS]);
    expect(await pausesOf(['ok'], { everyMs: () => everyMs })).toEqual([LONGEST_SLEEP_MS]);
  });

  test('is soon there again after a failure, then ever later, up to a quarter of a minute', async () => {
    expect(await pausesOf(failures(6))).toEqual([750, 2250, 6750, 15_000, 15_000, 15_000]);
  });

  test('begins anew after a success', async () => {
    expect(await pausesOf([...failures(2), 'ok', ...failures(1)])).toEqual([750, 2250, MINUTE, 750]);
  });

  test('pauses no longer after a failure than after a success', async () => {
    for (const everyMs of [2000, () => 2000]) {
      expect(await pausesOf(failures(3), { everyMs })).toEqual([750, 2000, 2000]);
    }
  });

  test('keeps to bounds of its own', async () => {
    const backoff = { base: MINUTE, cap: 5 * MINUTE };
    expect(await pausesOf(failures(3), { backoff, everyMs: SECOND })).toEqual([3 * MINUTE, 5 * MINUTE, 5 * MINUTE]);
  });

  test('waits as long as the peer asks for by Retry-After, and longer where it would anyway', async () => {
    const busy = (ms: number) => new AutocertError('UNAVAILABLE', 'busy', { retryAfterMs: ms });
    expect(await pausesOf(failures(2, busy(40_000)))).toEqual([40_000, 15_000 + 25_000]);
    expect(await pausesOf(failures(2, busy(1)))).toEqual([750, 2250]);
  });

  test('says in the log why it has failed, and when it will try again', async () => {
    await pausesOf(failures(1));
    expect(log.lines).toEqual([
      { level: 'warn', message: 'the task has failed', fields: { reason: 'down', retryInMs: 750 } },
    ]);
    const told: (string | undefined)[] = [];
    const onOutcome = (problem: string | undefined) => void told.push(problem);
    await pausesOf([...failures(1), 'ok'], { onOutcome });
    expect(told).toEqual(['down', undefined]);
  });

  test('without a name it logs nothing: whoever wants something of it reports its failures', async () => {
    await repeat(
      async () => {
        throw new Error('down');
      },
      { everyMs: SECOND, log, signal: AbortSignal.timeout(1) },
    );
    expect(log.lines).toEqual([]);
  });

  test('never begins after the end, and ends with it in the midst of a pause', async () => {
    const run = jest.fn(async () => {});
    await repeat(run, { everyMs: SECOND, log, signal: AbortSignal.abort() });
    expect(run).not.toHaveBeenCalled();
    const stop = new AbortController();
    const repeating = repeat(run, { everyMs: 60 * MINUTE, log, signal: stop.signal });
    stop.abort();
    await repeating;
    expect(run).toHaveBeenCalledTimes(1);
  });

  test('what fails because of the end is no failure', async () => {
    const stop = new AbortController();
    const onOutcome = jest.fn();
    const task = async () => {
      stop.abort();
      throw new Error('aborted');
    };
    await repeat(task, { what: 'task', everyMs: SECOND, log, signal: stop.signal, onOutcome });
    expect(onOutcome).not.toHaveBeenCalled();
    expect(log.lines).toEqual([]);
  });
});
