/**
 * Where a run takes place: on a node of its own, or on a cluster of somebody's. Either is left as it was found.
 * @module
 */
import { bringUp, importImages } from '../../scripts/cluster/bring-up.ts';
import type { NodeTiming } from '../../scripts/cluster/components.ts';
import { footprint, leftovers } from '../../scripts/cluster/footprint.ts';
import { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { removeOldNodes, removeOwnNode } from '../../scripts/cluster/node.ts';
import { ensurePackages, which } from '../../scripts/cluster/packages.ts';
import { ensureKubernetes, ensurePrograms } from '../../scripts/cluster/programs.ts';
import { KUBERNETES_VERSION } from '../../scripts/cluster/settings.ts';
import { buildBundles } from '../../scripts/image.ts';
import { cleanUp } from './clean-up.ts';
import { type Choice, type Run, runChosenFaults, runChosenSteps } from './runs.ts';

/** Brings a node up on this machine, and takes it down whatever happens; returns the exit code. */
export async function onOurNode(run: Run): Promise<number> {
  const { choice, print, note } = run;
  const obstacle = process.platform !== 'linux' ? 'not Linux' : process.getuid?.() !== 0 ? 'not root' : undefined;
  if (obstacle !== undefined) {
    print(
      `skipped: a node of our own needs Linux and root, and this is ${obstacle}; set KUBECONFIG to use a cluster of yours`,
    );
    return process.env.CI ? 1 : 0;
  }
  await prepare(run);
  const removed = await removeOldNodes(false);
  if (removed > 0) note(`took down what ${removed} earlier run(s) had left`);
  const before = await footprint();
  onInterrupt(run, removeOwnNode);
  try {
    const running = await twice(run, () => bringUp(choice.keep, note, timingOf(choice)));
    const { node, kubectl, kubectlScript } = running;
    note(`Kubernetes ${KUBERNETES_VERSION} is up`);
    const steps = () =>
      runChosenSteps(run, {
        kubectl: new Kubectl(kubectl),
        ownNode: true,
        inNetwork: (argv) => node.inNetwork(argv),
        restartKubelet: () => node.restart('kubelet'),
        importImages: (file) => importImages(node, file),
      });
    const failed = await (choice.faults ? runChosenFaults(run, running) : steps());
    if (choice.keep) {
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
    if (!choice.keep) await removeOwnNode();
  }
}

/** Installs and builds what a node takes. */
export async function prepare({ choice, note }: Pick<Run, 'choice' | 'note'>): Promise<void> {
  await ensurePackages(note, [
    'node',
    ...(choice.databases ? (['databases'] as const) : []),
    ...(choice.faults ? (['faults'] as const) : []),
    ...(choice.gitops ? (['gitops'] as const) : []),
  ]);
  await ensurePrograms(note);
  if (choice.gitops) await ensurePrograms(note, ['argocd', 'kustomize', 'kustomize-controller']);
  await ensureKubernetes(note);
  await buildBundles();
}

/** Uses the cluster of KUBECONFIG, and removes from it what was deployed; returns the exit code. */
export async function onTheirCluster(run: Run): Promise<number> {
  const { choice, scratch, print, note } = run;
  if (choice.databases || choice.upgrade || choice.faults || choice.attacks || choice.gitops || choice.migration) {
    print(
      '--databases, --upgrade, --attacks, --gitops, --migration and --faults take nodes of their own: unset KUBECONFIG',
    );
    return 1;
  }
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
  const end = async () => (choice.keep ? undefined : cleanUp({ kubectl, scratch }));
  onInterrupt(run, end);
  try {
    return await runChosenSteps(run, { kubectl, ownNode: false, inNetwork: (argv) => [...argv] });
  } finally {
    await end();
  }
}

/** What is told of recovery, and what takes its time anyway, is of a kubelet as it is by default. */
function timingOf({ faults, long, databases }: Choice): NodeTiming {
  return { impatient: faults, attentive: !(faults || long || databases) };
}

/** Ctrl-C, or a request to end: the node goes first, and whatever waits for it fails. */
function onInterrupt({ stop, print }: Run, end: () => Promise<void>): void {
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
async function twice<T>({ stop, print }: Run, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (stop.signal.aborted) throw error;
    print(`bringing the node up failed, trying once more: ${error instanceof Error ? error.message : String(error)}`);
    return attempt();
  }
}
