import type { CaState, Order } from '../../../runtime/supervisor/ca-control.ts';
import type { CaSet } from '../../../runtime/supervisor/ca-set.ts';
import { Supervisor, type SupervisorPorts } from '../../../runtime/supervisor/supervisor.ts';
import { quiet } from '../../support/logs.ts';

const set = (id: string): CaSet => ({ id, files: () => new Map() });

/** A pod in which nothing happens but what a test says. */
function world(change: Partial<SupervisorPorts> = {}) {
  const facts = {
    state: { kind: 'stopped', run: 1, why: 'start' } as CaState | undefined,
    newest: set('a') as CaSet | undefined,
    current: undefined as string | undefined,
    problem: undefined as string | undefined,
    healthy: true,
    tend: async () => {},
    prune: undefined as 'database-size' | undefined,
    noRoom: undefined as string | undefined,
    now: 0,
    late: 0,
  };
  const select = (id: string) => {
    facts.current = id;
  };
  const orders: string[] = [];
  const restarts: string[] = [];
  const fits: boolean[] = [];
  const supervisor = new Supervisor({
    control: { state: () => facts.state, order: (order: Order, run) => void orders.push(`${order} ${run}`) },
    sets: {
      get current() {
        return facts.current;
      },
      install: ({ id }) => select(id),
      select,
    },
    followed: {
      get current() {
        return facts.newest;
      },
      get problem() {
        return facts.problem;
      },
      look: () => {},
    },
    database: {
      tend: () => facts.tend(),
      look: async () => facts.prune,
      get problem() {
        return facts.noRoom;
      },
    },
    health: async () => {
      if (!facts.healthy) throw new Error('connection refused');
    },
    metrics: {
      restarted: (reason) => void restarts.push(reason),
      configured: () => {},
      configurationFits: (yes) => void fits.push(yes),
    },
    log: quiet,
    now: () => new Date(0),
    monotonic: () => facts.now,
    random: () => 0.5,
    lateness: () => facts.late,
    spreadMs: 0,
    ...change,
  });
  return {
    facts,
    orders,
    restarts,
    fits,
    supervisor,
    /** Looks once, so many milliseconds later. */
    look: async (ms = 0) => {
      facts.now += ms;
      return supervisor.look();
    },
    /** step-ca does as it was told. */
    obey: () => {
      const [order, run] = (orders.at(-1) ?? '').split(' ');
      if (order === 'go') facts.state = { kind: 'running', run: Number(run), why: '' };
      if (order === 'stop') facts.state = { kind: 'stopped', run: Number(run) + 1, why: 'exit:0' };
    },
    /** step-ca ends by itself. */
    crash: () => {
      facts.state = { kind: 'stopped', run: (facts.state?.run ?? 0) + 1, why: 'exit:2' };
    },
  };
}

async function running(change: Partial<SupervisorPorts> = {}) {
  const pod = world(change);
  await pod.look();
  pod.obey();
  await pod.look();
  return pod;
}

describe('the start', () => {
  test('comes when the set is in its place and the database was looked after', async () => {
    const pod = world();
    let tended = false;
    pod.facts.tend = async () => {
      expect(pod.facts.current).toBeUndefined();
      tended = true;
    };
    await pod.look();
    expect([tended, pod.facts.current, pod.orders]).toEqual([true, 'a', ['wait 1', 'go 1']]);
    expect(pod.supervisor.notReady()).toBe('step-ca is being started');
    pod.obey();
    await pod.look();
    expect(pod.supervisor.notReady()).toBeUndefined();
  });

  test('is waited for while the container has not started', async () => {
    const pod = world();
    pod.facts.state = undefined;
    await pod.look();
    expect([pod.orders, pod.supervisor.notReady()]).toEqual([[], 'the container step-ca has not started yet']);
  });

  test('does not come while nothing fits, and the script hears now and then that somebody is there', async () => {
    const pod = world();
    Object.assign(pod.facts, { newest: undefined, problem: 'the password does not open intermediate_ca_key' });
    await pod.look(10_000);
    for (let count = 0; count < 10; count += 1) await pod.look(200);
    expect(pod.orders).toEqual(['wait 1']);
    await pod.look(10_000);
    expect(pod.orders).toEqual(['wait 1', 'wait 1']);
    expect(pod.supervisor.notReady()).toBe(
      'there is nothing to start step-ca with: the password does not open intermediate_ca_key',
    );
  });

  test('is with the set from before when what is mounted does not fit any more', async () => {
    const pod = world();
    Object.assign(pod.facts, { newest: undefined, problem: 'x', current: 'before' });
    await pod.look();
    expect([pod.orders.at(-1), pod.facts.current]).toEqual(['go 1', 'before']);
  });

  test('is put off, ever longer, while the database cannot be prepared', async () => {
    const pod = world();
    pod.facts.tend = () => Promise.reject(new Error('no room'));
    await pod.look();
    expect(pod.supervisor.notReady()).toBe('the database cannot be prepared: no room');
    let attempts = 0;
    pod.facts.tend = () => {
      attempts += 1;
      return Promise.reject(new Error('no room'));
    };
    for (let count = 0; count < 3_000; count += 1) await pod.look(200);
    expect(attempts).toBeGreaterThan(5);
    expect(attempts).toBeLessThan(40);
    expect(pod.orders).not.toContain('go 1');
  });
});

describe('a changed configuration', () => {
  test('is taken over by a restart', async () => {
    const pod = await running();
    pod.facts.newest = set('b');
    await pod.look(1_000);
    expect([pod.orders.at(-1), pod.facts.current]).toEqual(['stop 1', 'a']);
    pod.obey();
    await pod.look(200);
    expect([pod.orders.at(-1), pod.facts.current, pod.restarts]).toEqual(['go 2', 'b', ['configuration']]);
  });

  test('waits for the turn of this replica', async () => {
    const pod = await running({ spreadMs: 20_000 });
    pod.facts.newest = set('b');
    await pod.look(1_000);
    await pod.look(9_900);
    expect(pod.orders.at(-1)).toBe('go 1');
    expect(pod.supervisor.notReady()).toBeUndefined();
    await pod.look(200);
    expect(pod.orders.at(-1)).toBe('stop 1');
  });

  test('on which step-ca does not start is given up for the one before, and tried again later', async () => {
    const pod = await running();
    pod.facts.newest = set('b');
    await pod.look(1_000);
    pod.obey();
    await pod.look(200);
    pod.obey();
    pod.facts.healthy = false;
    await pod.look(200);
    pod.crash();
    await pod.look(200);
    await pod.look(60_000);
    expect([pod.orders.at(-1), pod.facts.current]).toEqual(['go 3', 'a']);
    pod.obey();
    pod.facts.healthy = true;
    await pod.look(200);
    await pod.look(1_000);
    expect([pod.orders.at(-1), pod.supervisor.notReady()]).toEqual(['go 3', undefined]);
    await pod.look(300_000);
    expect(pod.orders.at(-1)).toBe('stop 3');
  });

  test('that is refused again and again is tried ever more seldom, another one soon; once it works, it fits', async () => {
    const pod = await running();
    /** Milliseconds until step-ca is stopped for the new configuration, on which it does not start. */
    const refusal = async () => {
      const from = pod.facts.now;
      while (pod.orders.at(-1)?.startsWith('go')) await pod.look(10_000);
      const waited = pod.facts.now - from;
      pod.obey();
      while (!pod.orders.at(-1)?.startsWith('go')) await pod.look(1_000);
      pod.obey();
      pod.facts.healthy = false;
      await pod.look();
      pod.crash();
      await pod.look();
      pod.facts.healthy = true;
      for (let count = 0; count < 100 && !pod.orders.at(-1)?.startsWith('go'); count += 1) await pod.look(1_000);
      while (pod.orders.at(-1) !== `go ${pod.facts.state?.run}`) await pod.look(1_000);
      pod.obey();
      await pod.look();
      expect(pod.facts.current).toBe('a');
      return Math.floor(waited / 60_000);
    };
    pod.facts.newest = set('b');
    const waits: number[] = [];
    for (let count = 0; count < 9; count += 1) waits.push(await refusal());
    for (const [index, least] of [0, 4, 9, 19, 39, 79, 159, 319, 359].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(least - 1);
      expect(waits[index]).toBeLessThanOrEqual(least + 1);
    }
    pod.facts.newest = set('c');
    expect(await refusal()).toBe(0);
    expect(await refusal()).toBeLessThanOrEqual(5);
    expect(pod.fits.at(-1)).toBe(false);
    while (pod.orders.at(-1)?.startsWith('go')) await pod.look(10_000);
    pod.obey();
    while (!pod.orders.at(-1)?.startsWith('go')) await pod.look(1_000);
    pod.obey();
    await pod.look();
    await pod.look(1_000);
    expect([pod.facts.current, pod.fits.at(-1)]).toEqual(['c', true]);
  });
});

describe('a step-ca', () => {
  test('that has ended is started again, at once the first time and then ever later', async () => {
    const pod = await running();
    const starts: number[] = [];
    for (let count = 0; count < 3_000; count += 1) {
      if (pod.facts.state?.kind === 'running') pod.crash();
      const before = pod.orders.length;
      await pod.look(200);
      if (pod.orders.slice(before).some((order) => order.startsWith('go'))) {
        starts.push(pod.facts.now);
        pod.obey();
        await pod.look();
      }
    }
    expect(starts[0]).toBe(200);
    expect(starts.length).toBeLessThan(45);
    expect(pod.restarts.every((reason) => reason === 'exit')).toBe(true);
  });

  test('that does not answer any more makes the pod unready, and is restarted after a minute', async () => {
    const pod = await running();
    pod.facts.healthy = false;
    await pod.look(5_000);
    expect(pod.supervisor.notReady()).toBe('step-ca does not answer: connection refused');
    await pod.look(54_000);
    expect(pod.orders.at(-1)).toBe('go 1');
    await pod.look(2_000);
    expect([pod.orders.at(-1), pod.restarts]).toEqual(['stop 1', ['no-answer']]);
  });

  test('is not restarted for a silence in which the supervisor itself was late', async () => {
    const pod = await running();
    Object.assign(pod.facts, { healthy: false, late: 1_000 });
    for (let count = 0; count < 100; count += 1) await pod.look(5_000);
    expect([pod.orders.at(-1), pod.supervisor.notReady()]).toEqual([
      'go 1',
      'step-ca does not answer: connection refused',
    ]);
    pod.facts.late = 20;
    for (let count = 0; count < 11; count += 1) await pod.look(5_000);
    expect(pod.orders.at(-1)).toBe('go 1');
    for (let count = 0; count < 3; count += 1) await pod.look(5_000);
    expect([pod.orders.at(-1), pod.restarts]).toEqual(['stop 1', ['no-answer']]);
  });

  test('that was there before the supervisor goes on', async () => {
    const pod = world();
    Object.assign(pod.facts, { state: { kind: 'running', run: 7, why: '' }, current: 'a' });
    for (let count = 0; count < 10; count += 1) await pod.look(1_000);
    expect([pod.orders, pod.supervisor.notReady()]).toEqual([[], undefined]);
  });

  test('is told to end once, and for one reason', async () => {
    const pod = await running();
    Object.assign(pod.facts, { newest: set('b'), prune: 'database-size' });
    await pod.look(1_000);
    await pod.look(1_000);
    expect(pod.orders.filter((order) => order === 'stop 1')).toHaveLength(1);
    expect(pod.restarts).toEqual(['database-size']);
  });
});

test('the pod is not ready while the volume takes nothing more', async () => {
  const pod = await running();
  pod.facts.noRoom = 'the volume of the database takes nothing more: ENOSPC';
  expect(pod.supervisor.notReady()).toMatch(/^the volume of the database takes nothing more/);
});

test('without a database of its own, it looks after the rest', async () => {
  const pod = await running({ database: undefined });
  expect([pod.orders, pod.supervisor.notReady()]).toEqual([['wait 1', 'go 1'], undefined]);
});
