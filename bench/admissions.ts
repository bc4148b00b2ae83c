/**
 * The webhook under admissions: rate, latency, memory.
 * @module
 */
import { WebhookPath } from '../runtime/contract.ts';
import type { Effort } from './effort.ts';
import type { Figure } from './figure.ts';
import { inTurn, load } from './load.ts';
import { megabytes } from './memory.ts';
import type { Peers } from './peers.ts';
import { REVIEW } from './pod.ts';

const PROGRAM = `${import.meta.dirname}/programs/echo.ts`;
const MANY = 32;
const ADMISSIONS = 10_000;

/** Runs all of it. */
export async function admissions({ webhook, webhookPid, tls, processes }: Peers, effort: Effort): Promise<Figure[]> {
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: REVIEW } as const;
  const here = { ...post, url: `${webhook}${WebhookPath.mutate}` };
  const echo = await new Promise<string>((resolve) => {
    void processes.node('echo', [PROGRAM, tls.certFile, tls.keyFile], { onLine: resolve });
  });
  const bare = { ...post, url: `${echo}/echo` };
  // Until the compiler has seen it all.
  for (const server of [here, bare]) await load({ ...server, connections: MANY, duration: effort(2) });
  const more = effort(ADMISSIONS);
  const figures: Figure[] = [];
  for (const connections of [1, MANY]) {
    const [ours, theirs] = await inTurn(effort(5), [
      { ...here, connections, duration: effort(2) },
      { ...bare, connections, duration: effort(2) },
    ]);
    if (!ours || !theirs) throw new Error('nothing was measured');
    const figure = (what: string, unit: string, of: 'rate' | 'p50' | 'p99', aim: string): Figure => ({
      name: `admissions, ${connections} connection${connections > 1 ? 's' : ''}, ${what}`,
      value: ours[of],
      unit,
      baseline: { name: 'fastify echo', value: theirs[of] },
      aim,
    });
    figures.push(
      figure('rate', '/s', 'rate', connections > 1 ? '4710 /s' : '2080 /s'),
      figure('p50', 'ms', 'p50', connections > 1 ? '6.4 ms' : ''),
      figure('p99', 'ms', 'p99', connections > 1 ? '15.3 ms' : '2 ms'),
    );
  }
  const before = megabytes(webhookPid, 'Rss');
  await load({ ...here, connections: MANY, amount: more });
  const after = megabytes(webhookPid, 'Rss');
  const name = `webhook, RSS after ${more} more admissions`;
  return [
    ...figures,
    { name, value: after, unit: 'MB', baseline: { name: 'before', value: before }, aim: '120 MB, flat' },
  ];
}
