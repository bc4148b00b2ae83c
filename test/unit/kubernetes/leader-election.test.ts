import { jest } from '@jest/globals';
import {
  type ElectionPorts,
  type Lease,
  leadWhenElected,
  nextLease,
  releasedLease,
} from '../../../runtime/kubernetes/leader-election.ts';
import { sleep } from '../../../runtime/signer/sleep.ts';

const NAME = { namespace: 'step', name: 'autocert-signer' };
const CANDIDATE = { identity: 'me', leaseMs: 6000 };
const NOON = new Date('2026-01-01T12:00:00.000Z');

function leaseHeldBy(holderIdentity: string, resourceVersion = '1'): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...NAME, resourceVersion },
    spec: { holderIdentity, leaseDurationSeconds: 6, acquireTime: 'then', leaseTransitions: 3 },
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
        leaseDurationSeconds: 6,
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
    expect(decide(leaseHeldBy('other'), 5999)).toBeUndefined();
  });

  test("takes another's over once it has not changed for its duration, at the version that was read", () => {
    const taken = decide(leaseHeldBy('other', '7'), 6000);
    expect(taken?.metadata.resourceVersion).toBe('7');
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

  /** An API server with one Lease in it. */
  function server() {
    const state: { lease: Lease | undefined; version: number; cutOff: Set<string> } = {
      lease: undefined,
      version: 0,
      cutOff: new Set(),
    };
    const write = (lease: Lease) => {
      state.version += 1;
      state.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(state.version) } };
    };
    const portsOf = (identity: string): ElectionPorts => {
      const reachable = () => {
        if (state.cutOff.has(identity)) throw new Error('connection refused');
      };
      return {
        read: async () => {
          reachable();
          return state.lease;
        },
        create: async (lease) => {
          reachable();
          if (state.lease) throw new Error('already exists');
          write(lease);
        },
        update: async (lease) => {
          reachable();
          if (lease.metadata.resourceVersion !== state.lease?.metadata.resourceVersion) throw new Error('conflict');
          write(lease);
        },
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

  test('elect exactly one leader, and keep it', async () => {
    const api = server();
    const replicas = ['a', 'b', 'c'].map((identity) => replica(identity, api));
    for (let second = 0; second < 30; second += 1) {
      await jest.advanceTimersByTimeAsync(1000);
      expect(replicas.filter(({ leading }) => leading)).toHaveLength(1);
    }
    expect(replicas.map(({ terms }) => terms).sort()).toEqual([0, 0, 1]);
    for (const each of replicas) each.stop();
    await jest.advanceTimersByTimeAsync(10);
    await Promise.all(replicas.map(({ ended }) => ended));
  });

  test('hand over within a second or so when the leader is told to stop', async () => {
    const api = server();
    const first = replica('a', api);
    await jest.advanceTimersByTimeAsync(100);
    const second = replica('b', api);
    await jest.advanceTimersByTimeAsync(3000);
    first.stop();
    await jest.advanceTimersByTimeAsync(10);
    await first.ended;
    expect(api.state.lease?.spec?.holderIdentity).toBe('');
    await jest.advanceTimersByTimeAsync(1000);
    expect(second.leading).toBe(true);
    second.stop();
    await jest.advanceTimersByTimeAsync(10);
    await second.ended;
  });

  test('replace a leader that is cut off, which has stepped down before', async () => {
    const api = server();
    const first = replica('a', api);
    await jest.advanceTimersByTimeAsync(100);
    const second = replica('b', api);
    await jest.advanceTimersByTimeAsync(3000);
    api.state.cutOff.add('a');
    for (let step = 0; step < 65; step += 1) {
      await jest.advanceTimersByTimeAsync(100);
      expect(first.leading && second.leading).toBe(false);
    }
    expect(second.leading).toBe(true);
    for (const each of [first, second]) each.stop();
    await jest.advanceTimersByTimeAsync(10);
    await Promise.all([first.ended, second.ended]);
  });

  test('survive an outage of the API server: one leads again afterwards', async () => {
    const api = server();
    const replicas = ['a', 'b'].map((identity) => replica(identity, api));
    await jest.advanceTimersByTimeAsync(3000);
    for (const identity of ['a', 'b']) api.state.cutOff.add(identity);
    await jest.advanceTimersByTimeAsync(20_000);
    expect(replicas.filter(({ leading }) => leading)).toHaveLength(0);
    api.state.cutOff.clear();
    await jest.advanceTimersByTimeAsync(8000);
    expect(replicas.filter(({ leading }) => leading)).toHaveLength(1);
    for (const each of replicas) each.stop();
    await jest.advanceTimersByTimeAsync(10);
    await Promise.all(replicas.map(({ ended }) => ended));
  });

  test('give the office up when leading fails, and try again without haste', async () => {
    const api = server();
    const only = replica('a', api);
    only.failing = true;
    await jest.advanceTimersByTimeAsync(10_000);
    expect(only.terms).toBeGreaterThan(2);
    expect(only.terms).toBeLessThan(12);
    only.stop();
    await jest.advanceTimersByTimeAsync(10);
    await only.ended;
  });
});
