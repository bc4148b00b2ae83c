/**
 * Pods whose agent was given roots when the pod was made, and cannot be given others: those that do not know a root.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { AgentEnv, Annotation, STATUS_INJECTED } from '../contract.ts';
import { pages } from '../kubernetes/pages.ts';
import { agentVariables, isAutocertIn, originOf } from '../kubernetes/pod-origin.ts';
import { splitPem } from '../x509/certificate.ts';
import type { ClusterPort } from './cluster-objects.ts';
import { sameCertificate } from './cluster-pki.ts';

/** What {@link findPinnedPods} found. */
export interface PinnedPods {
  /** Pods with an agent. */
  readonly agents: number;
  /** Of these, the ones that do not know the root. */
  readonly pinned: number;
  /** `namespace/name` of the first of them. */
  readonly names: readonly string[];
}

/** What has ended asks for nothing; a page is of whole pods. */
const RUNNING = { query: { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' }, size: 250 } as const;
/** Names that are kept. */
const MAX_NAMES = 20;

/**
 * Looks at all pods that have not ended, but for those of another installation.
 * @param namespace of this one
 * @throws AutocertError with status 403 when the caller may not list pods in all namespaces; `UNAVAILABLE`
 */
export async function findPinnedPods(
  api: Pick<ClusterPort, 'request'>,
  namespace: string,
  root: string,
): Promise<PinnedPods> {
  // All pods of a time have the same roots: each text is parsed once.
  const known = new Map<string, boolean>();
  const knowsRoot = (bundle: string) => {
    const answer = known.get(bundle) ?? splitPem(bundle).some((pem) => isSame(pem, root));
    known.set(bundle, answer);
    return answer;
  };
  let [agents, pinned] = [0, 0];
  const names: string[] = [];
  for await (const { items } of pages<V1Pod>(api, '/api/v1/pods', RUNNING)) {
    for (const pod of items ?? []) {
      const bundles = agentRoots(pod, namespace);
      if (bundles.length > 0) agents += 1;
      if (bundles.every(knowsRoot)) continue;
      pinned += 1;
      if (names.length < MAX_NAMES) names.push(`${pod.metadata?.namespace}/${pod.metadata?.name}`);
    }
  }
  return { agents, pinned, names };
}

/**
 * Roots that the pod's agents were given, PEM; there are two agents in the `classic` style. What others call by the name
 * of our variable is not looked at: it must not keep a root from being retired.
 */
function agentRoots(pod: V1Pod, namespace: string): string[] {
  if (pod.metadata?.annotations?.[Annotation.status] !== STATUS_INJECTED) return [];
  const origin = originOf(pod);
  if (origin && !isAutocertIn(origin, namespace)) return [];
  return agentVariables(pod).flatMap(({ name, value }) => (name === AgentEnv.roots ? [value ?? ''] : []));
}

/** Somebody else may have written what is no certificate. */
function isSame(pem: string, root: string): boolean {
  try {
    return sameCertificate(pem, root);
  } catch {
    return false;
  }
}
