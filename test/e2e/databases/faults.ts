/**
 * What goes wrong meanwhile, and what the servers of Autocert count of it.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { WEBHOOK_HEALTH_PORT } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { SYSTEM } from '../context.ts';

const EVERY_MS = 10_000;

/** Kills one CA pod after the other, every ten seconds, while `work` goes on; how many it was. */
export async function whileCasAreKilled<T>(
  kubectl: Kubectl,
  work: () => Promise<T>,
): Promise<{ result: T; kills: number }> {
  const over = new AbortController();
  let kills = 0;
  const killing = (async () => {
    for (let next = Date.now(); !over.signal.aborted; next += EVERY_MS) {
      await sleep(Math.max(0, next - Date.now()), undefined, { signal: over.signal }).catch(() => undefined);
      const [oldest] = await kubectl.pods(SYSTEM, 'app=ca');
      if (oldest !== undefined) {
        await kubectl.killPods([oldest]).catch(() => undefined); // it may be gone
        kills += 1;
      }
    }
  })();
  try {
    return { result: await work(), kills };
  } finally {
    over.abort();
    await killing;
  }
}

/** How the certificate endpoints have answered so far, by result: `issued=100 failed=3`. */
export async function answers(kubectl: Kubectl): Promise<string> {
  const counts = new Map<string, number>();
  for (const pod of await kubectl.pods(SYSTEM, 'app=autocert')) {
    const metrics = await kubectl.metrics(pod, WEBHOOK_HEALTH_PORT);
    const lines = metrics.matchAll(
      /^autocert_certificate_request_duration_seconds_count\{.*result="(\w+)".*\} (\d+)/gm,
    );
    for (const [, result = '', count] of lines) counts.set(result, (counts.get(result) ?? 0) + Number(count));
  }
  return [...counts].map(([result, count]) => `${result}=${count}`).join(' ');
}
