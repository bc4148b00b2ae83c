import { jest } from '@jest/globals';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { sleep } from '../../../runtime/lib/loops.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import type { Duty } from '../../../runtime/signer/duty.ts';
import { lead } from '../../../runtime/signer/leader.ts';
import type { ListWatchPorts } from '../../../runtime/signer/list-watch.ts';
import { signerMetrics } from '../../../runtime/signer/metrics.ts';
import type { PodCertificateRequest, Work } from '../../../runtime/signer/pod-certificate-request.ts';
import type { Result } from '../../../runtime/signer/reconciler.ts';
import { Issuer } from '../../../runtime/step-ca/issuer.ts';
import { fakeCa } from './fake-ca.ts';
import { MINUTE, NOON, requestOf, SECOND } from './fixtures.ts';

const [pinned, announced, federated] = (await Promise.all([fakeCa(NOON), fakeCa(NOON), fakeCa(NOON)])).map(
  ({ root }) => root,
) as [string, string, string];

beforeEach(() => {
  jest.useFakeTimers({ now: NOON });
});
afterEach(() => {
  jest.useRealTimers();
});

const DOWN = new AutocertError('UNAVAILABLE', 'connection refused');
const ISSUED: Result = {
  kind: 'issued',
  names: [],
  serial: '',
  notBefore: NOON,
  notAfter: NOON,
  refreshAt: NOON,
  purpose: 'starting',
};
const settle = (ms = 0) => jest.advanceTimersByTimeAsync(ms);

/** A leader with a real issuer before a CA that the test takes away. Its requests are issued as soon as they are begun. */
async function leading({
  down = false,
  native = true,
  duties = [],
  reconciled = () => undefined,
}: {
  down?: boolean;
  native?: boolean;
  duties?: readonly Duty[];
  reconciled?: (work: Work) => Result | undefined;
} = {}) {
  const state = {
    down,
    native,
    announced: [pinned],
    federated: [] as string[],
    applyFails: false,
    lists: [] as PodCertificateRequest[][],
  };
  const seen = {
    probes: [] as number[],
    refreshes: [] as number[],
    bundles: [] as (readonly string[])[],
    begun: [] as { pod: string; at: number }[],
    lines: [] as { message: string; fields: Record<string, unknown> }[],
  };
  const at = () => Date.now() - NOON.getTime();
  const up = <T>(answer: T): T => {
    if (state.down) throw DOWN;
    return answer;
  };
  const tokens = { mint: async () => new Secret('token') };
  const issuer = new Issuer({
    open: async (extraRoots) =>
      up({
        tokens,
        ca: {
          url: 'https://ca.test',
          roots: [...new Set([pinned, ...extraRoots])],
          health: async () => {
            seen.probes.push(at());
            up(undefined);
          },
          fetchRoots: async () => {
            seen.refreshes.push(at());
            return up(state.announced);
          },
          fetchFederation: async () => up(state.federated),
          sign: async () => up({ chainPem: [] }),
          close: () => undefined,
        },
      }),
    now: () => new Date(),
    monotonic: () => performance.now(),
  });
  let onEvent: Parameters<ListWatchPorts['watch']>[1] | undefined;
  const note = (fields: object, message: string) =>
    void seen.lines.push({ fields: fields as Record<string, unknown>, message });
  const metrics = signerMetrics();
  const stop = new AbortController();
  const ended = lead(
    {
      reconcile: async (work) => {
        seen.begun.push({ pod: work.request.spec.podName, at: at() });
        if (state.down) {
          const order = { request: {} as never, sans: ['a'] };
          return await issuer.issue(order).then(
            () => ({ kind: 'stale' }),
            ({ message }: Error) => ({ kind: 'unavailable', message }),
          );
        }
        return reconciled(work) ?? ISSUED;
      },
      requests: {
        list: async (onPage) => {
          onPage(state.lists.shift() ?? []);
          return '1';
        },
        watch: async (_version, send, signal) => {
          onEvent = send;
          await sleep(240 * SECOND, signal);
        },
      },
      issuer,
      isPossible: async () => state.native,
      duties,
      publish: async (roots) => {
        if (state.applyFails) throw DOWN;
        seen.bundles.push(roots);
      },
      sleep,
      now: () => new Date(),
      monotonic: () => performance.now(),
      metrics,
      log: { info: note, warn: note, error: note },
    },
    stop.signal,
  );
  await settle();
  return {
    state,
    seen,
    metrics,
    add: (podName: string, uid = podName) => onEvent?.('ADDED', requestOf({ podName }, uid)),
    breakWatch: () => onEvent?.('ERROR', requestOf()),
    messages: () => seen.lines.map(({ message }) => message),
    stop: async () => {
      stop.abort();
      await settle();
      await ended;
    },
  };
}

/** Distances of times, milliseconds, each rounded to a second. */
function steps(times: readonly number[]): number[] {
  const distinct = [...new Set(times)];
  return distinct.slice(1).map((time, index) => Math.round((time - (distinct[index] ?? 0)) / SECOND) * SECOND);
}

describe('the connections to the CA', () => {
  test('are used every ten seconds, more often than the CA closes idle ones', async () => {
    const leader = await leading();
    await settle(MINUTE);
    expect(new Set(steps(leader.seen.probes))).toEqual(new Set([10 * SECOND]));
    await leader.stop();
  });

  test('are tried every other second while the CA is away', async () => {
    const leader = await leading();
    await settle(30 * SECOND);
    leader.state.down = true;
    await settle(MINUTE);
    const during = leader.seen.probes.filter((time) => time > 45 * SECOND);
    expect(new Set(steps(during))).toEqual(new Set([2 * SECOND]));
    await leader.stop();
  });
});

describe('while the CA is away', () => {
  test('no request is begun, so the API server is asked nothing; all are when it is back', async () => {
    const leader = await leading();
    await settle(30 * SECOND);
    leader.state.down = true;
    // Noticed by the next probe.
    await settle(10 * SECOND);
    for (let pod = 0; pod < 100; pod += 1) leader.add(`pod-${pod}`);
    await settle(60 * MINUTE);
    expect(leader.seen.begun).toEqual([]);
    leader.state.down = false;
    await settle(2 * SECOND);
    expect(leader.seen.begun).toHaveLength(100);
    await leader.stop();
  });

  test('an outage that a request meets first costs those in work one attempt, no more', async () => {
    const leader = await leading();
    await settle(31 * SECOND);
    leader.state.down = true;
    for (let pod = 0; pod < 100; pod += 1) leader.add(`pod-${pod}`);
    await settle(60 * MINUTE);
    expect(leader.seen.begun).toHaveLength(8);
    expect(leader.messages().filter((message) => message === 'requests wait: a peer does not answer')).toHaveLength(1);
    leader.state.down = false;
    await settle(2 * SECOND);
    expect(leader.seen.begun).toHaveLength(108);
    await leader.stop();
  });

  test('a leader that starts then begins as soon as the CA is there', async () => {
    const leader = await leading({ down: true });
    leader.add('cart');
    await settle(10 * MINUTE);
    expect(leader.seen.begun).toEqual([]);
    leader.state.down = false;
    await settle(2 * SECOND);
    expect(leader.seen.begun).toHaveLength(1);
    await leader.stop();
  });
});

describe('the trust bundle', () => {
  test('has the roots of the CA itself, announced and federated ones', async () => {
    const leader = await leading();
    leader.state.announced = [pinned, announced];
    leader.state.federated = [federated];
    await settle(MINUTE);
    expect(new Set(leader.seen.bundles.at(-1))).toEqual(new Set([pinned, announced, federated]));
    await leader.stop();
  });

  test('follows a rotation within a minute', async () => {
    const leader = await leading();
    expect(leader.seen.bundles.at(-1)).toEqual([pinned]);
    leader.state.announced = [pinned, announced];
    await settle(MINUTE);
    expect(leader.seen.bundles.at(-1)).toEqual([pinned, announced]);
    leader.state.announced = [pinned];
    await settle(MINUTE);
    expect(leader.seen.bundles.at(-1)).toEqual([pinned]);
    await leader.stop();
  });

  test('stays as it is when the CA announces none, which counts as a failure', async () => {
    const leader = await leading();
    leader.state.announced = [];
    await settle(5 * MINUTE);
    expect(leader.seen.bundles).toEqual([[pinned]]);
    expect(leader.messages()).toContain("the CA's roots are not read, or not published");
    expect(await leader.metrics.render()).toContain(
      `autocert_trust_bundle_published_timestamp_seconds ${NOON.getTime() / 1000}\n`,
    );
    await leader.stop();
  });

  test('is published soon after an outage of the CA or of the API server ends', async () => {
    const leader = await leading();
    leader.state.down = true;
    await settle(10 * MINUTE);
    leader.state.down = false;
    leader.state.applyFails = true;
    leader.state.announced = [pinned, announced];
    await settle(10 * MINUTE);
    leader.state.applyFails = false;
    await settle(15 * SECOND);
    expect(leader.seen.bundles.at(-1)).toEqual([pinned, announced]);
    expect(await leader.metrics.render()).toMatch(/^autocert_trust_bundle_published_timestamp_seconds [1-9]/m);
    await leader.stop();
  });
});

describe('native delivery', () => {
  test('begins by itself when the cluster has been upgraded: the roots are published, requests are answered', async () => {
    const leader = await leading({ native: false });
    await settle(10 * MINUTE);
    expect(leader.seen.bundles).toEqual([]);
    expect(await leader.metrics.render()).not.toMatch(/^autocert_trust_bundle_published_timestamp_seconds /m);
    leader.state.native = true;
    leader.state.lists = [[requestOf()]];
    await settle(30 * SECOND);
    expect(leader.seen.bundles).toEqual([[pinned]]);
    expect(leader.seen.begun).toHaveLength(1);
    expect(await leader.metrics.render()).toMatch(/^autocert_trust_bundle_published_timestamp_seconds [1-9]/m);
    await leader.stop();
  });
});

describe('the other duties', () => {
  test('are done on a cluster without pod certificates as well, and again soon after a failure, until the leader goes', async () => {
    let runs = 0;
    const duty: Duty = {
      what: 'not done',
      everyMs: 10 * SECOND,
      run: async () => {
        runs += 1;
        if (runs === 2) throw DOWN;
      },
    };
    const leader = await leading({ native: false, duties: [duty] });
    await settle(31 * SECOND);
    expect(leader.messages()).toContain('not done');
    expect(runs).toBe(5);
    await leader.stop();
    await settle(MINUTE);
    expect(runs).toBe(5);
  });
});

describe('a request that is refused for now', () => {
  const refused = (reason: string): Result => ({ kind: 'refused', reason, message: `because of ${reason}` });

  test('is tried again within half a minute, ever more seldom', async () => {
    const leader = await leading({ reconciled: () => refused('NamespaceNotEnabled') });
    leader.add('cart');
    await settle(13 * MINUTE);
    const pauses = steps(leader.seen.begun.map(({ at }) => at));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30 * SECOND);
    expect(pauses.length).toBeGreaterThan(25);
    expect(pauses.length).toBeLessThan(200);
    await leader.stop();
  });

  test('is logged once for each reason, and counted each time', async () => {
    let reason = 'NamespaceNotEnabled';
    const leader = await leading({ reconciled: () => refused(reason) });
    leader.add('cart');
    await settle(5 * MINUTE);
    reason = 'NotAllowed';
    await settle(5 * MINUTE);
    const lines = leader.seen.lines.filter(({ message }) => message === 'request refused for now');
    expect(lines.map(({ fields }) => fields.reason)).toEqual(['NamespaceNotEnabled', 'NotAllowed']);
    const attempts = leader.seen.begun.length;
    expect(await leader.metrics.render()).toContain(`autocert_signer_attempts_total{result="refused"} ${attempts}`);
    await leader.stop();
  });

  test('keeps what is known of it when requests are listed again: the time since it was seen, its certificate', async () => {
    const works: Work[] = [];
    let answer: Result | undefined = { kind: 'again', message: 'no' };
    const leader = await leading({
      reconciled: (work) => {
        works.push(work);
        return answer;
      },
    });
    leader.add('cart');
    await settle(20 * SECOND);
    leader.state.lists = [[requestOf({ podName: 'cart' }, 'cart', { resourceVersion: '77' })]];
    leader.breakWatch();
    await settle(4 * MINUTE);
    answer = undefined;
    await settle(MINUTE);
    expect(new Set(works).size).toBe(1);
    expect(works[0]?.request.metadata.resourceVersion).toBe('77');
    const line = leader.seen.lines.find(({ message }) => message === 'certificate issued');
    expect(line?.fields.ms).toBeGreaterThan(4 * MINUTE);
    await leader.stop();
  });
});
