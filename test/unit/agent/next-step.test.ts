import { type Holding, isValid, type Memory, nextStep, type Situation } from '../../../runtime/agent/next-step.ts';
import type { RenewalInfo } from '../../../runtime/contract.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-06-01T12:00:00Z');
const at = (ms: number) => new Date(START + ms);

const told: RenewalInfo = {
  suggestedWindow: { start: 0.5, end: 0.75 },
  roots: 'roots',
  anchors: 'anchors',
  askAgainSeconds: 240,
};
/** Issued at the start, as step-ca does: dated back by a minute. */
const holding = (lifetime = 24 * HOUR, more: Partial<Holding> = {}): Holding => ({
  validity: { notBefore: at(-MINUTE), notAfter: at(lifetime) },
  obtainedAt: at(0),
  position: 0,
  ...more,
});
const situation = (now: number, more: Partial<Situation> = {}): Situation => ({
  now: at(now),
  holding: holding(),
  info: told,
  memory: {},
  random: () => 0.5,
  ...more,
});
const step = (now: number, more: Partial<Situation> = {}) => nextStep(situation(now, more));
const unavailable = (details: { status?: number; retryAfterMs?: number } = {}) =>
  new AutocertError('UNAVAILABLE', 'not now', details);
const failed = (error: unknown, wasted = false) => ({ failure: { error, wasted } });

describe('a waking', () => {
  test('without a certificate obtains one, and says that a pod waits for it', () => {
    expect(step(0, { holding: undefined, info: undefined })).toEqual({ do: 'obtain', starting: true });
  });

  test('with an expired one does so too', () => {
    expect(step(25 * HOUR, { info: undefined })).toEqual({ do: 'obtain', starting: true });
  });

  test('with a valid one asks how to renew', () => {
    expect(step(HOUR, { info: undefined })).toEqual({ do: 'ask' });
  });

  test('sleeps until it is time to ask again, a quarter more or less', () => {
    const sleeps = [0, 0.5, 1].map((random) => step(HOUR, { random: () => random }));
    expect(sleeps).toMatchObject([{ ms: 180 * SECOND }, { ms: 240 * SECOND }, { ms: 300 * SECOND }]);
  });

  test('sleeps until the certificate is due, if that is sooner', () => {
    expect(step(12 * HOUR - 20 * SECOND)).toEqual({ do: 'sleep', ms: 20 * SECOND, memory: {} });
  });

  test.each([5 * SECOND, 24 * HOUR])('sleeps no less than a second and no more than ten minutes: %i', (lifetime) => {
    const info = { ...told, askAgainSeconds: lifetime < MINUTE ? 0 : 1e9 };
    expect(step(0, { info, holding: holding(lifetime) })).toMatchObject({
      ms: lifetime < MINUTE ? SECOND : 10 * MINUTE,
    });
  });

  test.each([
    [0, 12],
    [0.5, 15],
    [0.75, 16.5],
  ])('renews at its own place in the window that it was told: %f', (position, hours) => {
    expect(step(hours * HOUR - SECOND, { holding: holding(24 * HOUR, { position }) })).toMatchObject({ do: 'sleep' });
    expect(step(hours * HOUR + SECOND, { holding: holding(24 * HOUR, { position }) })).toEqual({
      do: 'obtain',
      starting: false,
    });
  });

  test('renews a very short-lived certificate in time', () => {
    const short = { holding: holding(5 * SECOND), random: () => 1 };
    const sleep = step(0, short);
    expect(sleep).toMatchObject({ do: 'sleep' });
    expect(step(4 * SECOND, short)).toMatchObject({ do: 'obtain' });
    expect(sleep.do === 'sleep' && sleep.ms).toBeLessThan(4 * SECOND);
  });
});

describe('without renewal information', () => {
  const silent = unavailable();

  test('the usual window counts', () => {
    expect(step(12 * HOUR - SECOND, { info: silent })).toMatchObject({ do: 'sleep', ms: SECOND });
    expect(step(12 * HOUR, { info: unavailable({ status: 500 }) })).toEqual({ do: 'obtain', starting: false });
  });

  test('it is asked again after the usual time, and counted how often that failed', () => {
    const first = step(HOUR, { info: silent });
    expect(first).toEqual({ do: 'sleep', ms: 240 * SECOND, memory: { askFailures: 1 } });
    expect(step(HOUR, { info: silent, memory: { askFailures: 4 } })).toMatchObject({ memory: { askFailures: 5 } });
    expect(step(HOUR, { memory: { askFailures: 4 } })).toMatchObject({ memory: {} });
  });

  test.each([
    ['nobody answers', silent],
    ['the endpoint wants to be left alone', unavailable({ status: 503, retryAfterMs: 5 * SECOND })],
  ])('a certificate that is due is not asked for when %s: that would be a second request for nothing', (_, info) => {
    const pause = step(13 * HOUR, { info });
    expect(pause).toMatchObject({ do: 'sleep', problem: info });
    expect(pause.do === 'sleep' && pause.ms).toBeGreaterThanOrEqual(info.retryAfterMs ?? SECOND);
  });
});

describe('forced replacement', () => {
  const replace = (issuedBefore: number, withinSeconds = 180) => ({
    info: { ...told, replace: { issuedBefore: at(issuedBefore).toISOString(), withinSeconds } },
  });

  test('spreads over the time given, counted from the time of the order', () => {
    const one = { holding: holding(24 * HOUR, { position: 0.5 }), ...replace(HOUR) };
    expect(step(HOUR + 80 * SECOND, one)).toMatchObject({ do: 'sleep', ms: 10 * SECOND });
    expect(step(HOUR + 90 * SECOND, one)).toEqual({ do: 'obtain', starting: false });
  });

  test('comes at once to those who learn of it late', () => {
    expect(step(3 * HOUR, replace(HOUR))).toMatchObject({ do: 'obtain' });
  });

  test('is not held back by how new the certificate is', () => {
    expect(step(2 * SECOND, replace(SECOND))).toMatchObject({ do: 'obtain' });
  });

  test('leaves alone what was issued after it', () => {
    expect(step(HOUR, replace(-SECOND))).toMatchObject({ do: 'sleep' });
  });

  test('happens once, even where the clock of the CA is behind', () => {
    const replaced = holding(24 * HOUR, { replaces: at(5 * MINUTE) });
    expect(step(6 * MINUTE, { holding: replaced, ...replace(5 * MINUTE) })).toMatchObject({ do: 'sleep' });
  });

  test("happens where this machine's clock is behind", () => {
    expect(step(HOUR, replace(4 * HOUR))).toMatchObject({ do: 'obtain' });
  });
});

describe('after a failure', () => {
  /** The pauses of so many failures in a row. */
  const pauses = (count: number, more: Partial<Situation>, random = 1) => {
    let memory: Memory = {};
    return Array.from({ length: count }, () => {
      const next = step(HOUR, { random: () => random, ...more, memory });
      if (next.do !== 'sleep') throw new Error(`it does not sleep: ${next.do}`);
      ({ memory } = next);
      return next.ms;
    });
  };

  test('a pod that waits tries again soon, then ever later, to a bound', () => {
    const starting = { holding: undefined, ...failed(unavailable()) };
    expect(pauses(6, starting)).toEqual([750, 2_250, 6_750, 15_000, 15_000, 15_000]);
    expect(pauses(3, starting, 0)).toEqual([250, 250, 250]);
  });

  test.each([
    [24 * HOUR, 10 * MINUTE],
    [2 * HOUR, 363 * SECOND],
    [30 * SECOND, 4.5 * SECOND],
    [5 * SECOND, 3.25 * SECOND],
  ])('a valid certificate of %i ms gives time, but not more than is left of it', (lifetime, cap) => {
    const validity = { notBefore: at(HOUR - MINUTE), notAfter: at(HOUR + lifetime) };
    const renewing = { holding: holding(lifetime, { validity, obtainedAt: at(HOUR) }), ...failed(unavailable()) };
    expect(pauses(12, renewing).at(-1)).toBeCloseTo(cap, -1);
  });

  test('that wasted a signature the next try is at least half a minute away, in the end ten', () => {
    const wasted = { holding: undefined, ...failed(new Error('disk full'), true) };
    expect(Math.min(...pauses(20, wasted, 0))).toBe(30 * SECOND);
    expect(pauses(20, wasted).at(-1)).toBe(10 * MINUTE);
  });

  test('whoever asks for patience is given it, and a tenth more at most', () => {
    const asked = failed(unavailable({ status: 503, retryAfterMs: 40 * SECOND }));
    expect(pauses(1, { holding: undefined, ...asked }, 0)).toEqual([40 * SECOND]);
    expect(pauses(1, { holding: undefined, ...asked }, 1)).toEqual([44 * SECOND]);
    expect(pauses(1, { ...asked }, 1)).toEqual([44 * SECOND]);
  });

  test('nobody asks before that time is over, also in a new process', () => {
    const next = step(0, { holding: undefined, ...failed(unavailable({ status: 503, retryAfterMs: 40 * SECOND })) });
    const memory = next.do === 'sleep' ? next.memory : {};
    const wait = (now: number, more: Partial<Situation> = {}) => step(now, { info: undefined, memory, ...more });
    expect(wait(12 * SECOND)).toMatchObject({ do: 'sleep', ms: 30 * SECOND, memory });
    expect(wait(12 * SECOND, { holding: undefined })).toMatchObject({ do: 'sleep', ms: 30 * SECOND });
    expect(wait(42 * SECOND, { holding: undefined })).toMatchObject({ do: 'obtain' });
    // A clock that was set back must not make it wait for a day.
    expect(wait(-24 * HOUR, { holding: undefined })).toMatchObject({ do: 'obtain' });
  });
});

describe('a failure that lasts', () => {
  /** Fails every ten minutes from `from` to `to`, and gives back when and what was reported. */
  const reports = (from: number, to: number, more: Partial<Situation> = {}) => {
    let memory: Memory = {};
    const told: { at: number; since: Date; late: boolean }[] = [];
    for (let now = from; now <= to; now += 10 * MINUTE) {
      const next = step(now, { ...more, memory, ...failed(unavailable()) });
      if (next.do !== 'sleep') throw new Error(`it does not sleep: ${next.do}`);
      ({ memory } = next);
      if (next.report) told.push({ at: now, ...next.report });
    }
    return told;
  };
  const starting = { holding: undefined };

  test('is reported after an hour, and then once an hour', () => {
    expect(reports(0, 3.5 * HOUR, starting)).toEqual([
      { at: HOUR, since: at(0), late: false },
      { at: 2 * HOUR, since: at(0), late: false },
      { at: 3 * HOUR, since: at(0), late: false },
    ]);
  });

  test('for less than an hour is nobody’s business while the certificate is not late', () => {
    expect(reports(0, 50 * MINUTE, starting)).toEqual([]);
    expect(reports(16 * HOUR, 16 * HOUR + 50 * MINUTE)).toEqual([]);
  });

  test('is reported at once when the certificate is past its window by a tenth of its lifetime', () => {
    // The window of 24 hours ends after 18; a tenth is 2.4 hours.
    expect(reports(20 * HOUR, 20 * HOUR + 20 * MINUTE)).toEqual([]);
    const [first] = reports(20.5 * HOUR, 20.5 * HOUR);
    expect(first).toEqual({ at: 20.5 * HOUR, since: at(20.5 * HOUR), late: true });
  });

  test('is over with the first success', () => {
    const failing = step(HOUR, {
      memory: { failingSince: START, reportAt: START },
      holding: undefined,
      ...failed('no'),
    });
    expect(failing).toMatchObject({ memory: { failingSince: START } });
    expect(step(HOUR, { memory: { failingSince: START, reportAt: START + HOUR } })).toMatchObject({ memory: {} });
  });

  test('outlives the wait for the time to come back', () => {
    const memory: Memory = { retryAt: START + MINUTE, failingSince: START - HOUR, reportAt: START };
    expect(step(0, { ...starting, memory })).toEqual({ do: 'sleep', ms: MINUTE, memory });
  });

  test('is not hidden by a clock that was set back, nor told all the time', () => {
    const memory: Memory = { failingSince: START + 24 * HOUR, reportAt: START + 25 * HOUR };
    const next = step(0, { ...starting, memory, ...failed(unavailable()) });
    expect(next).toMatchObject({ memory: { failingSince: START } });
    expect(next).not.toHaveProperty('report');
    const later = step(HOUR, { ...starting, memory: { ...memory, failingSince: START }, ...failed(unavailable()) });
    expect(later).toMatchObject({ report: { since: at(0) }, memory: { reportAt: START + 2 * HOUR } });
  });
});

/** How many certificates an agent takes in a day, and for how long it has a valid one, by its own clock. */
function day(clockAhead: number, { lifetime = 24 * HOUR, info = told, random = Math.random } = {}) {
  const end = 24 * HOUR;
  let current: Holding | undefined;
  let memory: Memory = {};
  let situated: Partial<Situation> = {};
  let certificates = 0;
  let steps = 0;
  let validFor = 0;
  let time = 0;
  while (time < end) {
    steps += 1;
    const now = at(time + clockAhead);
    const next = nextStep({ now, holding: current, memory, random, ...situated });
    if (next.do === 'ask') situated = { info };
    else if (next.do === 'obtain') {
      certificates += 1;
      const validity = { notBefore: at(time - MINUTE), notAfter: at(time + lifetime) };
      if (isValid(validity, now)) {
        current = { validity, obtainedAt: now, position: random() };
        situated = { info };
      } else situated = failed(new AutocertError('UNTRUSTED', 'not valid now'), true);
    } else {
      if (current) {
        const left = current.validity.notAfter.getTime() - now.getTime();
        validFor += Math.max(0, Math.min(left, next.ms, end - time));
      }
      time += next.ms;
      ({ memory } = next);
      situated = {};
    }
  }
  return { certificates, steps, validShare: validFor / end };
}

describe('a day of an agent', () => {
  test('with a right clock takes two or three certificates, and always has a valid one', () => {
    const { certificates, steps, validShare } = day(0);
    expect(certificates).toBeLessThanOrEqual(3);
    expect(steps).toBeLessThan(1_500);
    expect(validShare).toBe(1);
  });

  test('with a clock 17 hours ahead takes no more than ten, and always has one that is valid by this clock', () => {
    const { certificates, validShare } = day(17 * HOUR);
    expect(certificates).toBeLessThanOrEqual(10);
    expect(validShare).toBe(1);
  });

  test.each([
    ['an hour ahead', HOUR, 4],
    ['23 and a half hours ahead', 23.5 * HOUR, 100],
    ['24 hours less a second ahead', 24 * HOUR - SECOND, 150],
    ['two days ahead: all have expired', 48 * HOUR, 400],
    ['an hour behind: none is valid yet', -HOUR, 400],
  ])('with a clock %s it is bounded', (_, ahead, most) => {
    expect(day(ahead).certificates).toBeLessThanOrEqual(most);
  });

  test('told to renew at once, always, takes one an hour', () => {
    const info = { ...told, suggestedWindow: { start: 0, end: 0 } };
    expect(day(0, { info }).certificates).toBeLessThanOrEqual(25);
  });

  test('told of a replacement, by a control plane ahead of the CA, takes one certificate more', () => {
    const replace = { issuedBefore: at(-30 * SECOND).toISOString(), withinSeconds: 180 };
    expect(day(0, { info: { ...told, replace } }).certificates).toBeLessThanOrEqual(4);
  });

  test.each([30 * SECOND, 5 * MINUTE])('with certificates of %i ms always has a valid one', (lifetime) => {
    const { validShare, certificates } = day(0, { lifetime });
    expect(validShare).toBe(1);
    expect(certificates).toBeLessThan((24 * HOUR) / lifetime / 0.4);
  });
});
