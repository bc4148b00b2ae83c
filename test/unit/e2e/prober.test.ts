/** Pods that are started again and again, and what is told of them. */
import type { KubernetesObject } from '../../../scripts/cluster/kubectl.ts';
import { ApiRefusal } from '../../e2e/api.ts';
import { Prober, type ProberOptions, type Started } from '../../e2e/prober.ts';

const INJECTED = { 'autocert.step.sm/status': 'injected' };
const PACE = { everyMs: 10, most: 3, limitMs: 5_000 } as const;

/** An API server that refuses `refusals` pods before it takes one; each is ready at once. */
function world(
  refusals = 0,
  { answerLost = false, ...options }: Partial<ProberOptions> & { answerLost?: boolean } = {},
) {
  const pods = new Map<string, object>();
  const ended: string[] = [];
  let left = refusals;
  const api = {
    post: async <T>(_: string, body: object) => {
      const pod = body as KubernetesObject;
      if (pods.has(pod.metadata.name)) throw new ApiRefusal(409, 'already exists');
      if (left-- > 0 && !answerLost) throw new ApiRefusal(500, 'no webhook');
      const metadata = { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...INJECTED } };
      pods.set(pod.metadata.name, { ...pod, metadata, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
      if (left >= 0 && answerLost) throw new ApiRefusal(0, 'socket hang up');
      return body as T;
    },
    get: async <T>(path: string) => pods.get(path.split('/').at(-1) ?? '') as T,
    delete: async (path: string) => ended.push(path),
  };
  const prober = new Prober(api, { namespace: 'probes', deliveries: ['native', 'sidecar'], ...options });
  return { prober, ended, pods };
}

const soon = () => Date.now() + 5_000;

test('a pod that is taken at once was not refused', async () => {
  expect(await world().prober.start('native', soon())).toMatchObject({ injected: true, refusedMs: 0 });
});

test('the time of refusals and their reason are told', async () => {
  const { refusedMs, refusal } = await world(1).prober.start('native', soon());
  expect(refusedMs).toBeGreaterThan(0);
  expect(refusal).toMatch(/no webhook/);
});

test('a pod that was made while the answer was lost is not made again', async () => {
  const { prober, pods } = world(1, { answerLost: true });
  expect(await prober.start('sidecar', soon())).toMatchObject({ injected: true });
  expect(pods.size).toBe(1);
});

test('a pod that is refused until the deadline is an error with the reason', async () => {
  await expect(world(100).prober.start('native', Date.now() + 50)).rejects.toThrow(
    /was refused: 500: no webhook after/,
  );
});

test('a pod asks for a lifetime only where one is given', async () => {
  const { pod } = await world().prober.start('sidecar', soon());
  expect(pod.metadata.annotations).toEqual({
    'autocert.step.sm/name': `${pod.metadata.name}.probes.svc.cluster.local`,
    'autocert.step.sm/delivery': 'sidecar',
    ...INJECTED,
  });
  const short = await world(0, { lifetimes: { sidecar: '5m', native: '1h' } }).prober.start('native', soon());
  expect(short.pod.metadata.annotations).toHaveProperty(['autocert.step.sm/duration'], '1h');
});

test('deliveries take turns; what was told once is not told again, and each pod is deleted', async () => {
  const { prober, ended } = world();
  const starting = prober.keepStarting(PACE);
  const first = (await starting.take()) as Started[];
  expect(first.map(({ pod }) => pod.metadata.annotations?.['autocert.step.sm/delivery'])).toEqual([
    'native',
    'sidecar',
  ]);
  await starting.stop();
  expect(await starting.take()).toEqual([]);
  const made = first.map(({ pod }) => `/api/v1/namespaces/probes/pods/${pod.metadata.name}`);
  expect(new Set(made).size).toBe(2);
  expect(ended).toEqual(expect.arrayContaining(made));
});

test('pods of two probers never have the same name, so that one that has not quite gone is not taken for a new one', async () => {
  const [one, other] = await Promise.all([world(), world()].map(({ prober }) => prober.start('sidecar', soon())));
  expect(one?.pod.metadata.name).not.toBe(other?.pod.metadata.name);
});

test('a check that fails is told as an error', async () => {
  const check = async () => {
    throw new Error('another root');
  };
  const [one] = await world()
    .prober.keepStarting({ ...PACE, check })
    .stop();
  expect(one).toMatchObject({ message: 'another root' });
});

test('an abort ends the pods under way', async () => {
  const over = new AbortController();
  const starting = world(1_000).prober.keepStarting({ ...PACE, signal: over.signal });
  over.abort();
  const ends = await starting.stop();
  expect(ends.map((one) => one instanceof Error && one.message)).toEqual(Array(2).fill(expect.stringMatching(/abort/)));
});
