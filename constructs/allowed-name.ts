/**
 * The patterns of names that props take, checked at synth by the same code as the webhook's when it reads them.
 * @module
 */
import { isUri } from '../runtime/policy/names.ts';
import { reachProblem } from '../runtime/policy/own-names.ts';
import { patternProblem } from '../runtime/policy/patterns.ts';
import { isPatternReserved, type ReservedPolicy } from '../runtime/policy/reserved-names.ts';
import { type Check, refuse } from './validation.ts';

const ADDRESSES = 'IP addresses, CIDR blocks ("10.1.0.0/16")';
const NAMES = 'it takes DNS names with "*" for one label and "**", once, for one or more ("*.shop.example.com"), ';
const GRANTED = `${NAMES}${ADDRESSES} or URIs ("spiffe://example.com/shop/*")`;
const RESERVED = `${NAMES}${ADDRESSES.replace(', ', ' and ')}`;

/** Checks a pattern that pods are to be granted: also, that it is not of names that are others'. */
export function checkAllowedName(policy: ReservedPolicy): Check<string> {
  return (prop, given) => {
    const pattern = checkPattern(GRANTED)(prop, given);
    if (isPatternReserved(pattern, policy)) {
      return refuse(prop, pattern, 'these names are reserved to the cluster (CA, Autocert, API server, reservedNames)');
    }
    const problem = reachProblem(pattern, policy.clusterDomain);
    return problem === undefined ? pattern : refuse(prop, pattern, problem);
  };
}

/** Checks a pattern that no pod is to be granted. A URI is reserved by its host. */
export function checkReservedName(prop: string, given: unknown): string {
  const pattern = checkPattern(RESERVED)(prop, given);
  return isUri(pattern) ? refuse(prop, pattern, RESERVED) : pattern;
}

function checkPattern(wanted: string): Check<string> {
  return (prop, pattern) => {
    if (typeof pattern !== 'string' || pattern === '') return refuse(prop, pattern, wanted);
    const problem = patternProblem(pattern);
    return problem === undefined ? pattern : refuse(prop, pattern, `${problem} (${wanted})`);
  };
}
