/**
 * Pods on a real Kubernetes node of this machine (Linux, root): how much later an injected pod is Ready than one that is
 * left alone, what it costs in memory and in requests to the API server.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Annotation, WebhookPath } from '../runtime/contract.ts';
import { type ClusterNode, removeOldNodes, removeOwnNode } from '../scripts/cluster/node.ts';
import { ensurePackages } from '../scripts/cluster/packages.ts';
import { processesNaming } from '../scripts/cluster/processes.ts';
import { ensureKubernetes, ensurePrograms } from '../scripts/cluster/programs.ts';
import { bringUp, type RunningNode } from '../scripts/cluster/up.ts';
import { SYSTEM } from '../test/e2e/context.ts';
import { Kubectl } from '../scripts/cluster/kubectl.ts';
import { run } from '../scripts/cluster/shell.ts';
import { answerTimes, percentile } from '../scripts/cluster/signer-log.ts';
import { installed } from '../test/e2e/steps/install.ts';
import { megabytes } from './agent.ts';
import { type Figure, median } from './figure.ts';
import { ROOT } from './peers.ts';

const PROGRAMS = join(import.meta.dirname, 'programs');
const CERTIFICATE = { [Annotation.name]: 'bench.default.svc.cluster.local' };
/** Ways to be delivered to, and to be left alone, by their annotations. */
const KINDS = {
  uninjected: {},
  native: { ...CERTIFICATE, [Annotation.delivery]: 'native' },
  sidecar: { ...CERTIFICATE, [Annotation.delivery]: 'sidecar' },
} as const;
type Kind = keyof typeof KINDS;

/** How many pods together, how often, and how much later than uninjected ones they may be. */
const SIZES = [
  { pods: 1, rounds: 9, aim: { native: '+ 0.05 s', sidecar: '+ 0.25 s' } },
  { pods: 30, rounds: 3, aim: { native: '+ 0.8 s', sidecar: '+ 3 s' } },
] as const;
/** Pods together that the signer is timed with, how often, and how long they may wait for it. */
const STORM = { pods: 100, rounds: 5, median: '30 ms', p99: '200 ms' } as const;
const ADMISSIONS = 10_000;

/** What one start of pods tells. */
interface Start {
  readonly seconds: number;
  readonly requests: number;
  /** PSS of all agents together. */
  readonly agents: number;
}

/** Runs all of it. */
export async function cluster(note: (text: string) => void): Promise<Figure[]> {
  await ensurePackages(note);
  await ensurePrograms(note);
  await ensureKubernetes(note);
  await removeOldNodes(false);
  const scratch = mkdtempSync(join(tmpdir(), 'autocert-bench-'));
  process.once('SIGINT', () => void removeOwnNode().finally(() => process.exit(130)));
  try {
    const node = await bringUp(false, note);
    const kubectl = new Kubectl(node.kubectl);
    await install(kubectl, join(scratch, 'dist'));
    note('installed');
    const figures: Figure[] = [];
    for (const size of SIZES) figures.push(...(await pods(node, kubectl, size, note)));
    return [...figures, ...(await signer(node, kubectl, note)), await webhookMemory(node, kubectl)];
  } finally {
    await removeOwnNode();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function install(kubectl: Kubectl, dist: string): Promise<void> {
  await run(['npx', 'cdk8s', 'synth', '--check-upgrade=false', '--output', dist], { cwd: ROOT });
  await kubectl.run(['apply', '-f', dist]);
  await installed(kubectl);
  await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm=enabled']);
}

async function pods(
  node: RunningNode,
  kubectl: Kubectl,
  { pods: count, rounds, aim }: (typeof SIZES)[number],
  note: (text: string) => void,
): Promise<Figure[]> {
  const starts: Record<Kind, Start[]> = { uninjected: [], native: [], sidecar: [] };
  const kinds = Object.keys(KINDS) as Kind[];
  // The first of each is not counted: images are unpacked, programs compiled.
  for (let round = 0; round <= rounds; round += 1) {
    for (const kind of kinds) {
      const start = await startPods(node, kubectl, kind, count);
      if (round > 0) starts[kind].push(start);
    }
    note(`${count} pod(s), round ${round} of ${rounds}`);
  }
  const of = (kind: Kind, what: keyof Start) => median(starts[kind].map((start) => start[what]));
  const baseline = { name: 'uninjected', value: of('uninjected', 'seconds') };
  return (['native', 'sidecar'] as const).flatMap((kind): Figure[] => {
    const name = `${count} pod${count > 1 ? 's' : ''}, ${kind}`;
    const seconds = of(kind, 'seconds');
    const perPod = (what: 'requests' | 'agents') => (of(kind, what) - of('uninjected', what)) / count;
    return [
      { name: `${name}, create to Ready`, value: seconds, unit: 's', baseline },
      { name: `${name}, over uninjected`, value: seconds - baseline.value, unit: 's', aim: aim[kind] },
      ...(count === 1
        ? []
        : [
            {
              name: `${name}, agent PSS a pod`,
              value: perPod('agents'),
              unit: 'MB',
              aim: kind === 'native' ? '0' : '',
            },
            { name: `${name}, API requests a pod over uninjected`, value: perPod('requests'), unit: '' },
          ]),
    ];
  });
}

async function startPods(node: RunningNode, kubectl: Kubectl, kind: Kind, count: number): Promise<Start> {
  const before = await requestsServed(kubectl);
  const [file = '', ...args] = node.node.inNetwork([
    process.execPath,
    join(PROGRAMS, 'pods.ts'),
    String(count),
    JSON.stringify(KINDS[kind]),
  ]);
  const env = { ...process.env, KUBECONFIG: join(node.node.folder, 'admin.kubeconfig') };
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const line = await Promise.race([once(child.stdout, 'data'), ended.then(() => ['nothing'])]);
  const milliseconds = Number(String(line[0]));
  if (Number.isNaN(milliseconds)) throw new Error(`${count} ${kind} pods did not become ready`);
  const requests = (await requestsServed(kubectl)) - before;
  const agents = podProcesses(node.node, 'autocert-agent\0run').reduce((sum, pid) => sum + megabytes(pid, 'Pss'), 0);
  child.stdin.end();
  await ended;
  return { seconds: milliseconds / 1000, requests, agents };
}

/** Processes of this node's pods whose command line contains `text`; another node may be running beside it. */
function podProcesses({ cgroup }: ClusterNode, text: string): number[] {
  return processesNaming(text).filter((pid) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(cgroup));
}

/** Requests that the API server has answered so far, watches aside. */
async function requestsServed(kubectl: Kubectl): Promise<number> {
  const metrics = await kubectl.run(['get', '--raw=/metrics']);
  return [...metrics.matchAll(/^apiserver_request_total\{(.*)\} (\S+)$/gm)]
    .filter(([, labels = '']) => !labels.includes('verb="WATCH"'))
    .reduce((sum, [, , value]) => sum + Number(value), 0);
}

/** How long pods that start together wait for the signer, by its own log; the median of rounds. */
async function signer(node: RunningNode, kubectl: Kubectl, note: (text: string) => void): Promise<Figure[]> {
  const rounds: number[][] = [];
  for (let round = 1; round <= STORM.rounds; round += 1) {
    const since = Date.now();
    await startPods(node, kubectl, 'native', STORM.pods);
    rounds.push(await answerTimes(kubectl, 'bench-', since));
    note(`${STORM.pods} pods at once, round ${round} of ${STORM.rounds}`);
  }
  const of = (share: number) => median(rounds.map((times) => percentile(times, share)));
  const name = `${STORM.pods} pods, native, from request to certificate`;
  return [
    { name: `${name}, median`, value: of(0.5), unit: 'ms', aim: STORM.median },
    { name: `${name}, p99`, value: of(0.99), unit: 'ms', aim: STORM.p99 },
  ];
}

/** The larger of the replicas, as their container's memory limit makes them. */
async function webhookMemory({ node }: RunningNode, kubectl: Kubectl): Promise<Figure> {
  const largest = () => Math.max(...podProcesses(node, 'webhook\0--config').map((pid) => megabytes(pid, 'Rss')));
  const address = await kubectl.run(['-n', SYSTEM, 'get', 'service', 'autocert', '-o', 'jsonpath={.spec.clusterIP}']);
  const url = `https://${address}${WebhookPath.mutate}`;
  const admit = (amount: number) =>
    run(node.inNetwork([process.execPath, join(PROGRAMS, 'admit.ts'), url, String(amount)]));
  await admit(ADMISSIONS);
  const before = largest();
  await admit(ADMISSIONS);
  const name = `webhook in its container, RSS after ${ADMISSIONS} more admissions`;
  return { name, value: largest(), unit: 'MB', baseline: { name: 'before', value: before }, aim: '120 MB, flat' };
}
