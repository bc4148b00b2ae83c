import { lead } from '../../../runtime/signer/lead.ts';
import { signerMetrics } from '../../../runtime/signer/metrics.ts';
import { sleep } from '../../../runtime/signer/sleep.ts';
import { fakeCa } from './fake-ca.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

test('a leader uses its connections to the CA more often than the CA closes idle ones, also after the CA was away', async () => {
  const end = new AbortController();
  const { root } = await fakeCa(new Date());
  const pauses: number[] = [];
  let used = 0;
  await lead(
    {
      answer: async () => ({ kind: 'stale' }),
      requests: {
        list: async () => ({ items: [], resourceVersion: '1' }),
        watch: (_version, _onEvent, signal) => sleep(60_000, signal),
        sleep,
        log,
      },
      trustBundle: { roots: async () => [root], apply: async () => undefined, sleep, log },
      keepConnected: async () => {
        used += 1;
        if (used === 1) throw new Error('the CA is away');
      },
      sleep: async (ms) => {
        pauses.push(ms);
        if (used === 3) end.abort();
      },
      metrics: signerMetrics(),
      log,
    },
    end.signal,
  );
  expect(used).toBe(3);
  expect(Math.max(...pauses)).toBeLessThan(15_000);
});
