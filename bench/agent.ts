/**
 * The agent: how long from its start to the files, how much memory its work takes, and what is left of it while it sleeps.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentEnv, CertificatePath } from '../runtime/contract.ts';
import { staticBusybox } from '../scripts/cluster/machine-programs.ts';
import { waitFor } from '../scripts/cluster/shell.ts';
import type { Effort } from './effort.ts';
import { type Figure, median } from './figure.ts';
import { megabytes } from './memory.ts';
import { BUNDLE, type Peers } from './peers.ts';
import { POD, TOKEN } from './pod.ts';

const ONE_REQUEST = join(import.meta.dirname, 'programs/one-request.cjs');
/** As the image starts it: see scripts/image-files.ts. */
const FLAGS = ['--use-openssl-ca'];
const ROUNDS = 41;
/** Agents that sleep at the same time: as many pods as a node may well have. */
const TOGETHER = 30;

/** The environment of an agent whose certificate folder is this. */
type EnvironmentFor = (dir: string) => Record<string, string>;

/** Runs all of it. */
export async function agent(peers: Peers, effort: Effort): Promise<Figure[]> {
  const environment = injector(peers);
  return [
    ...(await startUp(peers, environment, effort(ROUNDS))),
    await peak(peers, environment),
    await idle(peers, environment, effort(TOGETHER)),
  ];
}

/** Makes what the injector, kubelet and the image give an agent. */
function injector({ dir: folder, pki, autocertUrl }: Peers): EnvironmentFor {
  const tokenFile = join(folder, 'attestation');
  writeFileSync(tokenFile, TOKEN);
  const worker = join(folder, 'worker');
  writeFileSync(worker, `#!${process.execPath} ${FLAGS.join(' ')}\nrequire('${BUNDLE.agent}');\n`, { mode: 0o755 });
  return (dir) => ({
    [AgentEnv.autocertUrl]: autocertUrl,
    [AgentEnv.roots]: pki.pki.rootPem,
    [AgentEnv.tokenFile]: tokenFile,
    [AgentEnv.namespace]: POD.namespace,
    [AgentEnv.podName]: POD.name,
    [AgentEnv.certificateDir]: dir,
    [AgentEnv.worker]: worker,
  });
}

function oneRequest({ autocertUrl, pki }: Peers): string[] {
  return [ONE_REQUEST, `${autocertUrl}${CertificatePath.renewalInfo}?namespace=${POD.namespace}`, pki.rootFile];
}

async function startUp(peers: Peers, environment: EnvironmentFor, rounds: number): Promise<Figure[]> {
  const busybox = staticBusybox();
  const times = { node: [] as number[], request: [] as number[], worker: [] as number[], script: [] as number[] };
  const toFiles = async (file: string, args: readonly string[]) => {
    const dir = mkdtempSync(join(peers.dir, 'pod-'));
    const env = environment(dir);
    const started = performance.now();
    const written = appears(dir, '..data');
    await lifetime(file, args, env);
    return (await written) - started;
  };
  for (let round = 0; round < rounds; round += 1) {
    times.node.push(await lifetime(process.execPath, ['-e', '0']));
    times.request.push(await lifetime(process.execPath, oneRequest(peers)));
    times.worker.push(await toFiles(process.execPath, [...FLAGS, BUNDLE.agent, '--once']));
    times.script.push(await toFiles(busybox, ['sh', BUNDLE.agentScript, 'once']));
  }
  const node = { name: 'node -e 0', value: median(times.node) };
  const request = { name: 'node, one HTTPS request', value: median(times.request) };
  const worker = { name: `agent's worker, start to files (${peers.caName})`, value: median(times.worker), unit: 'ms' };
  const script = { name: 'agent, start to files, shell included', value: median(times.script), unit: 'ms' };
  return [
    { ...worker, baseline: request, aim: '1.2' },
    { ...worker, baseline: node },
    { ...script, baseline: request, aim: '1.2' },
  ];
}

/** Milliseconds from start to end of a process, which must end well. */
async function lifetime(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}`);
  return performance.now() - started;
}

/** When `name` comes to be in `dir`. */
function appears(dir: string, name: string): Promise<number> {
  return new Promise((resolve) => {
    const watcher = watch(dir, (_, changed) => {
      if (changed !== name) return;
      watcher.close();
      resolve(performance.now());
    });
  });
}

/** The most memory that obtaining a certificate takes at one moment, pages of Node's own file included. */
async function peak(peers: Peers, environment: EnvironmentFor): Promise<Figure> {
  const report = join(peers.dir, 'peak');
  const preload = join(peers.dir, 'peak.cjs');
  const code = `require('node:fs').writeFileSync(${JSON.stringify(report)}, String(process.resourceUsage().maxRSS))`;
  writeFileSync(preload, `process.on('exit', () => ${code});\n`);
  const of = async (args: readonly string[], env: Record<string, string> = {}) => {
    await lifetime(process.execPath, ['--require', preload, ...args], env);
    return Number(readFileSync(report, 'utf8')) / 1000;
  };
  const pod = mkdtempSync(join(peers.dir, 'pod-'));
  return {
    name: "agent's worker, peak RSS",
    value: await of([...FLAGS, BUNDLE.agent, '--once'], environment(pod)),
    unit: 'MB',
    baseline: { name: 'node, one HTTPS request', value: await of(oneRequest(peers)) },
  };
}

/** What sleeps in a pod, among so many: pages that they share count in parts. */
async function idle(peers: Peers, environment: EnvironmentFor, together: number): Promise<Figure> {
  const busybox = staticBusybox();
  const shells: ChildProcess[] = [];
  try {
    for (let index = 0; index < together; index += 1) {
      const dir = mkdtempSync(join(peers.dir, 'pod-'));
      shells.push(spawn(busybox, ['sh', BUNDLE.agentScript, 'run'], { env: environment(dir), stdio: 'ignore' }));
    }
    const pids = shells.map(({ pid = 0 }) => pid);
    const sleeping = async () =>
      pids.every((pid) => childrenOf(pid).some((child) => commandOf(child).includes('sleep')));
    await waitFor('all agents to sleep', sleeping, { everyMs: 50, timeoutMs: 60_000 });
    const sizes = pids.map((pid) =>
      [pid, ...childrenOf(pid)].reduce((sum, process) => sum + megabytes(process, 'Pss'), 0),
    );
    return { name: `agent, asleep, PSS (of ${together})`, value: median(sizes), unit: 'MB', aim: '1 MB' };
  } finally {
    // To the shell, which then ends its sleep.
    for (const shell of shells) shell.kill();
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function commandOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
}
