/**
 * `npm run e2e`: the tutorial on a real Kubernetes, step by step. With KUBECONFIG set it uses that cluster; without, it brings
 * up a node on this machine, and takes it down whatever happens.
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bringUp } from '../../scripts/cluster/bring-up.ts';
import { footprint, leftovers } from '../../scripts/cluster/footprint.ts';
import { writeProjectImages } from '../../scripts/cluster/images.ts';
import { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { removeOldNodes, removeOwnNode } from '../../scripts/cluster/node.ts';
import { ensurePackages, which } from '../../scripts/cluster/packages.ts';
import { ensureKubernetes, ensurePrograms } from '../../scripts/cluster/programs.ts';
import { BIN, KUBERNETES_VERSION } from '../../scripts/cluster/settings.ts';
import { buildBundles } from '../../scripts/image.ts';
import { cleanUp } from './clean-up.ts';
import type { Context } from './context.ts';
import { diagnose } from './diagnostics.ts';
import { runSteps, seconds, select } from './runner.ts';
import { allSteps } from './steps/index.ts';

const { values: options } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    images: { type: 'string' },
    down: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const HELP = `npm run e2e [-- options]
  --only WORD   only the steps whose number or name has WORD, and those they rest upon; may be repeated
  --keep        leave the node up and print how to reach it
  --long        also waits for kubelet to renew by itself: a quarter of an hour more (Kubernetes 1.37)
  --images FILE only write the images that a cluster of your own must have, as a docker-archive
  --down        take down nodes that --keep left up
  --list        print the steps
K8S_VERSION=1.34.4 chooses the version of Kubernetes; KUBECONFIG=file uses that cluster instead of a node of its own.`;

/** For {@link allSteps} when only their names are wanted. */
const NO_CLUSTER: Context = {
  kubectl: new Kubectl([]),
  native: true,
  ownNode: true,
  long: options.long,
  inNetwork: () => [],
  scratch: '',
  step: '',
  print: () => undefined,
  restartKubelet: async () => undefined,
};

const started = Date.now();
const stop = new AbortController();
const print = (line: string) => console.log(line);
const note = (text: string) => print(`...    ${text} (${seconds(started)})`);

process.exitCode = await main();

async function main(): Promise<number> {
  if (options.help) return say(HELP);
  if (options.list)
    return say(
      allSteps(NO_CLUSTER)
        .map(({ id, name }) => `${id.padEnd(5)} ${name}`)
        .join('\n'),
    );
  if (options.down) return say(`${await removeOldNodes(true)} node(s) taken down`);
  if (options.images !== undefined) {
    await buildBundles();
    await writeProjectImages(options.images);
    return say(options.images);
  }
  const scratch = mkdtempSync(join(tmpdir(), 'autocert-e2e-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  return process.env.KUBECONFIG ? onTheirCluster(scratch) : onOurNode(scratch);
}

async function onOurNode(scratch: string): Promise<number> {
  const obstacle = process.platform !== 'linux' ? 'not Linux' : process.getuid?.() !== 0 ? 'not root' : undefined;
  if (obstacle !== undefined) {
    print(
      `skipped: a node of our own needs Linux and root, and this is ${obstacle}; set KUBECONFIG to use a cluster of yours`,
    );
    return process.env.CI ? 1 : 0;
  }
  await ensurePackages(note);
  await ensurePrograms(note);
  await ensureKubernetes(note);
  await buildBundles();
  const removed = await removeOldNodes(false);
  if (removed > 0) note(`took down what ${removed} earlier run(s) had left`);
  const before = await footprint();
  onInterrupt(removeOwnNode);
  try {
    const { node, kubectl, kubectlScript } = await twice(() => bringUp(options.keep, note));
    note(`Kubernetes ${KUBERNETES_VERSION} is up`);
    const failed = await test({
      kubectl: new Kubectl(kubectl),
      ownNode: true,
      inNetwork: (argv) => node.inNetwork(argv),
      scratch,
      restartKubelet: () => node.restart('kubelet'),
    });
    if (options.keep) {
      print(
        `the node is kept; reach it with\n  ${kubectlScript} get pods -A\nand take it down with\n  npm run e2e -- --down`,
      );
      return failed;
    }
    await removeOwnNode();
    const left = leftovers(before, await footprint());
    if (left.length > 0) print(`FAILED       left on the machine:\n    ${left.join('\n    ')}`);
    else note('the node is down; nothing is left');
    return left.length > 0 ? 1 : failed;
  } finally {
    if (!options.keep) await removeOwnNode();
  }
}

async function onTheirCluster(scratch: string): Promise<number> {
  const file = which('kubectl');
  if (file === undefined) throw new Error('kubectl is not on PATH');
  const kubectl = new Kubectl([file]);
  const namespaces = await kubectl.run(['get', 'namespaces', '-o', 'name']);
  if (namespaces.split('\n').includes('namespace/step')) {
    print(
      'this cluster has a namespace "step" already: take a cluster without Autocert, for the last step uninstalls it',
    );
    return 1;
  }
  await ensurePrograms(note, ['step']);
  note('the nodes must have the images of npm run e2e -- --images FILE (with kind: kind load image-archive FILE)');
  const end = async () => (options.keep ? undefined : cleanUp({ kubectl, scratch }));
  onInterrupt(end);
  try {
    return await test({ kubectl, ownNode: false, inNetwork: (argv) => [...argv], scratch });
  } finally {
    await end();
  }
}

/** Runs the chosen steps; returns the exit code. */
async function test(cluster: Omit<Context, 'native' | 'step' | 'long' | 'print'>): Promise<number> {
  const groups = await cluster.kubectl.run(['api-resources', '--api-group=certificates.k8s.io', '-o', 'name']);
  const native = groups.includes('podcertificaterequests');
  const step = existsSync(join(BIN, 'step')) ? join(BIN, 'step') : 'step';
  const context = { ...cluster, native, step, long: options.long, print };
  const steps = select(allSteps(context), options.only);
  mkdirSync(cluster.scratch, { recursive: true });
  const outcome = await runSteps(steps, { print, diagnose: () => diagnose(cluster.kubectl), signal: stop.signal });
  for (const name of outcome.failed) print(`FAILED ${name}`);
  const interrupted = stop.signal.aborted ? ', interrupted' : '';
  note(`the steps are over${interrupted}`);
  print(`${outcome.passed} passed, ${outcome.failed.length} failed`); // alone on its line: CI counts by it
  return outcome.failed.length === 0 && !stop.signal.aborted ? 0 : 1;
}

/** Ctrl-C, or a request to end: the node goes first, and whatever waits for it fails. */
function onInterrupt(end: () => Promise<void>): void {
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(name, () => {
      stop.abort();
      print(`${name}: ending`);
      void end().finally(() => process.exit(code));
    });
  }
}

/** Machines hiccup while a node comes up: one more try. An assertion never gets one. */
async function twice<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (stop.signal.aborted) throw error;
    print(`bringing the node up failed, trying once more: ${error instanceof Error ? error.message : String(error)}`);
    return attempt();
  }
}

function say(text: string): number {
  print(text);
  return 0;
}
