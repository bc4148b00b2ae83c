/**
 * Brings the cluster up: control plane, kubelet, container runtime, cluster DNS, storage, images; a second node, if wanted.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONTAINERD_SOCKET, type NodeTiming, writeConfigurations } from './components.ts';
import { writeProjectImages, writePulledImages } from './images.ts';
import { enforceNetworkPolicies } from './network-policies.ts';
import { ClusterNode, removeOwnNode } from './node.ts';
import { joinClusterPki, makeClusterPki } from './pki.ts';
import { BIN, KUBERNETES_BIN } from './settings.ts';
import { run, waitFor } from './shell.ts';

const VOLUMES = 6;

/** What is pulled elsewhere, and what is ours. */
const ARCHIVES = { 'pulled.tar': writePulledImages, 'project.tar': writeProjectImages } as const;

/** Whether a node is ready, as a JSONPath. */
const READY = '{.status.conditions[?(@.type=="Ready")].status}';

/** A node that pods can run on. */
export interface RunningNode {
  readonly node: ClusterNode;
  /** A kubectl that reaches it, as the first words of a command. */
  readonly kubectl: readonly string[];
  /** A script that does the same, for people. */
  readonly kubectlScript: string;
}

/** Starts a node and waits until it is ready; on failure nothing of it stays. */
export async function bringUp(
  keep: boolean,
  note: (text: string) => void,
  timing: NodeTiming = {},
): Promise<RunningNode> {
  const node = await ClusterNode.start(keep, { timing });
  try {
    return await populate(node, note);
  } catch (error) {
    await removeOwnNode();
    throw error;
  }
}

/** Starts a second node, which joins the first, and waits until it is ready. */
export async function joinSecondNode(keep: boolean, { node: first, kubectl }: RunningNode): Promise<ClusterNode> {
  const node = await ClusterNode.start(keep, { joins: first });
  const { place, state } = node.setting;
  await joinClusterPki(state, first.folder, place);
  writeConfigurations(node.setting, node.cgroup);
  node.launch('containerd');
  for (const archive of Object.keys(ARCHIVES)) await importImages(node, join(first.folder, 'images', archive));
  for (const component of ['kubelet', 'proxy'] as const) node.launch(component);
  await waitFor(`${place.name} to be ready`, async () => {
    const answer = await run([...kubectl, 'get', 'node', place.name, '-o', `jsonpath=${READY}`]);
    return answer === 'True';
  });
  await enforceNetworkPolicies(node);
  return node;
}

async function populate(node: ClusterNode, note: (text: string) => void): Promise<RunningNode> {
  const { folder } = node;
  await makeClusterPki(folder);
  writeConfigurations(node.setting, node.cgroup);

  const kubectl = node.inNetwork([
    join(KUBERNETES_BIN, 'kubectl'),
    `--kubeconfig=${join(folder, 'admin.kubeconfig')}`,
    // Every node has the same address: what kubectl learnt of another one's API must not be taken for this one's.
    `--cache-dir=${join(folder, 'kubectl-cache')}`,
  ]);
  await run(node.inside(['install', '--directory', '--mode=777', ...volumesOf(node)]));
  node.launch('containerd');
  node.launch('etcd');
  const images = loadImages(node);
  images.catch(() => undefined); // awaited below; the control plane may fail first
  node.launch('apiserver');
  await waitFor('the API server', async () => (await run([...kubectl, 'get', '--raw=/readyz'])) === 'ok');
  note('API server ready');
  for (const component of ['controller-manager', 'scheduler', 'kubelet', 'proxy'] as const) node.launch(component);
  const addons = readFileSync(join(import.meta.dirname, 'addons.yaml'), 'utf8');
  await run([...kubectl, 'apply', '-f', '-'], { input: `${addons}---\n${volumes(node)}` });
  await images;
  note('images loaded');
  await waitFor(
    'node and cluster DNS',
    async () => {
      const nodes = await run([...kubectl, 'get', 'nodes', '-o', `jsonpath={range .items[*]}${READY}{" "}{end}`]);
      const dns = ['-n', 'kube-system', 'get', 'deployment', 'coredns', '-o', 'jsonpath={.status.readyReplicas}'];
      return nodes.trim() === 'True' && (await run([...kubectl, ...dns])) === '1';
    },
    { timeoutMs: 90_000 },
  );
  await enforceNetworkPolicies(node);
  return { node, kubectl, kubectlScript: writeScript(folder, kubectl) };
}

/** Builds and loads the images: two archives, each as soon as it is written. */
async function loadImages(node: ClusterNode): Promise<void> {
  for (const [name, write] of Object.entries(ARCHIVES)) {
    const file = join(folderOf(node), name);
    await write(file);
    await importImages(node, file);
  }
}

/** Loads the images of a docker-archive as soon as the container runtime is there. */
export async function importImages(node: ClusterNode, file: string): Promise<void> {
  const ctr = node.inside([join(BIN, 'ctr'), `--address=${CONTAINERD_SOCKET}`, '--namespace=k8s.io']);
  await waitFor('containerd', async () => run([...ctr, 'version']));
  await run([...ctr, 'images', 'import', file], { timeoutMs: 180_000 });
}

function folderOf(node: ClusterNode): string {
  const folder = join(node.folder, 'images');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Folders of the volumes, as every node sees them. */
function volumesOf(node: ClusterNode): string[] {
  return Array.from({ length: VOLUMES }, (_, index) => join(node.folder, 'volumes', String(index)));
}

/** Volumes for the claims of the tests; the class has no provisioner. Any node reaches them, as if they were on a network. */
function volumes(node: ClusterNode): string {
  const objects = volumesOf(node).map((path, index) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `e2e-${index}` },
    spec: {
      capacity: { storage: '20Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'standard',
      hostPath: { path },
    },
  }));
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

function writeScript(folder: string, kubectl: readonly string[]): string {
  const script = join(folder, 'kubectl');
  writeFileSync(script, `#!/bin/sh\nexec ${kubectl.join(' ')} "$@"\n`, { mode: 0o755 });
  return script;
}
