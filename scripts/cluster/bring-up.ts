/**
 * Brings the node up: control plane, kubelet, container runtime, cluster DNS, storage, images.
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONTAINERD_SOCKET, writeConfigurations } from './components.ts';
import { writeProjectImages, writePulledImages } from './images.ts';
import { ClusterNode, removeOwnNode } from './node.ts';
import { makeClusterPki } from './pki.ts';
import { BIN, KUBERNETES_BIN, NODE_NAME } from './settings.ts';
import { run, waitFor } from './shell.ts';

/** Folders of the volumes, as the node sees them. */
const VOLUMES = Array.from({ length: 6 }, (_, index) => `/var/lib/autocert-e2e/${index}`);

/** A node that pods can run on. */
export interface RunningNode {
  readonly node: ClusterNode;
  /** A kubectl that reaches it, as the first words of a command. */
  readonly kubectl: readonly string[];
  /** A script that does the same, for people. */
  readonly kubectlScript: string;
}

/** Starts a node and waits until it is ready; on failure nothing of it stays. */
export async function bringUp(keep: boolean, note: (text: string) => void): Promise<RunningNode> {
  const node = await ClusterNode.start(keep);
  try {
    return await populate(node, note);
  } catch (error) {
    await removeOwnNode();
    throw error;
  }
}

async function populate(node: ClusterNode, note: (text: string) => void): Promise<RunningNode> {
  const { folder } = node;
  await makeClusterPki(folder);
  writeConfigurations(folder, node.cgroup);

  const kubectl = node.inNetwork([
    join(KUBERNETES_BIN, 'kubectl'),
    `--kubeconfig=${join(folder, 'admin.kubeconfig')}`,
    // Every node has the same address: what kubectl learnt of another one's API must not be taken for this one's.
    `--cache-dir=${join(folder, 'kubectl-cache')}`,
  ]);
  await run(node.inside(['install', '--directory', '--mode=777', ...VOLUMES]));
  node.launch('containerd');
  node.launch('etcd');
  const images = loadImages(node);
  images.catch(() => undefined); // awaited below; the control plane may fail first
  node.launch('apiserver');
  await waitFor('the API server', async () => (await run([...kubectl, 'get', '--raw=/readyz'])) === 'ok');
  note('API server ready');
  for (const component of ['controller-manager', 'scheduler', 'kubelet', 'proxy'] as const) node.launch(component);
  const addons = readFileSync(join(import.meta.dirname, 'addons.yaml'), 'utf8');
  await run([...kubectl, 'apply', '-f', '-'], { input: `${addons}---\n${volumes()}` });
  await images;
  note('images loaded');
  await waitFor(
    'node and cluster DNS',
    async () => {
      const ready = '{range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{" "}{end}';
      const nodes = await run([...kubectl, 'get', 'nodes', '-o', `jsonpath=${ready}`]);
      const dns = ['-n', 'kube-system', 'get', 'deployment', 'coredns', '-o', 'jsonpath={.status.readyReplicas}'];
      return nodes.trim() === 'True' && (await run([...kubectl, ...dns])) === '1';
    },
    { timeoutMs: 90_000 },
  );
  return { node, kubectl, kubectlScript: writeScript(folder, kubectl) };
}

/** Builds and loads the images: two archives, each as soon as it is written. */
async function loadImages(node: ClusterNode): Promise<void> {
  const ctr = node.inside([join(BIN, 'ctr'), `--address=${CONTAINERD_SOCKET}`, '--namespace=k8s.io']);
  const load = async (file: string) => {
    await waitFor('containerd', async () => run([...ctr, 'version']));
    await run([...ctr, 'images', 'import', file], { timeoutMs: 180_000 });
  };
  const pulled = join(folderOf(node), 'pulled.tar');
  await writePulledImages(pulled);
  await load(pulled);
  const own = join(folderOf(node), 'project.tar');
  await writeProjectImages(own);
  await load(own);
}

function folderOf(node: ClusterNode): string {
  const folder = join(node.folder, 'images');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Volumes for the claims of the tests; the class has no provisioner. */
function volumes(): string {
  const hostnames = { key: 'kubernetes.io/hostname', operator: 'In', values: [NODE_NAME] };
  const objects = VOLUMES.map((path, index) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `e2e-${index}` },
    spec: {
      capacity: { storage: '20Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'standard',
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostnames] }] } },
    },
  }));
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

function writeScript(folder: string, kubectl: readonly string[]): string {
  const script = join(folder, 'kubectl');
  writeFileSync(script, `#!/bin/sh\nexec ${kubectl.join(' ')} "$@"\n`, { mode: 0o755 });
  return script;
}
