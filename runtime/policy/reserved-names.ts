/**
 * What no pod gets, whatever `allowedNames` says: the namespaces that are left alone, and the names that the cluster
 * itself goes by. Webhook, certificate endpoint, signer and admission policies all ask here.
 *
 * Reserved are every name of Autocert's own namespace, those of the API server (`kubernetes.default` and its longer
 * spellings), and `reservedNames`: the hosts of CA and Autocert, and what the props add. A running program adds the API
 * server's address as its pod was told it (`KUBERNETES_SERVICE_HOST`); admission policies know only what synth knew.
 * A wildcard name that stands for a reserved one is reserved, too, and so is a URI with a reserved host.
 * @module
 */
import { isIPv4 } from 'node:net';
import type { PolicyConfig } from '../contract.ts';
import { hostOfUri, type SubjectName } from './names.ts';
import { clusterZones, isTopLevel } from './own-names.ts';
import { isWild, type PatternSet, patternProblem, patternSet } from './patterns.ts';

/** What decides on what is reserved. */
export type ReservedPolicy = Pick<PolicyConfig, 'namespace' | 'clusterDomain' | 'reservedNames'>;

/** Those of the cluster and of Autocert. */
const alwaysExcluded = ({ namespace }: Pick<PolicyConfig, 'namespace'>) => ['kube-system', namespace];

/** The namespaces whose pods get nothing, in order: those of the cluster and of Autocert whatever the list says. */
export function excludedNamespaces(policy: Pick<PolicyConfig, 'namespace' | 'excludedNamespaces'>): readonly string[] {
  return [...new Set([...alwaysExcluded(policy), ...policy.excludedNamespaces])].sort();
}

/** Whether the pods of a namespace get nothing. */
export function isExcluded(policy: Pick<PolicyConfig, 'namespace' | 'excludedNamespaces'>, namespace: string): boolean {
  return alwaysExcluded(policy).includes(namespace) || policy.excludedNamespaces.includes(namespace);
}

/** Patterns of the reserved names. */
export function reservedPatterns({ namespace, clusterDomain, reservedNames }: ReservedPolicy): readonly string[] {
  const zones = clusterZones(clusterDomain).map((zone) => `**.${namespace}.${zone}`);
  // A name of the Internet may be a pod's for good reason; the two hosts are listed.
  const short = isTopLevel(namespace, clusterDomain) ? [] : [`**.${namespace}`];
  const api = ['', '.default', '.default.svc', `.default.svc.${clusterDomain}`].map((end) => `kubernetes${end}`);
  return [...new Set([...zones, ...short, ...api, ...reservedNames])];
}

/** One set of patterns for each policy that there is. */
const sets = new WeakMap<ReservedPolicy, PatternSet>();

function reservedSet(policy: ReservedPolicy): PatternSet {
  let set = sets.get(policy);
  if (!set) {
    set = patternSet(reservedPatterns(policy));
    sets.set(policy, set);
  }
  return set;
}

/** Whether a name is reserved, stands for a reserved one, or is a URI with a reserved host. */
export function isReserved(name: SubjectName, policy: ReservedPolicy): boolean {
  const host = name.kind === 'uri' ? hostOf(name.value) : name;
  return host !== undefined && reservedSet(policy).touches(host);
}

/** Whether a pattern gives nothing, since all of its names are reserved. It is a right pattern. */
export function isPatternReserved(pattern: string, policy: ReservedPolicy): boolean {
  const address = patternSet([pattern]);
  if (pattern.includes('://')) return isReserved({ kind: 'uri', value: pattern }, policy);
  if (address.matches({ kind: 'ip', value: pattern })) return isReserved({ kind: 'ip', value: pattern }, policy);
  const labels = pattern.split('.').map((label, index) => (isWild(label) ? (index === 0 ? '*' : 'x') : label));
  return reservedSet(policy).matches({ kind: 'dns', value: labels.join('.') });
}

/** The policy with the API server's address, where that is one that can be in a certificate. */
export function reservingApiServer<P extends ReservedPolicy>(policy: P, host: string | undefined): P {
  if (host === undefined || patternProblem(host) !== undefined) return policy;
  return { ...policy, reservedNames: [...policy.reservedNames, host] };
}

function hostOf(uri: string): SubjectName | undefined {
  const host = hostOfUri(uri);
  return host === undefined ? undefined : { kind: isIPv4(host) ? 'ip' : 'dns', value: host };
}
