/**
 * What is found wrong, and what finds it.
 * @module
 */
import type { Facts } from './facts.ts';

/** `error`: pods get no certificates, or soon will not; `warning`: something to look at. */
export type Severity = 'error' | 'warning';

/** One thing that is wrong. */
export interface Finding {
  /** Id of the check that found it. */
  readonly check: string;
  /** `kind/name`, with `namespace/` in front where it is in another than Autocert's. */
  readonly object: string;
  readonly message: string;
  /** What to do, with the command where there is one. */
  readonly remedy: string;
  readonly severity: Severity;
}

/** What a check says: {@link Finding} without what the check itself is; `error` unless it says otherwise. */
export type Found = Omit<Finding, 'check' | 'severity'> & { readonly severity?: Severity };

/** Looks at facts for one kind of fault. Pure. */
export interface Check {
  /** Public: programs and the docs go by it. */
  readonly id: string;
  /** For people, such as `the clocks of nodes and API server`. */
  readonly looksAt: string;
  readonly find: (facts: Facts) => readonly Found[];
}

/** Findings of a check that are told; of more the number. */
const MAX_FINDINGS = 20;

/** What checks find, errors first. */
export function findingsOf(checks: readonly Check[], facts: Facts): Finding[] {
  const all = checks.flatMap(({ id, find }) => {
    const found = find(facts);
    const told = found.slice(0, MAX_FINDINGS).map((one): Finding => ({ severity: 'error', ...one, check: id }));
    const last = told.at(-1);
    if (!last || found.length === told.length) return told;
    return [...told.slice(0, -1), { ...last, message: `${last.message} (and ${found.length - told.length} more)` }];
  });
  return all.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
}
