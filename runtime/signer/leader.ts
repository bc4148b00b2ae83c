/**
 * What the leader does while it is in office: keeps its connections to the CA, and does its duties. There is a leader on
 * every cluster; native delivery begins when the API server has pod certificates.
 * @module
 */
import type { Log } from '../lib/log.ts';
import type { Sleep } from '../lib/loops.ts';
import { keepIssuer } from '../step-ca/issuer-upkeep.ts';
import { type Duty, fulfil } from './duty.ts';
import { NativeDelivery, type NativeDeliveryPorts } from './native-delivery.ts';

/** What the leader works with. */
export interface LeaderPorts extends NativeDeliveryPorts {
  readonly issuer: NativeDeliveryPorts['issuer'] & Parameters<typeof keepIssuer>[0];
  /** Besides native delivery. */
  readonly duties: readonly Duty[];
  readonly sleep: Sleep;
  readonly log: Log;
}

/** Leads until `signal` aborts; what is in work then is finished first. */
export async function lead(ports: LeaderPorts, signal: AbortSignal): Promise<void> {
  const { issuer, duties, metrics, sleep, monotonic, log } = ports;
  const delivery = new NativeDelivery(ports);
  metrics.leading(true);
  try {
    await Promise.all([
      keepIssuer(issuer, {
        what: "the CA's roots are not read, or not published",
        refreshed: () => delivery.publish(),
        onOutcome: (problem) => delivery.refreshed(problem),
        asked: () => delivery.wake(),
        log,
        signal,
        sleep,
        monotonic,
      }),
      ...[...duties, delivery.duty].map((duty) => fulfil(duty, signal, { sleep, log })),
    ]);
  } finally {
    metrics.leading(false);
    metrics.waiting(0);
  }
}
