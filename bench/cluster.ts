/**
 * Pods on a real node: how much later an injected pod is Ready than one that is left alone, what it costs in memory and in
 * requests to the API server, how long it waits for the signer.
 * @module
 */
import { join } from 'node:path';
import { WebhookPath } from '../runtime/contract.ts';
import { SYSTEM } from '../scripts/cluster/installation.ts';
import { run, waitFor } from '../scripts/cluster/shell.ts';
import { answerTimes, percentile } from '../scripts/cluster/signer-log.ts';
import { type Figure, median, range } from './figure.ts';
import { megabytes } from './memory.ts';
import { agentProcesses, type NodeProcess, processesOf, pssOf } from './node-processes.ts';
import { KINDS, type Kind, startPods } from './start-pods.ts';
import type { MeasuredCluster } from './with-node.ts';

const ADMIT = join(import.meta.dirname, 'programs/admit.ts');

/** How many pods together, how often, and what is wanted: of the time itself, and of the time over uninjected pods. */
const SIZES = [
  { pods: 1, rounds: 9, aims: { native: ['', '+ 0.05 s'], sidecar: ['', '+ 0.2 s'] } },
  { pods: 30, rounds: 3, aims: { native: ['', '+ 0.8 s'], sidecar: ['≤ 1.6 ×', ''] } },
] as const;
const PSS_AIM = { native: '0', sidecar: '1 MB' } as const;
/** Pods together that the signer is timed with, how often, and how long they may wait for it. */
const STORM = { pods: 100, rounds: 5, median: '30 ms', p99: '200 ms' } as const;
const ADMISSIONS = 10_000;

/** What one start of pods tells. */
interface Start {
  readonly seconds: number;
  readonly requests: number;
  /** PSS of everything in the agents' containers together, megabytes. */
  readonly agents: number;
}

/** Runs all of it. */
export async function cluster(on: MeasuredCluster): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const size of SIZES) figures.push(...(await pods(on, size)));
  return [...figures, ...(await signer(on)), await webhookMemory(on)];
}

async function pods(on: MeasuredCluster, { pods: count, rounds, aims }: (typeof SIZES)[number]): Promise<Figure[]> {
  const starts: Record<Kind, Start[]> = { uninjected: [], native: [], sidecar: [] };
  // The first of each is not counted: images are unpacked, programs compiled.
  for (let round = 0; round <= rounds; round += 1) {
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const start = await measuredStart(on, kind, count);
      if (round > 0) starts[kind].push(start);
    }
    on.note(`${count} pod(s), round ${round} of ${rounds}`);
  }
  const all = (kind: Kind, what: keyof Start) => starts[kind].map((start) => start[what]);
  const of = (kind: Kind, what: keyof Start) => median(all(kind, what));
  const nameOf = (kind: Kind) => `${count} pod${count > 1 ? 's' : ''}, ${kind}`;
  const readiness = (kind: Kind) => ({
    name: `${nameOf(kind)}, create to Ready`,
    value: of(kind, 'seconds'),
    unit: 's',
    range: range(all(kind, 'seconds')),
  });
  const baseline = { name: 'uninjected', value: of('uninjected', 'seconds') };
  const injected = (['native', 'sidecar'] as const).flatMap((kind): Figure[] => {
    const [aim, aimOver] = aims[kind];
    const over = of(kind, 'seconds') - baseline.value;
    const perPod = (what: 'requests' | 'agents') => (of(kind, what) - of('uninjected', what)) / count;
    const figures: Figure[] = [
      { ...readiness(kind), baseline, aim },
      { name: `${nameOf(kind)}, over uninjected`, value: over, unit: 's', aim: aimOver },
    ];
    if (count === 1) return figures;
    const pss = { name: `${nameOf(kind)}, agent PSS a pod`, value: perPod('agents'), unit: 'MB', aim: PSS_AIM[kind] };
    const requests = `${nameOf(kind)}, API requests a pod over uninjected`;
    return [...figures, pss, { name: requests, value: perPod('requests'), unit: '' }];
  });
  return [readiness('uninjected'), ...injected];
}

async function measuredStart(on: MeasuredCluster, kind: Kind, count: number): Promise<Start> {
  let [before, after, agents] = [0, 0, 0];
  const seconds = await startPods(on, kind, count, {
    before: async () => {
      before = await requestsServed(on);
    },
    ready: async () => {
      after = await requestsServed(on);
      if (count > 1) agents = pssOf(await sleepingAgents(on));
    },
  });
  return { seconds, requests: after - before, agents };
}

/** What is in the agents' containers as soon as no work is under way there. */
function sleepingAgents({ node }: MeasuredCluster): Promise<NodeProcess[]> {
  return waitFor('the agents to sleep', async () => {
    const found = agentProcesses(node.node.cgroup);
    const works = ({ command }: NodeProcess) => command.some((word) => /\/node$|autocert-agent-worker$/.test(word));
    return !found.some(works) && found;
  });
}

/** Requests that the API server has answered so far, watches aside. */
async function requestsServed({ kubectl }: MeasuredCluster): Promise<number> {
  const metrics = await kubectl.run(['get', '--raw=/metrics']);
  return [...metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)]
    .filter(([, labels = '']) => !labels.includes('verb="WATCH"'))
    .reduce((sum, [, , value]) => sum + Number(value), 0);
}

/** How long pods that start together wait for the signer, by its own log; the median of rounds. */
async function signer(on: MeasuredCluster): Promise<Figure[]> {
  const rounds: number[][] = [];
  for (let round = 1; round <= STORM.rounds; round += 1) {
    let since = 0;
    const before = () => {
      since = Date.now();
    };
    await startPods(on, 'native', STORM.pods, { before });
    rounds.push(await answerTimes(on.kubectl, 'bench-', since));
    on.note(`${STORM.pods} pods at once, round ${round} of ${STORM.rounds}`);
  }
  const figure = (what: string, share: number, aim: string): Figure => {
    const values = rounds.map((times) => percentile(times, share));
    const name = `${STORM.pods} pods, native, from request to certificate, ${what}`;
    return { name, value: median(values), unit: 'ms', range: range(values), aim };
  };
  return [figure('median', 0.5, STORM.median), figure('p99', 0.99, STORM.p99)];
}

/** The larger of the replicas, as their container's memory limit makes them. */
async function webhookMemory({ node, kubectl }: MeasuredCluster): Promise<Figure> {
  const replicas = () => processesOf(node.node.cgroup).filter(({ command }) => command.includes('webhook'));
  const largest = () => Math.max(...replicas().map(({ pid }) => megabytes(pid, 'Rss')));
  const address = await kubectl.serviceAddress(SYSTEM, 'autocert');
  const url = `https://${address}${WebhookPath.mutate}`;
  const admit = (amount: number) => run(node.node.inNetwork([process.execPath, ADMIT, url, String(amount)]));
  await admit(ADMISSIONS);
  const before = largest();
  await admit(ADMISSIONS);
  const name = `webhook in its container, RSS after ${ADMISSIONS} more admissions`;
  return { name, value: largest(), unit: 'MB', baseline: { name: 'before', value: before }, aim: '120 MB, flat' };
}
