/**
 * What the signer's log tells of its speed.
 * @module
 */
import { SYSTEM } from './installation.ts';
import type { Kubectl } from './kubectl.ts';

interface Line {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly pod: string;
  /** From watch event to status. */
  readonly ms: number;
}

/** Milliseconds that each certificate took for pods whose name starts with `prefix`, shortest first. */
export async function answerTimes(kubectl: Kubectl, prefix: string, since = 0): Promise<number[]> {
  const log = await kubectl.run(['-n', SYSTEM, 'logs', '-l', 'app=autocert-signer', '--tail=-1']);
  return log
    .split('\n')
    .filter((line) => line.includes('"result":"issued"'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ pod, time }) => pod.startsWith(prefix) && time >= since)
    .map(({ ms }) => ms)
    .sort((a, b) => a - b);
}

/** The nearest-rank percentile of sorted `values`; `share` in (0, 1]. */
export function percentile(values: readonly number[], share: number): number {
  return values[Math.ceil(share * values.length) - 1] ?? Number.NaN;
}
