/**
 * What makes a policy of names and lifetimes a right one.
 * @module
 */
import type { PolicyConfig } from '../contract.ts';
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
import { patternProblem } from './name-policy.ts';
import { hostProblem, parseName } from './names.ts';

const duration = asText('a duration, such as "24h"', (value) => {
  if (parseDuration(value) <= 0) throw wanted('a duration longer than nothing', value);
});

const hostName = asText('a host name', (value) => {
  const problem = value === '' ? 'it is empty' : hostProblem(value, false);
  if (problem) throw new Error(`${wanted('a host name', value).message}: ${problem}`);
});

/** A name that a certificate can carry. */
export const subjectName = asText('a host name or IP address', parseName);

const PATTERN = 'a pattern of names, such as "*.example.com"';
const pattern = asText(PATTERN, (value) => {
  const problem = patternProblem(value);
  if (problem) throw new Error(`${wanted(PATTERN, value).message}: ${problem}`);
});

/** Settings of a {@link PolicyConfig}. */
export const POLICY: Shape = {
  clusterDomain: hostName,
  defaultDuration: duration,
  minDuration: duration,
  maxDuration: duration,
  excludedNamespaces: list(text),
  namespaces: mapOf(
    object({ allowedNames: optional(list(pattern)), maxDuration: optional(duration) }, { strict: true }),
  ),
  issuanceEvents: optional(flag),
};

/** min ≤ default ≤ max, and no namespace's maximum below the CA's minimum, where no certificate could be issued. */
export const durationsInOrder: Check = (value) => {
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
