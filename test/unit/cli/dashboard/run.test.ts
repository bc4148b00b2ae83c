import type { Dashboard } from '../../../../runtime/cli/dashboard/model.ts';
import type { Sleep } from '../../../../runtime/lib/loops.ts';
import { aborted } from '../../../../runtime/lib/stop-signal.ts';
import { DashboardWorld, type RunningDashboard, runDashboard } from '../../../support/dashboard-world.ts';

const POD = { namespace: 'shop', name: 'web-0', delivery: 'native', begins: -1, ends: 1 } as const;

let dashboard: RunningDashboard;
afterEach(() => dashboard.stop());

/** Pauses that end only when somebody comes to look; how long each was to be. */
class Pauses {
  readonly asked: number[] = [];
  #more: () => void = () => {};

  readonly sleep: Sleep = (ms, signal) => {
    this.asked.push(ms);
    this.#more();
    return aborted(signal);
  };

  /** Resolves when so many have begun. */
  async begun(count: number): Promise<readonly number[]> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => {
        this.#more = resolve;
      });
    }
    return this.asked.slice(count - 2, count).toSorted((a, b) => a - b);
  }
}

const data = async () => (await (await fetch(`${dashboard.url}status.json`)).json()) as Dashboard;

test('the cluster is asked seldom while nobody looks, at once when somebody comes, and often from then on', async () => {
  const world = new DashboardWorld([POD]);
  const pauses = new Pauses();
  dashboard = await runDashboard(world, { sleep: pauses.sleep });
  expect(await pauses.begun(2)).toEqual([15_000, 60_000]);
  const before = world.calls.length;
  await data();
  expect(await pauses.begun(4)).toEqual([2_000, 30_000]);
  expect(world.calls.length).toBeGreaterThan(before);
  // Who goes on looking wakes nobody.
  await data();
  await data();
  expect(pauses.asked).toHaveLength(4);
}, 60_000);

test('nothing is written, and no Secret is read', async () => {
  const world = new DashboardWorld([POD]);
  const pauses = new Pauses();
  dashboard = await runDashboard(world, { sleep: pauses.sleep });
  await pauses.begun(2);
  expect(world.writes).toEqual([]);
  expect(world.calls.filter((call) => !call.startsWith('GET ') || call.includes('/secrets'))).toEqual([]);
}, 60_000);

test('a doctor who cannot look is told, and the status is shown all the same', async () => {
  const world = new DashboardWorld([POD]);
  world.text = () => Promise.reject(new Error('no way to the pods'));
  const pauses = new Pauses();
  dashboard = await runDashboard(world, { sleep: pauses.sleep });
  await pauses.begun(2);
  expect(await data()).toMatchObject({
    problems: [],
    notLookedAt: ['autocert doctor could not look: no way to the pods'],
    pods: [{ name: 'web-0', state: 'good' }],
  });
}, 60_000);

test('without a cluster to begin with there is no page', async () => {
  const world = new DashboardWorld([POD]);
  dashboard = await runDashboard(world);
  world.answers = false;
  await expect(runDashboard(world)).rejects.toThrow('ECONNREFUSED');
}, 60_000);
