/**
 * Which names a pod may have, in CEL: the rules of `runtime/policy/name-policy.ts`, for the admission policies.
 *
 * They know what synth knew. What a running program learns, the API server's own address, is refused at admission by the
 * webhook, and with the policy injector by the signer.
 * @module
 */
import { isIP } from 'node:net';
import type { PolicyConfig } from '../runtime/contract.ts';
import { MAX_DNS, MAX_URI } from '../runtime/policy/names.ts';
import { topLevelOf } from '../runtime/policy/own-names.ts';
import { escaped, FIRST_LABEL, isAddressPattern, LABEL, patternExpression } from '../runtime/policy/patterns.ts';
import { reservedPatterns } from '../runtime/policy/reserved-names.ts';
import { TOP_LEVEL_DOMAINS, TOP_LEVEL_FORM } from '../runtime/policy/top-level-domains.ts';
import { CEL_NAMESPACE, celList, celLookup, celText } from './cel.ts';

/** What an admission policy has to know to say which names a pod may have. */
export interface CelNames {
  /** They need a variable `spec`, the pod's. */
  readonly variables: Readonly<Record<string, string>>;
  /** Expressions on the variable `name`, a string: whether it is allowed, reserved, bound to service accounts. */
  readonly allowed: string;
  readonly reserved: string;
  readonly bound: string;
}

/** Longest name: URIs have a colon. An IPv6 address is shorter than either. */
const MAX_NAME = `(name.contains(":") ? ${MAX_URI} : ${MAX_DNS})`;

/**
 * Makes variables and expressions. Only where an address is allowed they need the CEL functions on addresses, which
 * Kubernetes has from 1.31 on.
 */
export function celNames(policy: PolicyConfig): CelNames {
  const rules = Object.entries(policy.namespaces);
  const accounts = rules.flatMap(([namespace, { serviceAccounts = {} }]) =>
    Object.entries(serviceAccounts).map(([account, { allowedNames }]) => ({ namespace, account, allowedNames })),
  );
  const boundIn = (namespace: string) =>
    accounts.filter((each) => each.namespace === namespace).flatMap((each) => each.allowedNames);
  const tables = {
    granted: Object.fromEntries(accounts.map((each) => [`${each.namespace}/${each.account}`, each.allowedNames])),
    bound: Object.fromEntries(rules.map(([namespace]) => [namespace, boundIn(namespace)])),
    allowed: Object.fromEntries(rules.map(([namespace, { allowedNames = [] }]) => [namespace, allowedNames])),
  };
  const addresses = Object.values({ ...tables.granted, ...tables.allowed })
    .flat()
    .some(isAddressPattern);
  const reserved = reservedTest(reservedPatterns(policy), addresses);
  const granted = tableTest('granted', tables.granted, `${CEL_NAMESPACE} + "/" + variables.account`, addresses);
  const bound = tableTest('bound', tables.bound, CEL_NAMESPACE, addresses);
  const allowed = tableTest('allowed', tables.allowed, CEL_NAMESPACE, addresses);
  const free = `(name.matches(variables.own) || ${allowed.test})`;
  return {
    variables: {
      account: '[string(variables.spec.?serviceAccountName.orValue("")), "default"].filter(account, account != "")[0]',
      ...ownNames(policy),
      ...reserved.variables,
      ...granted.variables,
      ...bound.variables,
      ...allowed.variables,
    },
    allowed: `name.size() <= ${MAX_NAME} && !${reserved.test} && (${granted.test} || !${bound.test} && ${free})`,
    reserved: reserved.test,
    bound: bound.test,
  };
}

/** The names that the cluster's DNS gives to a namespace, as a regular expression. */
function ownNames(policy: PolicyConfig): Record<'shortNames' | 'own', string> {
  const labels = `${FIRST_LABEL}(\\.${LABEL})*\\.`;
  const domain = escaped(policy.clusterDomain);
  const topLevel = celList([...TOP_LEVEL_DOMAINS, topLevelOf(policy.clusterDomain)]);
  const isTopLevel = `${CEL_NAMESPACE}.matches(${celText(TOP_LEVEL_FORM)}) || ${CEL_NAMESPACE} in ${topLevel}`;
  return {
    shortNames: policy.shortNames === false ? 'false' : `!(${isTopLevel})`,
    own: [
      celText(`^(${labels}`),
      CEL_NAMESPACE,
      celText(`\\.svc(\\.${domain})?|${labels}`),
      CEL_NAMESPACE,
      celText(`\\.pod\\.${domain}`),
      `(variables.shortNames ? ${celText(`|${FIRST_LABEL}\\.`)} + ${CEL_NAMESPACE} : "")`,
      celText(')$'),
    ].join(' + '),
  };
}

/** A set of patterns: the variables it is in, and an expression of whether the variable `name` is in it. */
interface SetTest {
  readonly variables: Readonly<Record<string, string>>;
  readonly test: string;
}

/** The host of a URI counts as well. */
function reservedTest(patterns: readonly string[], addresses: boolean): SetTest {
  const expression = `^([a-z][a-z0-9+.-]*://)?(${expressionOf(patterns, true)})(:[0-9]{1,5})?(/.*)?$`;
  const blocks = addresses ? blocksOf(patterns) : '';
  return setTest('reserved', celText(expression), blocks === '' ? undefined : celText(blocks));
}

/**
 * A set for each key of a table. What is bound is bound as part of what a wildcard name stands for, too.
 * @param key an expression
 */
function tableTest(
  variable: 'granted' | 'bound' | 'allowed',
  table: Readonly<Record<string, readonly string[]>>,
  key: string,
  addresses: boolean,
): SetTest {
  const lookup = (textOf: (patterns: readonly string[]) => string, otherwise: string) => {
    const rows = Object.entries(table).map(([row, patterns]) => [row, textOf(patterns)] as const);
    const some = Object.fromEntries(rows.filter(([, text]) => text !== ''));
    return Object.keys(some).length === 0 ? undefined : celLookup(some, key, celText(otherwise));
  };
  const expression = (patterns: readonly string[]) => {
    const text = expressionOf(patterns, variable === 'bound');
    return text === '' ? '' : `^(${text})$`;
  };
  return setTest(variable, lookup(expression, NO_MATCH), addresses ? lookup(blocksOf, '') : undefined);
}

/** `expression`: a regular expression; `blocks`: CIDR blocks with commas between them; each a CEL expression, or none. */
function setTest(variable: string, expression: string | undefined, blocks: string | undefined): SetTest {
  const list = `variables.${variable}Blocks.split(",")`;
  const inBlock = `(isIP(name) && ${list}.exists(block, block != "" && cidr(block).containsIP(ip(name))))`;
  const tests = [
    ...(expression === undefined ? [] : [`name.matches(variables.${variable})`]),
    ...(blocks === undefined ? [] : [inBlock]),
  ];
  return {
    variables: {
      ...(expression !== undefined && { [variable]: expression }),
      ...(blocks !== undefined && { [`${variable}Blocks`]: blocks }),
    },
    test: tests.length === 0 ? 'false' : `(${tests.join(' || ')})`,
  };
}

/** A regular expression that nothing matches. */
const NO_MATCH = '$.';

function expressionOf(patterns: readonly string[], touching: boolean): string {
  const names = patterns.filter((pattern) => !isAddressPattern(pattern));
  return names.map((pattern) => patternExpression(pattern, touching)).join('|');
}

function blocksOf(patterns: readonly string[]): string {
  return patterns.filter(isAddressPattern).map(blockOf).join(',');
}

function blockOf(address: string): string {
  return address.includes('/') ? address : `${address}/${isIP(address) === 4 ? 32 : 128}`;
}
