import { jest } from '@jest/globals';
import {
  type ElectionPorts,
  type Lease,
  leadWhenElected,
  nextLease,
  releasedLease,
} from '../../../runtime/kubernetes/leader-election.ts';
import { sleep } from '../../../runtime/lib/loops.ts';

const NAME = { namespace: 'step', name: 'autocert-signer' };
const CANDIDATE = { identity: 'me', leaseMs: 15_000 };
const NOON = new Date('2026-01-01T12:00:00.000Z');

function leaseHeldBy(holderIdentity: string, resourceVersion = '1'): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...NAME, resourceVersion },
    spec: { holderIdentity, leaseDurationSeconds: 15, acquireTime: 'then', leaseTransitions: 3 },
  };
}

describe('whether to write the lease', () => {
  const decide = (lease: Lease | undefined, unchangedForMs = 0) =>
    nextLease({ lease, since: 0 }, CANDIDATE, { now: unchangedForMs, wallClock: NOON, ...NAME });

  test('creates it when there is none', () => {
    expect(decide(undefined)).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: NAME,
      spec: {
        holderIdentity: 'me',
        leaseDurationSeconds: 15,
        acquireTime: '2026-01-01T12:00:00.000000Z',
        renewTime: '2026-01-01T12:00:00.000000Z',
        leaseTransitions: 0,
      },
    });
  });

  test('renews its own without counting a transition', () => {
    expect(decide(leaseHeldBy('me'))?.spec).toMatchObject({ acquireTime: 'then', leaseTransitions: 3 });
  });

  test("leaves another's alone while it changes", () => {
    expect(decide(leaseHeldBy('other'), 14_999)).toBeUndefined();
  });

  test("takes another's over once it has not changed for its duration, at the version that was read", () => {
    const taken = decide(leaseHeldBy('other', '7'), 15_000);
    expect(taken?.metadata?.resourceVersion).toBe('7');
    expect(taken?.spec).toMatchObject({ holderIdentity: 'me', leaseTransitions: 4 });
  });

  test('takes a released one at once', () => {
    expect(decide(releasedLease(leaseHeldBy('other'), NOON))?.spec).toMatchObject({ holderIdentity: 'me' });
  });
});

describe('replicas', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** An API server with one Lease in it. Each call takes `delayMs`, half of it before the server acts. */
  function server() {
    const state = {
      lease: undefined as Lease | undefined,
      version: 0,
      /** Their calls are refused. */
      cutOff: new Set<string>(),
      /** Their calls reach the server, and the answers are lost. */
      deaf: new Set<string>(),
      delayMs: 0,
      calls: 0,
    };
    const write = (lease: Lease) => {
      state.version += 1;
      state.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(state.version) } };
      return state.lease;
    };
    const portsOf = (identity: string): ElectionPorts => {
      const call = async <T>(act: () => T): Promise<T> => {
        state.calls += 1;
        // A client that does not heed its signal is the worst case.
        const never = new AbortController().signal;
        if (state.delayMs > 0) await sleep(state.delayMs / 2, never);
        if (state.cutOff.has(identity)) throw new Error('connection refused');
        const answer = act();
        if (state.deaf.has(identity)) await sleep(3_000_000, never);
        if (state.delayMs > 0) await sleep(state.delayMs / 2, never);
        return answer;
      };
      return {
        read: () => call(() => state.lease),
        create: (lease) =>
          call(() => {
            if (state.lease) throw new Error('already exists');
            return write(lease);
          }),
        update: (lease) =>
          call(() => {
            if (lease.metadata?.resourceVersion !== state.lease?.metadata?.resourceVersion) throw new Error('conflict');
            return write(lease);
          }),
        now: () => performance.now(),
        wallClock: () => new Date(),
        sleep,
        log: { info: () => {}, warn: () => {}, error: () => {} },
      };
    };
    return { state, portsOf };
  }

  function replica(identity: string, { portsOf }: ReturnType<typeof server>) {
    const stop = new AbortController();
    const self = { leading: false, terms: 0, failing: false, stop: () => stop.abort(), ended: Promise.resolve() };
    const lead = async (signal: AbortSignal) => {
      self.terms += 1;
      if (self.failing) throw new Error('cannot lead');
      self.leading = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      self.leading = false;
    };
    self.ended = leadWhenElected({ ...NAME, identity }, portsOf(identity), lead, stop.signal);
    return self;
  }

  type Replica = ReturnType<typeof replica>;

  async function stopAll(replicas: readonly Replica[]) {
    for (const each of replicas) each.stop();
    await jest.advanceTimersByTimeAsync(20_000);
    await Promise.all(replicas.map(({ ended }) => ended));
  }

  const leaders = (replicas: readonly Replica[]) => replicas.filter(({ leading }) => leading).length;

  /** Time passes in tenths of a second, and never do two lead. Answers how long none did, milliseconds. */
  async function pass(ms: number, replicas: readonly Replica[]): Promise<number> {
    let without = 0;
    for (let at = 0; at < ms; at += 100) {
      await jest.advanceTimersByTimeAsync(100);
      expect(leaders(replicas)).toBeLessThan(2);
      if (leaders(replicas) === 0) without += 100;
    }
    return without;
  }

  test('elect exactly one leader, and keep it', async () => {
    const api = server();
    const replicas = ['a', 'b', 'c'].map((identity) => replica(identity, api));
    await pass(100, replicas);
    expect(await pass(60_000, replicas)).toBe(0);
    expect(replicas.map(({ terms }) => terms).sort()).toEqual([0, 0, 1]);
    await stopAll(replicas);
  });

  test('renew with one call every two seconds', async () => {
    const api = server();
    const only = replica('a', api);
    await pass(1000, [only]);
    const before = api.state.calls;
    await pass(60_000, [only]);
    expect(api.state.calls - before).toBe(30);
    await stopAll([only]);
  });

  test.each([1500, 3000, 4500])('keep a leader at an API server that takes %s ms for a call', async (delayMs) => {
    const api = server();
    api.state.delayMs = delayMs;
    const replicas = ['a', 'b'].map((identity) => replica(identity, api));
    await pass(3 * delayMs, replicas);
    expect(leaders(replicas)).toBe(1);
    expect(await pass(300_000, replicas)).toBe(0);
    await stopAll(replicas);
  });

  test('hand over at their next look when the leader is told to stop', async () => {
    const api = server();
    const first = replica('a', api);
    await jest.advanceTimersByTimeAsync(100);
    const second = replica('b', api);
    await jest.advanceTimersByTimeAsync(3000);
    first.stop();
    await jest.advanceTimersByTimeAsync(10);
    await first.ended;
    expect(api.state.lease?.spec?.holderIdentity).toBe('');
    await jest.advanceTimersByTimeAsync(2000);
    expect(second.leading).toBe(true);
    await stopAll([second]);
  });

  test.each([
    ['is refused', 'cutOff'],
    ['gets no answers any more', 'deaf'],
  ] as const)('replace a leader that %s, which has stepped down before', async (_, fault) => {
    const api = server();
    const first = replica('a', api);
    await jest.advanceTimersByTimeAsync(100);
    const second = replica('b', api);
    await pass(3000, [first, second]);
    expect(first.leading).toBe(true);
    api.state[fault].add('a');
    // The last call of one that gets no answers may still have renewed the lease.
    await pass(20_000, [first, second]);
    expect([first.leading, second.leading]).toEqual([false, true]);
    await stopAll([first, second]);
  });

  test('never lead together while calls get slower than their time allows, and quick again', async () => {
    const api = server();
    const replicas = ['a', 'b', 'c'].map((identity) => replica(identity, api));
    await pass(5000, replicas);
    for (const delayMs of [6000, 0, 9000, 20_000, 100, 4000, 5500, 0]) {
      api.state.delayMs = delayMs;
      await pass(60_000, replicas);
    }
    expect(leaders(replicas)).toBe(1);
    await stopAll(replicas);
  });

  test('survive a short outage of the API server without a change, a long one with a leader again afterwards', async () => {
    const api = server();
    const replicas = ['a', 'b'].map((identity) => replica(identity, api));
    await pass(3000, replicas);
    const outage = async (ms: number) => {
      for (const identity of ['a', 'b']) api.state.cutOff.add(identity);
      const without = await pass(ms, replicas);
      api.state.cutOff.clear();
      return without;
    };
    expect(await outage(7000)).toBe(0);
    await pass(10_000, replicas);
    await outage(30_000);
    expect(leaders(replicas)).toBe(0);
    await pass(3000, replicas);
    expect(leaders(replicas)).toBe(1);
    await stopAll(replicas);
  });

  test('give the office up when leading fails, and try again without haste', async () => {
    const api = server();
    const only = replica('a', api);
    only.failing = true;
    await jest.advanceTimersByTimeAsync(20_000);
    expect(only.terms).toBeGreaterThan(2);
    expect(only.terms).toBeLessThan(12);
    await stopAll([only]);
  });
});
