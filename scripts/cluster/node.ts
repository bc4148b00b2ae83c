/**
 * The namespaces of a node and what is started in them. The first process of the node holds everything: when it dies the
 * kernel ends all the others. It dies with this process (also when that is killed with -9), unless the node is to be kept.
 * @module
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Component, commandOf, groupOf, type NodeSetting, type NodeTiming, toolsOf } from './components.ts';
import { inControlGroup, makeControlGroup, removeControlGroup } from './control-groups.ts';
import { alive, identify, kill, type ProcessId, processesNaming } from './processes.ts';
import { BIN, FIRST_NODE, KUBERNETES_BIN, NODES, type NodePlace, SECOND_NODE } from './settings.ts';
import { run, tied, waitFor } from './shell.ts';

/** What is kept in a node's folder, so that a later run can end it. */
interface NodeState {
  /** The run that started it. */
  readonly owner: ProcessId;
  readonly kept: boolean;
  /** The node's first process; absent while it is being started. */
  readonly init?: ProcessId;
}

const STATE_FILE = 'node.json';

/** What a node is for. */
export interface NodeRole {
  /** The node whose cluster it joins: it runs pods only. Absent: it has the control plane. */
  readonly joins?: ClusterNode;
  /** @default that of the cluster that it joins */
  readonly timing?: NodeTiming;
}

/** A node: its folder, its control group, its first process. */
export class ClusterNode {
  readonly folder: string;
  readonly cgroup: string;
  /** What its parts are told. */
  readonly setting: NodeSetting;
  readonly #init: ProcessId;

  private constructor(setting: NodeSetting, cgroup: string, init: ProcessId) {
    this.folder = setting.state;
    this.cgroup = cgroup;
    this.setting = setting;
    this.#init = init;
  }

  /** Makes the folder, the control group and the namespaces of a new node; one of that name which died before is removed. */
  static async start(keep: boolean, { joins, timing }: NodeRole = {}): Promise<ClusterNode> {
    const owner = identify(process.pid);
    if (owner === undefined) throw new Error('this process is not in /proc');
    const place = joins === undefined ? FIRST_NODE : SECOND_NODE;
    const name = joins === undefined ? String(process.pid) : `${process.pid}-${place.name}`;
    const folder = join(NODES, name);
    if (joins !== undefined) await remove(folder);
    for (const child of ['log', 'cni', 'pki']) mkdirSync(join(folder, child), { recursive: true, mode: 0o755 });
    const state = (init?: ProcessId) =>
      writeFileSync(join(folder, STATE_FILE), JSON.stringify({ owner, kept: keep, ...(init && { init }) }));
    state();
    const cgroup = cgroupOf(name);
    makeControlGroup(cgroup);
    const setting = { ...joins?.setting, ...timing, state: folder, place };
    const init = await startInit(setting, keep, joins);
    state(init);
    const node = new ClusterNode(setting, cgroup, init);
    if (joins !== undefined) await joins.#connect(node);
    return node;
  }

  /** Starts a part of Kubernetes; its output goes to a log file. It lives as long as the node. */
  launch(component: Component): void {
    const log = openSync(join(this.folder, 'log', `${component}.log`), 'a');
    const command = this.inside(commandOf(component, this.setting));
    const [file = '', ...args] = inControlGroup(this.cgroup, groupOf(component), command);
    // containerd finds its shim there
    const path = [...toolsOf(component, this.setting), BIN, KUBERNETES_BIN, process.env.PATH ?? '', '/usr/sbin:/sbin'];
    const env = { ...process.env, PATH: path.join(':') };
    spawn(file, args, { detached: true, stdio: ['ignore', log, log], env }).unref();
  }

  /** Ends a part of Kubernetes, as a crash would, and starts it again. */
  async restart(component: Component): Promise<void> {
    const running = this.#processesOf(component);
    for (const id of running) kill(id);
    await waitFor(`${component} to end`, async () => !running.some(alive), { timeoutMs: 20_000, everyMs: 50 });
    this.launch(component);
  }

  /** Stops a part of Kubernetes for a while: it is there and answers nothing. */
  pause(component: Component): { readonly resume: () => void } {
    const running = this.#processesOf(component);
    for (const id of running) kill(id, 'SIGSTOP');
    const resume = () => {
      // The one inside first: nsenter stops itself for as long as its child is stopped, and would never reap it.
      for (const id of running.toReversed()) kill(id, 'SIGCONT');
    };
    return { resume };
  }

  /** Loses the node, as a power failure would; its files stay until it is started again or removed. */
  async die(): Promise<void> {
    kill(this.#init);
    await waitFor(`${this.setting.place.name} to die`, async () => !alive(this.#init), {
      timeoutMs: 20_000,
      everyMs: 50,
    });
  }

  /** The command, run inside all the node's namespaces. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', `--target=${this.#init.pid}`, '--mount', '--net', '--pid', '--', ...argv];
  }

  /** The command, run in the node's network, with this machine's files. */
  inNetwork(argv: readonly string[]): string[] {
    return ['nsenter', `--target=${this.#init.pid}`, '--net', '--', ...argv];
  }

  /** Words before a command that has the node's mounts and nothing else of it. */
  get withMounts(): string[] {
    return ['nsenter', `--target=${this.#init.pid}`, '--mount', '--'];
  }

  /** Lays a cable to another node, and the routes to each other's pods. */
  async #connect(other: ClusterNode): Promise<void> {
    const [here, there] = [this.setting.place, other.setting.place];
    const cable = linkTo(there);
    const ip = (node: ClusterNode, words: string) => run(node.inNetwork(['ip', ...words.split(' ')]));
    await ip(other, `link add uplink type veth peer name ${cable} netns ${this.#init.pid}`);
    await ip(other, `address add ${there.address}/24 dev uplink`);
    await ip(other, 'link set uplink up');
    await ip(other, `route add default via ${here.address}`);
    await ip(this, `link set ${cable} up`);
    await ip(this, `route add ${there.address}/32 dev ${cable} src ${here.address}`);
    await ip(this, `route add ${there.pods} via ${there.address} dev ${cable}`);
  }

  #processesOf(component: Component): ProcessId[] {
    return processesNaming(commandOf(component, this.setting).join('\0')).flatMap((pid) => identify(pid) ?? []);
  }
}

/** The interface of the first node that leads to another one. */
export function linkTo({ name }: NodePlace): string {
  return `to-${name}`;
}

/** Ends the nodes of this run, however far they came, and removes their files. */
export async function removeOwnNode(): Promise<void> {
  const own = new RegExp(`^${process.pid}(-|$)`);
  // Those that joined go first: their volumes are the first one's.
  const names = existsSync(NODES) ? readdirSync(NODES).filter((name) => own.test(name)) : [];
  for (const name of names.sort().reverse()) await remove(join(NODES, name));
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

async function startInit(
  { state: folder, place }: NodeSetting,
  keep: boolean,
  joins?: ClusterNode,
): Promise<ProcessId> {
  const script = join(import.meta.dirname, 'node.sh');
  const unshare = ['unshare', '--mount', '--net', '--pid', '--fork', '--propagation=private'];
  const namespaces = joins === undefined ? unshare : [...joins.withMounts, ...unshare];
  const argv = keep ? namespaces : tied([...namespaces, '--kill-child=KILL']);
  const first = joins === undefined ? [] : [joins.folder];
  const [file = '', ...args] = [...argv, '--', 'bash', script, folder, place.address, ...first];
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
  await removeControlGroup(cgroupOf(basename(folder)));
  rmSync(folder, { recursive: true, force: true });
}

function stateOf(folder: string): NodeState | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, STATE_FILE), 'utf8')) as NodeState;
  } catch {
    return undefined;
  }
}
