/**
 * Where the single-node cluster keeps its things and which addresses it uses. Everything lives in namespaces of its own; the
 * addresses are documentation and benchmark ranges, so that they hide nothing that a machine might want to reach.
 * @module
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Version of Kubernetes: `K8S_VERSION`, else the base version. */
export const KUBERNETES_VERSION = (process.env.K8S_VERSION ?? '1.37.2').replace(/^v/, '');

/** Everything that outlives a run: the built programs. Nodes are below it while they run. */
export const CACHE = process.env.AUTOCERT_E2E_CACHE ?? join(homedir(), '.cache/autocert-e2e');

/** Programs whose version does not depend on that of Kubernetes. */
export const BIN = join(CACHE, 'bin');

/** The Kubernetes programs of {@link KUBERNETES_VERSION}. */
export const KUBERNETES_BIN = join(CACHE, `kubernetes-${KUBERNETES_VERSION}`);

/** One folder a running node. */
export const NODES = join(CACHE, 'nodes');

/** Addresses inside the node's network namespace. */
export const Address = {
  node: '192.0.2.10',
  pods: '198.18.0.0/16',
  services: '198.19.0.0/16',
  kubernetes: '198.19.0.1',
  dns: '198.19.0.10',
  api: 'https://192.0.2.10:6443',
} as const;

/** Name of the node. */
export const NODE_NAME = 'node0';
