/**
 * Which names a pod may have. The one answer that admission, certificate endpoint and signer all give;
 * `constructs/cel.ts` says the same in CEL, and a test compares the two. In this order:
 * 1. A reserved name is nobody's (`reserved-names.ts`).
 * 2. A name that its namespace's `serviceAccounts` list for the pod's account is the pod's.
 * 3. A name that they list for any account is nobody else's, nor is a wildcard name that stands for it.
 * 4. The namespace's own names are its pods': `**.ns.svc`, `**.ns.svc.<domain>`, `**.ns.pod.<domain>` (`**` stands for one
 *    or more labels), and `<service>.ns` where `ns` is no top-level domain (`own-names.ts`).
 * 5. So is what `allowedNames` has (`patterns.ts`). No IP address and no URI is allowed without: a pod's address goes to
 *    another pod later.
 * @module
 */
import type { NamespacePolicy, PolicyConfig } from '../contract.ts';
import { quoteName, type SubjectName } from './names.ts';
import { clusterZones, hasShortNames, isOwnName, type OwnNamesPolicy } from './own-names.ts';
import { patternSet } from './patterns.ts';
import { isReserved, type ReservedPolicy } from './reserved-names.ts';

/** Who asks for a name, and what decides. */
export interface NameScope {
  readonly namespace: string;
  /** The account that the pod runs as. */
  readonly serviceAccount: string;
  readonly policy: ReservedPolicy & OwnNamesPolicy & Pick<PolicyConfig, 'namespaces'>;
}

/** Names that no cluster gives to anybody. */
export const RESERVED =
  'is reserved to the cluster (CA, Autocert, API server), or stands for a name that is: no pod gets it';

const NONE: readonly string[] = [];

/** What an AutocertNamespace says of a namespace. */
export function rulesOf({ namespaces }: Pick<PolicyConfig, 'namespaces'>, namespace: string): NamespacePolicy {
  return (Object.hasOwn(namespaces, namespace) && namespaces[namespace]) || {};
}

/** Why a name is refused: which, why, and what would allow it. `undefined`: it is allowed. */
export function nameRefusal(name: SubjectName, scope: NameScope): string | undefined {
  const { namespace, serviceAccount, policy } = scope;
  if (isReserved(name, policy)) return `${quoteName(name.value)} ${RESERVED}`;
  const { allowedNames = NONE, serviceAccounts = {} } = rulesOf(policy, namespace);
  const own = Object.hasOwn(serviceAccounts, serviceAccount) ? serviceAccounts[serviceAccount] : undefined;
  if (own && patternSet(own.allowedNames).matches(name)) return undefined;
  if (Object.values(serviceAccounts).some((account) => patternSet(account.allowedNames).touches(name))) {
    return `${quoteName(name.value)} is bound to other service accounts of namespace ${quoteName(namespace)} than ${quoteName(serviceAccount)}, as which the pod runs, or stands for a name that is`;
  }
  if (name.kind === 'dns' && isOwnName(name.value, namespace, policy)) return undefined;
  if (patternSet(allowedNames).matches(name)) return undefined;
  return `${quoteName(name.value)} is not a name that pods of namespace ${quoteName(namespace)} may have: ${whatIsAllowed(name, scope)}`;
}

/** Patterns are not listed: the webhook cannot tell who asks. */
function whatIsAllowed(name: SubjectName, { namespace, policy }: NameScope): string {
  const zones = clusterZones(policy.clusterDomain).map((zone) => `*.${namespace}.${zone}`);
  const own = [...zones, ...(hasShortNames(policy, namespace) ? [`<service>.${namespace}`] : [])].join(', ');
  const kind = { dns: '', ip: ' (no IP address by default)', uri: ' (no URI by default)' }[name.kind];
  return `allowed are ${own}${kind}, and what whoever runs the cluster allows by allowedNames of this namespace's AutocertNamespace`;
}
