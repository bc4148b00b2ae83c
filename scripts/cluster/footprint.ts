/**
 * What a run could leave on the machine, told before and after: processes, mounts, network namespaces and interfaces,
 * rules of iptables and their sets of addresses, kernel settings, control groups, files.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { processesNaming } from './processes.ts';
import { NODES, SECOND_NODE } from './settings.ts';
import { tryRun } from './shell.ts';

const SETTINGS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/ip_forward',
];
const FOLDERS = [
  '/run',
  '/run/netns',
  '/opt',
  '/etc',
  '/etc/cni',
  '/var/lib',
  '/var/log',
  '/usr/libexec',
  '/sys/fs/cgroup',
];
/** Other programs of the machine go on writing: only names that could be ours count. */
const OURS = /kube|containerd|cni|etcd|coredns|runc|autocert|netns/;

/** Lines, each one thing that was found. */
export type Footprint = ReadonlySet<string>;

/** Looks at the machine. */
export async function footprint(): Promise<Footprint> {
  const lines = async (label: string, argv: readonly string[], wanted = /./) => {
    const { stdout } = await tryRun(argv);
    return stdout
      .split('\n')
      .map((line) => line.replace(/\[\d+:\d+\]/, '').trim()) // counters of iptables
      .filter((line) => line !== '' && !line.startsWith('#') && wanted.test(line))
      .map((line) => `${label}: ${line}`);
  };
  return new Set([
    ...processesNaming(`${NODES}/${process.pid}`).map((pid) => `process: ${pid}`),
    ...readFileSync('/proc/mounts', 'utf8')
      .trim()
      .split('\n')
      .map((line) => `mount: ${line}`),
    ...(await lines('network namespace', ['ip', 'netns', 'list'])),
    ...(await lines('interface', ['ip', '-o', 'link', 'show'])).map((line) => line.replace(/: <.*/, '')),
    ...(await lines('iptables', ['iptables-save'])),
    ...(await lines('ip6tables', ['ip6tables-save'])),
    ...(await lines('iptables-legacy', ['iptables-legacy-save'])),
    ...(await lines('ipset', ['ipset', 'list', '-name'])),
    ...SETTINGS.map((key) => `setting: ${key} ${readFileSync(`/proc/sys/${key}`, 'utf8').trim()}`),
    ...FOLDERS.flatMap((folder) =>
      names(folder)
        .filter((name) => OURS.test(name))
        .map((name) => `file: ${folder}/${name}`),
    ),
    ...controlGroupsOf(`autocert-e2e-${process.pid}`),
    ...controlGroupsOf(`autocert-e2e-${process.pid}-${SECOND_NODE.name}`),
    ...names(NODES)
      .filter((name) => name === String(process.pid) || name.startsWith(`${process.pid}-`))
      .map((name) => `file: ${NODES}/${name}`),
  ]);
}

/** What is there now and was not before. */
export function leftovers(before: Footprint, after: Footprint): string[] {
  return [...after].filter((line) => !before.has(line));
}

function controlGroupsOf(name: string): string[] {
  return ['', ...names('/sys/fs/cgroup')]
    .map((hierarchy) => `/sys/fs/cgroup/${hierarchy}/${name}`)
    .filter((path) => existsSync(path))
    .map((path) => `control group: ${path}`);
}

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
