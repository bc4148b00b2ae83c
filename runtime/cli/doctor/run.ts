/**
 * `autocert doctor`: what is wrong, and what to do. Reads only.
 * @module
 */
import { stringify } from 'yaml';
import { AutocertError } from '../../lib/errors.ts';
import type { Connection } from '../cluster-connection.ts';
import { Look } from '../observed/look.ts';
import type { OtherPods } from '../observed/other-pods.ts';
import { checkNamespaceName } from '../rights.ts';
import type { Paint } from '../terminal.ts';
import { CHECKS } from './checks.ts';
import type { Facts } from './facts.ts';
import { type Finding, findingsOf } from './finding.ts';
import { gather } from './gather.ts';
import { diagnosisText } from './text.ts';

/** Flags of `autocert doctor`. */
export interface DoctorOptions {
  readonly output: 'table' | 'json' | 'yaml';
  /** Namespace of Autocert itself. */
  readonly autocertNamespace: string;
}

/** What it has to do with the rest of the world. */
export interface DoctorEffects {
  readonly connect: () => Connection;
  readonly now: () => Date;
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly paint: Paint;
}

/** What was found. */
export interface Diagnosis {
  readonly namespace: string;
  /** Whether nothing was found wrong. */
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  /** A line each. */
  readonly notLookedAt: readonly string[];
  /** Pods that are another installation's, and were not looked at for that. */
  readonly others: readonly OtherPods[];
}

/**
 * Looks at a cluster.
 * @param namespace of Autocert
 * @throws AutocertError `INVALID_INPUT` for the namespace; `INVALID_CONFIG`, `UNAVAILABLE`, `UNAUTHENTICATED` and
 * `FORBIDDEN` for the cluster
 */
export async function diagnose(
  namespace: string,
  { connect, now, monotonic }: Omit<DoctorEffects, 'paint'>,
): Promise<Diagnosis> {
  checkNamespaceName(namespace, '--autocert-namespace');
  const look = new Look(connect().api);
  const facts = await gather(look, namespace, now, monotonic);
  const { notLookedAt } = look;
  if (isBlind(facts)) {
    const message = `you may look at nothing that tells how Autocert is: ${notLookedAt.join('; ')}`;
    throw new AutocertError('FORBIDDEN', message);
  }
  const findings = findingsOf(CHECKS, facts);
  return { namespace, healthy: findings.length === 0, findings, notLookedAt, others: facts.otherPods };
}

/**
 * What {@link diagnose} finds, as text.
 * @throws AutocertError what that throws
 */
export async function doctor(
  { output, autocertNamespace }: DoctorOptions,
  { paint, ...effects }: DoctorEffects,
): Promise<{ readonly text: string; readonly healthy: boolean }> {
  const diagnosis = await diagnose(autocertNamespace, effects);
  const { healthy } = diagnosis;
  if (output === 'json') return { healthy, text: `${JSON.stringify(diagnosis, null, 2)}\n` };
  if (output === 'yaml') return { healthy, text: stringify(diagnosis, { lineWidth: 0 }) };
  return { healthy, text: diagnosisText(diagnosis, new Set(CHECKS.map(({ id }) => id)).size, paint) };
}

/** Nothing found would mean nothing. */
function isBlind({ configuration, systemPods, pods, webhooks }: Facts): boolean {
  return configuration.state === 'unknown' && !systemPods && !pods && !webhooks;
}
