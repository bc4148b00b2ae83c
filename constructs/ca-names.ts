/**
 * Which names step-ca signs for the provisioner `autocert`, from the policy of all namespaces: what no namespace may have,
 * nobody gets who has the provisioner's password. Which namespace asks step-ca cannot tell, so here the names of all are
 * one set. Pure.
 * @module
 */
import type { CaNameRules, NamespacePolicy, PolicyConfig } from '../runtime/contract.ts';
import { addressDigits, blockExpression } from '../runtime/policy/address-digits.ts';
import { hostOfUri, isUri } from '../runtime/policy/names.ts';
import { clusterZones, topLevelOf } from '../runtime/policy/own-names.ts';
import { escaped, isAddressPattern, LENIENT, patternExpression } from '../runtime/policy/patterns.ts';
import { excludedNamespaces, reservedPatterns } from '../runtime/policy/reserved-names.ts';
import { TOP_LEVEL_DOMAINS, TOP_LEVEL_FORM } from '../runtime/policy/top-level-domains.ts';

/** What the rules are made from. */
export interface CaNamesInput {
  readonly policy: PolicyConfig;
  /** Host names of Autocert itself, which the provisioner signs. */
  readonly servingNames: readonly string[];
  /** Patterns of names that it signs besides. */
  readonly more: readonly string[];
  /** Names that the intermediate may sign; `undefined`: any. */
  readonly permitted: readonly string[] | undefined;
}

const { label: LABEL } = LENIENT;
const SCHEME = '[a-z][a-z0-9+.-]*';

/** See the module. */
export function caNameRules({ policy, servingNames, more, permitted }: CaNamesInput): CaNameRules {
  const granted = sorted([...new Set([...Object.values(policy.namespaces).flatMap(grantsOf), ...more])]);
  const reserved = sorted(reservedPatterns(policy));
  const { clusterDomain, shortNames = true } = policy;
  const zones = `[.](${clusterZones(clusterDomain).map(escaped).join('|')})`;
  const hosts = reserved.dns.map((pattern) => expression(pattern));
  return {
    own: servingNames,
    neverDns: whole(reserved.dns.map((pattern) => expression(pattern, true))),
    patterns: spaced(granted.dns.filter(isSimple)),
    dns: whole(granted.dns.filter((pattern) => !isSimple(pattern)).map((pattern) => expression(pattern))),
    // Of a Service, of a pod of it, of whatever else the cluster's DNS has of a namespace.
    clusterDns: whole([`${LABEL}([.]${LABEL})*[.]${LABEL}${zones}`]),
    notClusterDns: whole([`.*[.](${excludedNamespaces(policy).map(escaped).join('|')})(${zones})?`]),
    // A name constraint can permit a domain, and not all names of two labels.
    shortDns: shortNames && permitted === undefined ? whole([`${LABEL}[.]${LABEL}`]) : [],
    notShortDns: whole([`${LABEL}[.]${TOP_LEVEL}`]),
    topLevel: spaced([...TOP_LEVEL_DOMAINS, topLevelOf(clusterDomain)]),
    neverIp: reserved.ip.map(blockExpression),
    ip: granted.ip.map(blockExpression),
    neverUri: [`^${SCHEME}://(${[...hosts, ...reserved.ip.map(escaped)].join('|')})(:[0-9]+)?(/.*)?$`],
    uri: whole(granted.uri.map((pattern) => expression(pattern))),
  };
}

/**
 * The patterns of `allowedNames`, each with its namespace, of which no name can be signed since the intermediate's name
 * constraints do not permit them. An address of a block that is permitted in part is not looked at.
 */
export function unpermitted(
  policy: Pick<PolicyConfig, 'namespaces'>,
  permitted: readonly string[],
): readonly (readonly [string, string])[] {
  const isBelow = (host: string) => permitted.some((domain) => host === domain || host.endsWith(`.${domain}`));
  const blocks = permitted.filter(isAddressPattern).map((block) => new RegExp(blockExpression(block)));
  const isPermitted = (pattern: string) => {
    if (isAddressPattern(pattern)) {
      const digits = addressDigits(pattern.split('/')[0] ?? '');
      return blocks.some((block) => block.test(digits));
    }
    if (pattern.startsWith('urn:')) return false;
    return isBelow(hostOfUri(pattern) ?? pattern);
  };
  return Object.entries(policy.namespaces).flatMap(([namespace, rules]) =>
    grantsOf(rules).flatMap((pattern) => (isPermitted(pattern) ? [] : [[namespace, pattern] as const])),
  );
}

/** Names of a top-level domain by their form, without the anchors. */
const TOP_LEVEL = TOP_LEVEL_FORM.slice(1, -1);

function grantsOf({ allowedNames = [], serviceAccounts = {} }: NamespacePolicy): readonly string[] {
  return [...allowedNames, ...Object.values(serviceAccounts).flatMap(grantsOf)];
}

function sorted(patterns: readonly string[]) {
  const ip = patterns.filter(isAddressPattern);
  const uri = patterns.filter(isUri);
  return { dns: patterns.filter((pattern) => !isUri(pattern) && !isAddressPattern(pattern)), ip, uri };
}

/** step-ca reads it anew for each request; what is no label in one of the names was refused before. */
const expression = (pattern: string, touching = false) => patternExpression(pattern, touching, LENIENT);

/** Whether its only wildcard, if it has one, is in front. */
const isSimple = (pattern: string) => !pattern.slice(pattern.indexOf('.')).includes('*');

/** Each between two spaces. */
const spaced = (texts: readonly string[]) => ` ${texts.join(' ')} `;

/** All of them as one, which is read once; none, if there are none. */
function whole(expressions: readonly string[]): readonly string[] {
  return expressions.length === 0 ? [] : [`^(${expressions.join('|')})$`];
}
