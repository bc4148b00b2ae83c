import { createMetrics } from '../../../runtime/lib/metrics.ts';
import { NativeLeaves } from '../../../runtime/signer/native-leaves.ts';
import { HOUR, MINUTE, NOON } from './fixtures.ts';

/** Leaves at noon, on a clock that the test moves. */
function leavesAtNoon() {
  const clock = { ms: 0 };
  const now = () => new Date(NOON.getTime() + clock.ms);
  const leaves = new NativeLeaves({ monotonic: () => clock.ms, now });
  const metrics = createMetrics();
  let known = true;
  leaves.addGauges(metrics, () => known);
  return {
    clock,
    leaves,
    /** A certificate of a day, issued now, to be renewed after 16 hours. */
    issue: (podUID: string) =>
      leaves.add(podUID, {
        kind: 'issued',
        names: [],
        serial: '0A',
        purpose: 'starting',
        notBefore: now(),
        notAfter: new Date(now().getTime() + 24 * HOUR),
        refreshAt: new Date(now().getTime() + 16 * HOUR),
      }),
    gauge: async (name: string) =>
      new RegExp(`^autocert_${name}{delivery="native"} (.*)$`, 'm').exec(await metrics.render())?.[1],
    leave: () => {
      known = false;
    },
  };
}

test('a certificate is due five minutes after its time, which kubelet may take, and late after a tenth of its life more', async () => {
  const { clock, issue, gauge } = leavesAtNoon();
  issue('pod-1');
  const states = [];
  for (const ms of [16 * HOUR, 16 * HOUR + 5 * MINUTE, 18.4 * HOUR + 5 * MINUTE]) {
    clock.ms = ms;
    states.push([await gauge('certificates_due'), await gauge('certificates_late')]);
  }
  expect(states).toEqual([
    ['0', '0'],
    ['1', '0'],
    ['1', '1'],
  ]);
});

test('a renewed certificate takes the place of the one before', async () => {
  const { clock, issue, gauge } = leavesAtNoon();
  issue('pod-1');
  clock.ms = 20 * HOUR;
  issue('pod-1');
  expect(await gauge('certificates_late')).toBe('0');
  expect(await gauge('certificates_known')).toBe('1');
  expect(await gauge('leaf_earliest_not_after_timestamp_seconds')).toBe(String((NOON.getTime() + 44 * HOUR) / 1000));
});

test('the certificates of pods that are gone do not count; those of pods that came while pods were counted do', async () => {
  const { clock, leaves, issue, gauge } = leavesAtNoon();
  issue('gone');
  issue('there');
  clock.ms = MINUTE;
  issue('new');
  leaves.retain(new Set(['there']), MINUTE);
  expect(await gauge('certificates_known')).toBe('2');
});

test('a leader that knows of none says nothing of the first to expire, and one that has gone says nothing at all', async () => {
  const { issue, gauge, leave } = leavesAtNoon();
  expect(await gauge('leaf_earliest_not_after_timestamp_seconds')).toBeUndefined();
  expect(await gauge('certificates_late')).toBe('0');
  issue('pod-1');
  leave();
  expect(await gauge('certificates_late')).toBeUndefined();
});

test('two hundred thousand are remembered, the last ones', async () => {
  const { issue, gauge } = leavesAtNoon();
  for (let pod = 0; pod < 200_010; pod += 1) issue(`pod-${pod}`);
  expect(await gauge('certificates_known')).toBe('200000');
});
