/**
 * What makes a policy of names and lifetimes a right one.
 * @module
 */
import type { NamespaceLabel, PolicyConfig } from '../contract.ts';
import {
  asText,
  type Check,
  Faults,
  flag,
  list,
  mapOf,
  object,
  optional,
  type Shape,
  shown,
  text,
  wanted,
} from '../lib/validator.ts';
import { parseDuration } from './duration.ts';
import { hostProblem, parseName } from './names.ts';
import { labelProblem } from './namespace-label.ts';
import { clusterDomainProblem, reachProblem } from './own-names.ts';
import { patternProblem } from './patterns.ts';

const duration = asText('a duration, such as "24h"', (value) => {
  if (parseDuration(value) <= 0) throw wanted('a duration longer than nothing', value);
});

const clusterDomain = asText('a DNS domain', (value) => {
  const problem = value === '' ? 'it is empty' : (hostProblem(value, false) ?? clusterDomainProblem(value));
  if (problem) throw new Error(`${wanted('a DNS domain', value).message}: ${problem}`);
});

/** A name that a certificate can carry. */
export const subjectName = asText('a host name or IP address', parseName);

const PATTERN = 'a pattern of names, such as "*.example.com"';
const pattern = asText(PATTERN, (value) => {
  const problem = patternProblem(value);
  if (problem) throw new Error(`${wanted(PATTERN, value).message}: ${problem}`);
});

/** Strict, since a misspelt key would turn Autocert on elsewhere. */
const namespaceLabel: Check = (value) => {
  object({ key: text, value: text }, { strict: true })(value);
  const problem = labelProblem(value as NamespaceLabel);
  if (problem) throw new Error(`got ${shown(value)}, but ${problem}`);
};

/** Settings of a {@link PolicyConfig}. */
export const POLICY: Shape = {
  namespace: text,
  clusterDomain,
  reservedNames: list(pattern),
  shortNames: optional(flag),
  defaultDuration: duration,
  minDuration: duration,
  maxDuration: duration,
  namespaceLabel: optional(namespaceLabel),
  excludedNamespaces: list(text),
  namespaces: mapOf(
    object(
      {
        allowedNames: optional(list(pattern)),
        maxDuration: optional(duration),
        serviceAccounts: optional(mapOf(object({ allowedNames: list(pattern) }, { strict: true }))),
      },
      { strict: true },
    ),
  ),
  issuanceEvents: optional(flag),
};

/** No pattern stands for names of namespaces that it does not name. */
const grantsInReach: Check = (value) => {
  const { clusterDomain: domain, namespaces } = value as PolicyConfig;
  const faults = Object.entries(namespaces).flatMap(([name, { allowedNames = [], serviceAccounts = {} }]) => {
    const lists = Object.entries(serviceAccounts).map(
      ([account, rules]) => [`.serviceAccounts.${account}`, rules.allowedNames] as const,
    );
    return [['', allowedNames] as const, ...lists].flatMap(([path, patterns]) =>
      patterns.flatMap((given, index) => {
        const problem = reachProblem(given, domain);
        return problem ? [`namespaces.${name}${path}.allowedNames[${index}]: got ${shown(given)}, but ${problem}`] : [];
      }),
    );
  });
  if (faults.length > 0) throw new Faults(faults);
};

/** min ≤ default ≤ max, and no namespace's maximum below the CA's minimum, where no certificate could be issued. */
const durationsInOrder: Check = (value) => {
  const policy = value as PolicyConfig;
  const [min, usual, max] = [policy.minDuration, policy.defaultDuration, policy.maxDuration].map(parseDuration);
  const faults: string[] = [];
  const order = (path: string, given: string, ok: boolean, what: string) => {
    if (!ok) faults.push(`${path}: must be ${what}, got ${shown(given)}`);
  };
  if (min === undefined || usual === undefined || max === undefined) return;
  order('maxDuration', policy.maxDuration, min <= max, `at least minDuration (${policy.minDuration})`);
  order(
    'defaultDuration',
    policy.defaultDuration,
    min <= usual && usual <= max,
    `between minDuration and maxDuration (${policy.minDuration} to ${policy.maxDuration})`,
  );
  for (const [name, { maxDuration }] of Object.entries(policy.namespaces)) {
    if (maxDuration === undefined) continue;
    order(
      `namespaces.${name}.maxDuration`,
      maxDuration,
      parseDuration(maxDuration) >= min,
      `at least minDuration (${policy.minDuration})`,
    );
  }
  if (faults.length > 0) throw new Faults(faults);
};

/** What has to hold among the settings, once each has its {@link POLICY shape}. */
export const POLICY_CHECKS: readonly Check[] = [durationsInOrder, grantsInReach];
