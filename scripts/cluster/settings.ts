/**
 * Where the cluster keeps its things and which addresses it uses. Everything lives in namespaces of its own; the
 * addresses are documentation and benchmark ranges, so that they hide nothing that a machine might want to reach.
 * @module
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** With it the other programs of a node are built. */
export const BASE_KUBERNETES_VERSION = '1.37.2';

/** Version of Kubernetes: `K8S_VERSION`, else the base version. */
export const KUBERNETES_VERSION = (process.env.K8S_VERSION ?? BASE_KUBERNETES_VERSION).replace(/^v/, '');

/** Everything that outlives a run: the built programs. Nodes are below it while they run. */
export const CACHE = process.env.AUTOCERT_E2E_CACHE ?? join(homedir(), '.cache/autocert-e2e');

/** Programs whose version does not depend on that of Kubernetes. */
export const BIN = join(CACHE, 'bin');

/** The Kubernetes programs of {@link KUBERNETES_VERSION}. */
export const KUBERNETES_BIN = join(CACHE, `kubernetes-${KUBERNETES_VERSION}`);

/** One folder a running node. */
export const NODES = join(CACHE, 'nodes');

/** Addresses inside the network namespaces of the nodes. */
export const Address = {
  node: '192.0.2.10',
  /** Of all pods; each node has a part of it. */
  pods: '198.18.0.0/16',
  services: '198.19.0.0/16',
  kubernetes: '198.19.0.1',
  dns: '198.19.0.10',
  api: 'https://192.0.2.10:6443',
} as const;

/** A node as the cluster knows it. */
export interface NodePlace {
  readonly name: string;
  readonly address: string;
  /** Addresses of its pods. */
  readonly pods: string;
}

/** The node with the control plane: the only one, unless a second is wanted. */
export const FIRST_NODE: NodePlace = { name: 'node0', address: Address.node, pods: '198.18.0.0/17' };

/** A node that only runs pods. */
export const SECOND_NODE: NodePlace = { name: 'node1', address: '192.0.2.11', pods: '198.18.128.0/17' };
