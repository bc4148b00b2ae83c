import { DatabaseWatch } from '../../../runtime/supervisor/database-watch.ts';

const MIB = 1024 * 1024;

function world() {
  const facts = {
    size: 0,
    bytes: 1024 * MIB,
    free: 1000 * MIB,
    fault: undefined as string | undefined,
    now: 0,
    rooms: 0,
  };
  const watch = new DatabaseWatch({
    database: {
      folder: '/db',
      size: async () => facts.size,
      tend: async (isDue) => {
        if (!isDue(facts.size)) return { setAside: false };
        facts.size /= 2;
        return { setAside: false, rewritten: facts.size };
      },
      makeRoom: async () => {
        facts.rooms += 1;
        return [];
      },
    },
    volumeOf: async () => ({ bytes: facts.bytes, free: facts.free }),
    writeProblem: async () => facts.fault,
    metrics: { measured: () => {}, checked: () => {}, rewritten: () => {}, setAside: () => {} },
    now: () => new Date(0),
    monotonic: () => facts.now,
    random: () => 0.5,
  });
  /** Looks every second for so long; the seconds at which step-ca was to be stopped. */
  const during = async (seconds: number) => {
    const stops: number[] = [];
    for (let second = 0; second < seconds; second += 1) {
      facts.now += 1_000;
      if ((await watch.look()) !== undefined) stops.push(second);
    }
    return stops;
  };
  return { facts, watch, during };
}

test('a large file has step-ca stopped once, and again only after it has doubled', async () => {
  const { facts, watch, during } = world();
  facts.size = 300 * MIB;
  expect(await during(60)).toEqual([0]);
  await watch.tend();
  expect(await during(3_600)).toEqual([]);
  facts.size = 310 * MIB;
  expect(await during(60)).toHaveLength(1);
});

test('while a rewrite brings nothing, step-ca is stopped ever more seldom', async () => {
  const { facts, during } = world();
  facts.size = 300 * MIB;
  const stops = await during(86_400);
  expect(stops.length).toBeLessThan(12);
  expect((stops[1] ?? 0) - (stops[0] ?? 0)).toBeGreaterThanOrEqual(290);
});

test('a full volume is told with its reason, what can be spared goes, and step-ca is stopped sooner', async () => {
  const { facts, watch, during } = world();
  Object.assign(facts, { size: 100 * MIB, free: 0, fault: 'ENOSPC' });
  const stops = await during(120);
  expect(watch.problem).toBe('the volume of the database takes nothing more: ENOSPC');
  expect(stops.length).toBeGreaterThan(1);
  expect(facts.rooms).toBeGreaterThan(1);
});

test('a volume that is full of something else has step-ca left alone, and is looked at often', async () => {
  const { facts, watch, during } = world();
  Object.assign(facts, { size: 0.2 * MIB, free: 0, fault: 'ENOSPC' });
  expect(await during(3_600)).toEqual([]);
  facts.fault = undefined;
  await during(2);
  expect(watch.problem).toBeUndefined();
});
