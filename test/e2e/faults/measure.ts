/**
 * Lets one fault happen and looks at what comes of it.
 * @module
 */

import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { messageOf } from '../../../runtime/lib/errors.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { readFiles } from '../certificates.ts';
import type { DeliveryName, Started } from '../prober.ts';
import type { Course, Fault, Forced, Row } from './fault.ts';
import type { Lab } from './lab.ts';
import type { Load } from './load.ts';
import { FAULTS_NAMESPACE, RECOVERY_LIMIT_MS } from './settings.ts';

/** What goes on meanwhile, and must be as it was, whatever happens. */
export interface Unchanging {
  readonly load: Load;
  readonly rootFingerprint: string;
  /** Whether the CA still knows of a certificate that it was revoked. */
  readonly isStillRevoked: () => Promise<boolean>;
}

const LASTS_MS = 8_000;
/** At which pods are started meanwhile. */
const PACE = { everyMs: 3_000, most: 12 } as const;

/** Fingerprint of the root that the cluster tells everybody. */
export async function rootOf({ kubectl }: Pick<Lab, 'kubectl'>): Promise<string> {
  const map = await kubectl.json<{ data: Record<string, string> }>([
    ...['-n', SYSTEM, 'get', 'configmap', PkiObject.certificates],
  ]);
  return new X509Certificate(map.data[PkiFile.root] ?? '').fingerprint256;
}

/** Lets a fault happen. Fails only if the fault itself cannot be brought about: what it does to Autocert is in the row. */
export async function measure(
  lab: Lab,
  fault: Fault,
  deliveries: readonly DeliveryName[],
  { load, rootFingerprint, isStillRevoked }: Unchanging,
): Promise<Row> {
  const { prober } = lab.ports;
  await fault.prepare?.(lab);
  await lab.well(RECOVERY_LIMIT_MS);
  const restartsBefore = await load.restarts();
  const problems: string[] = [];
  const attempt = async <T>(what: Promise<T>): Promise<T | undefined> => {
    try {
      return await what;
    } catch (error) {
      problems.push(messageOf(error));
      return undefined;
    }
  };

  const begin = new Date();
  let course: Course | undefined;
  const lastsMs = fault.lastsMs ?? LASTS_MS;
  const probes = prober.keepStarting({ ...PACE, limitMs: lastsMs + RECOVERY_LIMIT_MS });
  let end = begin.getTime();
  let recovered: Readonly<Record<string, number>> | undefined;
  let started: readonly (Started | Error)[] = [];
  try {
    course = await fault.inject(lab);
    if (course?.end !== undefined) {
      await sleep(Math.max(0, begin.getTime() + lastsMs - Date.now()));
      await course.end();
      end = Date.now();
    }
    const deadline = Date.now() + RECOVERY_LIMIT_MS;
    const fresh = deliveries.map(async (delivery) => {
      const made = await prober.start(delivery, deadline);
      const at = Date.now();
      if (!made.injected) throw new Error(`a fresh pod with ${delivery} delivery has no certificate`);
      const { root } = await readFiles(lab.kubectl, FAULTS_NAMESPACE, made.pod.metadata.name, 'main');
      if (root.fingerprint256 !== rootFingerprint)
        throw new Error(`a fresh pod with ${delivery} delivery has another root`);
      await prober.end(made.pod.metadata.name);
      return at;
    });
    const times = await Promise.all([...fresh, lab.well(RECOVERY_LIMIT_MS)].map(attempt));
    recovered = Object.fromEntries(
      [...deliveries, 'parts'].map((name, index) => [name, ((times[index] ?? Number.NaN) - end) / 1000]),
    );
  } finally {
    started = await probes.stop();
    if (recovered === undefined) await course?.afterwards?.().catch(() => undefined);
  }

  const isForced = (what: Forced) => fault.forces?.includes(what) === true;
  const times = started.flatMap((one) => {
    if (one instanceof Error) problems.push(one.message);
    else if (one.injected) return [one.ms];
    else if (!isForced('injection')) problems.push('a pod started without a certificate');
    return [];
  });
  const traffic = (await attempt(load.trafficSince(begin))) ?? { failed: Number.NaN, gap: Number.NaN };
  if (!isForced('requests')) {
    if (traffic.failed > 0) problems.push(`${traffic.failed} requests between running pods failed`);
    const restarts = (await load.restarts()) - restartsBefore;
    if (restarts > 0 && !isForced('restarts')) problems.push(`${restarts} containers of running pods were restarted`);
  }
  problems.push(...((await attempt(load.problems(rootFingerprint))) ?? []));
  if ((await attempt(rootOf(lab))) !== rootFingerprint) problems.push('the root is another one');
  if ((await attempt(isStillRevoked())) === false) problems.push('the CA has forgotten a revocation');
  await attempt(course?.afterwards?.() ?? Promise.resolve());
  return {
    fault,
    longestStart: Math.max(0, ...times) / 1000,
    failedRequests: traffic.failed,
    gap: traffic.gap,
    recovery: Math.max(...Object.values(recovered)),
    recoveries: recovered,
    problems: [...new Set(problems)],
    notes: lab.takeNotes(),
  };
}
