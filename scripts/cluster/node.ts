/**
 * The namespaces of one node and what is started in them. The first process of the node holds everything: when it dies the
 * kernel ends all the others. It dies with this process (also when that is killed with -9), unless the node is to be kept.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Component, commandOf, groupOf } from './components.ts';
import { inControlGroup, makeControlGroup, removeControlGroup } from './control-groups.ts';
import { alive, identify, kill, type ProcessId, processesNaming } from './processes.ts';
import { Address, BIN, KUBERNETES_BIN, NODES } from './settings.ts';
import { waitFor } from './shell.ts';

/** What is kept in a node's folder, so that a later run can end it. */
interface NodeState {
  /** The run that started it. */
  readonly owner: ProcessId;
  readonly kept: boolean;
  /** The node's first process; absent while it is being started. */
  readonly init?: ProcessId;
}

const STATE_FILE = 'node.json';

/** A node: its folder, its control group, its first process. */
export class ClusterNode {
  readonly folder: string;
  readonly cgroup: string;
  readonly #init: ProcessId;

  private constructor(folder: string, cgroup: string, init: ProcessId) {
    this.folder = folder;
    this.cgroup = cgroup;
    this.#init = init;
  }

  /** Makes the folder, the control group and the namespaces of a new node. */
  static async start(keep: boolean): Promise<ClusterNode> {
    const owner = identify(process.pid);
    if (owner === undefined) throw new Error('this process is not in /proc');
    const name = String(process.pid);
    const folder = join(NODES, name);
    for (const child of ['log', 'cni', 'pki']) mkdirSync(join(folder, child), { recursive: true, mode: 0o755 });
    const state = (init?: ProcessId) =>
      writeFileSync(join(folder, STATE_FILE), JSON.stringify({ owner, kept: keep, ...(init && { init }) }));
    state();
    const cgroup = cgroupOf(name);
    makeControlGroup(cgroup);
    const init = await startInit(folder, keep);
    state(init);
    return new ClusterNode(folder, cgroup, init);
  }

  /** Starts a part of Kubernetes; its output goes to a log file. It lives as long as the node. */
  launch(component: Component): void {
    const log = openSync(join(this.folder, 'log', `${component}.log`), 'a');
    const command = this.inside(commandOf(component, this.folder));
    const [file = '', ...args] = inControlGroup(this.cgroup, groupOf(component), command);
    const path = `${BIN}:${KUBERNETES_BIN}:${process.env.PATH ?? ''}:/usr/sbin:/sbin`; // containerd finds its shim there
    spawn(file, args, { detached: true, stdio: ['ignore', log, log], env: { ...process.env, PATH: path } }).unref();
  }

  /** Ends a part of Kubernetes, as a crash would, and starts it again. */
  async restart(component: Component): Promise<void> {
    const program = commandOf(component, this.folder).slice(0, 2).join('\0');
    const running = processesNaming(program).flatMap((pid) => identify(pid) ?? []);
    for (const id of running) kill(id);
    await waitFor(`${component} to end`, async () => !running.some(alive), { timeoutMs: 20_000, everyMs: 50 });
    this.launch(component);
  }

  /** The command, run inside all the node's namespaces. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', `--target=${this.#init.pid}`, '--mount', '--net', '--pid', '--', ...argv];
  }

  /** The command, run in the node's network, with this machine's files. */
  inNetwork(argv: readonly string[]): string[] {
    return ['nsenter', `--target=${this.#init.pid}`, '--net', '--', ...argv];
  }
}

/** Ends the node of this run, however far it came, and removes its files. */
export async function removeOwnNode(): Promise<void> {
  await remove(join(NODES, String(process.pid)));
}

/** Ends nodes of earlier runs that did not get to it: all whose run is over, and those that were kept only if `kept`. */
export async function removeOldNodes(kept: boolean): Promise<number> {
  if (!existsSync(NODES)) return 0;
  const old = readdirSync(NODES)
    .map((name) => join(NODES, name))
    .filter((folder) => {
      const state = stateOf(folder);
      if (state === undefined) return true;
      return state.kept && state.init !== undefined && alive(state.init) ? kept : !alive(state.owner);
    });
  for (const folder of old) await remove(folder);
  return old.length;
}

/** Control group of the node of this name (the last part of its folder). */
export function cgroupOf(name: string): string {
  return `autocert-e2e-${name}`;
}

async function startInit(folder: string, keep: boolean): Promise<ProcessId> {
  const script = join(import.meta.dirname, 'node.sh');
  const namespaces = ['unshare', '--mount', '--net', '--pid', '--fork', '--propagation=private'];
  const tied = keep ? namespaces : ['setpriv', '--pdeathsig=KILL', '--', ...namespaces, '--kill-child=KILL'];
  const [file = '', ...args] = [...tied, '--', 'bash', script, folder, Address.node];
  const log = openSync(join(folder, 'log/init.log'), 'a');
  const child = spawn(file, args, { detached: true, stdio: ['ignore', 'pipe', log] });
  child.unref();
  const line = await new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').once('data', resolve);
    child.once('error', () => resolve('')).once('exit', () => resolve(''));
  });
  child.stdout?.destroy();
  const init = identify(Number(line));
  if (init === undefined)
    throw new Error(`the node's namespaces: ${readFileSync(join(folder, 'log/init.log'), 'utf8')}`);
  return init;
}

async function remove(folder: string): Promise<void> {
  const init = stateOf(folder)?.init;
  if (init !== undefined) {
    kill(init);
    await waitFor("the node's first process to end", async () => !alive(init), { timeoutMs: 20_000, everyMs: 50 });
  }
  await removeControlGroup(cgroupOf(folder.slice(NODES.length + 1)));
  rmSync(folder, { recursive: true, force: true });
}

function stateOf(folder: string): NodeState | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, STATE_FILE), 'utf8')) as NodeState;
  } catch {
    return undefined;
  }
}
