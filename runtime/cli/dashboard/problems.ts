/**
 * What is wrong, with its remedy: what `autocert doctor` finds, and what the status shows by itself, which is looked at more
 * often. Pure.
 * @module
 */
import type { Finding } from '../doctor/finding.ts';
import type { Diagnosis } from '../doctor/run.ts';
import { daysUntil, endsSoon } from '../ends.ts';
import type { Installation } from '../observed/installation.ts';
import { isTroubled, type PodRow, type PodState } from './pod-rows.ts';

/** One of them. */
export type Problem = Pick<Finding, 'object' | 'message' | 'remedy' | 'severity'>;

/** Errors first, each object once: the doctor's word goes before ours. */
export function problemsOf(
  installation: Installation,
  pods: readonly PodRow[],
  diagnosis: Diagnosis | undefined,
  now: Date,
): Problem[] {
  const found: readonly Problem[] = diagnosis?.findings ?? [];
  const told = new Set(found.map(({ object }) => object));
  const seen = [...installationProblems(installation, now), ...podProblems(pods)];
  return [...found, ...seen.filter(({ object }) => !told.has(object))]
    .map(({ object, message, remedy, severity }) => ({ object, message, remedy, severity }))
    .toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'));
}

function installationProblems({ namespace, parts, roots, intermediates, registrations }: Installation, now: Date) {
  const problems: Problem[] = [];
  for (const { name, object, presence, ready = 0, wanted = 0 } of parts) {
    if (presence !== 'there' || ready >= wanted) continue;
    const message = `the ${name} is not ready: ${ready} of ${wanted} replicas`;
    // With one replica left everything goes on.
    const severity = ready === 0 ? 'error' : 'warning';
    problems.push({ object, message, remedy: `kubectl -n ${namespace} describe ${object}`, severity });
  }
  for (const { object, problem } of registrations) {
    if (problem === undefined) continue;
    problems.push({ object, message: problem, remedy: 'autocert doctor says why', severity: 'error' });
  }
  for (const kind of ['root', 'intermediate'] as const) {
    for (const { name, notAfter } of (kind === 'root' ? roots : intermediates) ?? []) {
      const days = daysUntil(notAfter, now);
      if (!endsSoon(kind, days)) continue;
      const message = days < 0 ? `the ${kind} has expired` : `the ${kind} expires in ${days} days`;
      const remedy = `autocert pki status -n ${namespace} says what to do; docs/pki.md`;
      problems.push({ object: `${kind} ${name}`, message, remedy, severity: days < 0 ? 'error' : 'warning' });
    }
  }
  return problems;
}

const PER_POD: Readonly<Partial<Record<PodState, string>>> = {
  expired: 'its certificate has expired',
  failing: 'it gets no certificate',
  late: 'its certificate should have been renewed by now',
};

function podProblems(pods: readonly PodRow[]): Problem[] {
  const [missing, others] = [pods.filter(({ state }) => state === 'missing'), pods.filter(isTroubled)];
  return [
    ...[...Map.groupBy(missing, ({ namespace }) => namespace)].map(([namespace, group]): Problem => {
      const [first] = group;
      const which = group.length === 1 ? `pod ${first?.name} asks` : `${group.length} pods (${first?.name}, …) ask`;
      return {
        object: `namespace/${namespace}`,
        message: `${which} for a certificate, and no agent was injected`,
        remedy: `autocert explain pod/${first?.name} -n ${namespace} says why; then restart the workload`,
        severity: 'error',
      };
    }),
    ...others.flatMap(({ namespace, name, state, reason }): Problem[] => {
      const words = PER_POD[state];
      if (words === undefined) return [];
      return [
        {
          object: `${namespace}/pod/${name}`,
          message: reason === undefined ? words : `${words}: ${reason}`,
          remedy: `kubectl -n ${namespace} describe pod ${name}; autocert explain pod/${name} -n ${namespace}`,
          severity: state === 'late' ? 'warning' : 'error',
        },
      ];
    }),
  ];
}
