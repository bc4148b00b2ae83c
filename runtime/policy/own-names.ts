/**
 * Which names the cluster's DNS gives to a namespace, and which patterns reach into those of others.
 * @module
 */
import type { PolicyConfig } from '../contract.ts';
import { isWild } from './patterns.ts';
import { isTopLevelDomain } from './top-level-domains.ts';

/** What decides on a namespace's own names. */
export type OwnNamesPolicy = Pick<PolicyConfig, 'clusterDomain' | 'shortNames'>;

/** The ends of a cluster's names behind the namespace. */
export function clusterZones(clusterDomain: string): readonly string[] {
  return ['svc', `svc.${clusterDomain}`, `pod.${clusterDomain}`];
}

/** Whether `<service>.<namespace>` is a name of the namespace: not where it may be a name of the Internet as well. */
export function hasShortNames({ shortNames = true, clusterDomain }: OwnNamesPolicy, namespace: string): boolean {
  return shortNames && !isTopLevel(namespace, clusterDomain);
}

/** Whether a label is a top-level domain, of the Internet or of this cluster. */
export function isTopLevel(label: string, clusterDomain: string): boolean {
  return label === topLevelOf(clusterDomain) || isTopLevelDomain(label);
}

/** The last label. */
export function topLevelOf(domain: string): string {
  return domain.slice(domain.lastIndexOf('.') + 1);
}

/** Whether the cluster's DNS gives a host name to this namespace. */
export function isOwnName(name: string, namespace: string, policy: OwnNamesPolicy): boolean {
  const ends = clusterZones(policy.clusterDomain).map((zone) => `.${namespace}.${zone}`);
  if (ends.some((end) => name.length > end.length && name.endsWith(end))) return true;
  const [service = '', rest, ...more] = name.split('.');
  return service !== '' && rest === namespace && more.length === 0 && hasShortNames(policy, namespace);
}

/** All spellings of a pattern that is of one Service of this namespace in one of them; of any other: itself. */
export function spellingsOf(pattern: string, namespace: string, policy: OwnNamesPolicy): readonly string[] {
  if (/[:/]/.test(pattern)) return [pattern];
  const short = hasShortNames(policy, namespace);
  const ends = ['svc', `svc.${policy.clusterDomain}`].map((zone) => `.${namespace}.${zone}`);
  const found = [...ends, ...(short ? [`.${namespace}`] : [])].find((end) => pattern.endsWith(end));
  if (found === undefined) return [pattern];
  const service = pattern.slice(0, -found.length);
  const isShort = short && /^[^.]+$/.test(service) && service !== '**';
  if (service === '' || (found === `.${namespace}` && !isShort)) return [pattern];
  return [...ends.map((end) => service + end), ...(isShort ? [`${service}.${namespace}`] : [])];
}

/**
 * Why a pattern may not be granted in a cluster: it stands for names of namespaces that it does not name in full.
 * Beginning with "it"; `undefined`: it does not.
 */
export function reachProblem(pattern: string, clusterDomain: string): string | undefined {
  const labels = pattern.split('.');
  const zone = clusterZones(clusterDomain).find((each) => reachesInto(labels, each.split('.')));
  if (zone !== undefined) {
    return `it stands for names of other namespaces (<service>.<namespace>.${zone}); name one in full, such as "*.shop.${zone}"`;
  }
  const isOverDomain = ['*', '**'].some((wild) => pattern.endsWith(`${wild}.${clusterDomain}`));
  return isOverDomain ? `it is a wildcard over the cluster's domain, ${clusterDomain}` : undefined;
}

/** Whether a pattern matches a name in the zone without naming zone and namespace literally. */
function reachesInto(labels: readonly string[], zone: readonly string[]): boolean {
  const rest = [...labels];
  let isLiteral = true;
  for (const expected of zone.toReversed()) {
    const label = rest.pop();
    if (label === '**') return true;
    if (label !== '*' && label !== expected) return false;
    if (label === '*') isLiteral = false;
  }
  const namespace = rest.pop();
  if (namespace === undefined) return false;
  if (namespace === '**') return true;
  // One label in front of the zone is no name of a Service; but nobody means it.
  if (isLiteral) return isWild(namespace);
  return rest.length > 0;
}

/** What is wrong with the domain of a cluster, beginning with "it"; `undefined`: nothing. */
export function clusterDomainProblem(domain: string): string | undefined {
  if (topLevelOf(domain) !== 'svc') return undefined;
  return 'it ends in "svc", so that names of one namespace (pay.bank.svc) could be read as names of another';
}
