/**
 * The patterns of `allowedNames`, checked at synth by the same code as the webhook's when it reads them.
 * @module
 */
import { patternProblem } from '../runtime/policy/name-policy.ts';
import { refuse } from './validation.ts';

const WANTED =
  'it takes DNS names with "*" for one label and "**", once, for one or more ("*.shop.example.com"), IP addresses, ' +
  'CIDR blocks ("10.1.0.0/16") or URIs ("spiffe://example.com/shop/*")';

/** Checks one pattern; anything else than what the webhook takes is refused. */
export function checkAllowedName(prop: string, pattern: unknown): string {
  if (typeof pattern !== 'string' || pattern === '') return refuse(prop, pattern, WANTED);
  const problem = patternProblem(pattern);
  return problem === undefined ? pattern : refuse(prop, pattern, `${problem} (${WANTED})`);
}
