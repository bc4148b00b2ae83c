/**
 * The agent: how long from its start to the files, and what it keeps in memory while it waits for the next renewal.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentEnv } from '../runtime/contract.ts';
import { type Figure, median } from './figure.ts';
import { BUNDLE, type Peers } from './peers.ts';

const PROGRAMS = join(import.meta.dirname, 'programs');
/** As the image starts it: see scripts/image.ts. */
const FLAGS = ['--use-openssl-ca'];
const ROUNDS = 41;
const TOGETHER = 5;

/** What the injector tells an agent. */
export function agentEnvironment({ dir, pki, webhook }: Peers): Record<string, string> {
  const tokenFile = join(dir, 'attestation');
  writeFileSync(tokenFile, 'header.claims.signature');
  return {
    [AgentEnv.caUrl]: pki.caUrl,
    [AgentEnv.fingerprint]: pki.pki.fingerprint,
    [AgentEnv.roots]: pki.pki.rootPem,
    [AgentEnv.autocertUrl]: webhook,
    [AgentEnv.tokenFile]: tokenFile,
  };
}

/** Runs all of it. */
export async function agent(peers: Peers): Promise<Figure[]> {
  return [...(await startUp(peers)), await memory(peers)];
}

async function startUp(peers: Peers): Promise<Figure[]> {
  const env = agentEnvironment(peers);
  const files: number[] = [];
  const exits: number[] = [];
  const requests: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await lifetime(['-e', '0'], {}));
    const request = [join(PROGRAMS, 'one-request.cjs'), `${peers.pki.caUrl}/health`, peers.pki.rootFile];
    requests.push(await lifetime(request, {}));
    const dir = mkdtempSync(join(peers.dir, 'pod-'));
    const started = performance.now();
    const written = appears(dir, '..data');
    exits.push(await lifetime([...FLAGS, BUNDLE.agent, 'once'], { ...env, [AgentEnv.certificateDir]: dir }));
    files.push((await written) - started);
  }
  const node = { name: 'node -e 0', value: median(bare) };
  const request = { name: 'node, one HTTPS request', value: median(requests) };
  const what = `agent, start to files (${peers.caName})`;
  return [
    { name: what, value: median(files), unit: 'ms', baseline: request, aim: '55 ms' },
    { name: what, value: median(files), unit: 'ms', baseline: node },
    { name: 'agent once, start to end', value: median(exits), unit: 'ms', baseline: request },
  ];
}

/** Milliseconds from start to end of a Node process, which must end well. */
async function lifetime(args: readonly string[], env: Record<string, string>): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with ${code}`);
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

/** Agents that wait beside as many bare servers: what they share with each other is the same for both. */
async function memory(peers: Peers): Promise<Figure> {
  const agents: ChildProcess[] = [];
  const servers: ChildProcess[] = [];
  try {
    for (let index = 0; index < TOGETHER; index += 1) {
      const dir = mkdtempSync(join(peers.dir, 'pod-'));
      const env = { ...agentEnvironment(peers), [AgentEnv.certificateDir]: dir };
      const written = appears(dir, '..data');
      agents.push(spawn(process.execPath, [...FLAGS, BUNDLE.agent, 'run'], { env, stdio: 'ignore' }));
      await written;
      const bare = spawn(process.execPath, [join(PROGRAMS, 'bare-server.cjs')], { env: {}, stdio: ['ignore', 'pipe'] });
      servers.push(bare);
      if (bare.stdout) await once(bare.stdout, 'data');
    }
    const sizes = (processes: readonly ChildProcess[]) =>
      median(processes.map(({ pid }) => megabytes(pid ?? 0, 'Pss')));
    return {
      name: 'agent run, idle, PSS',
      value: sizes(agents),
      unit: 'MB',
      baseline: { name: 'bare HTTPS server', value: sizes(servers) },
      aim: 'no more',
    };
  } finally {
    for (const child of [...agents, ...servers]) child.kill('SIGKILL');
  }
}

/** Memory of a process as the kernel counts it: `Rss`, or `Pss`, where shared pages count in parts. */
export function megabytes(pid: number, what: 'Rss' | 'Pss'): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${what}: +(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1000;
}
