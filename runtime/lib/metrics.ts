/**
 * Prometheus metrics of a server program: the one place that knows prom-client.
 * @module
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Bounds of the histograms in seconds: from half a millisecond (an admission) to 15 minutes (the life of a pod certificate's request). */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300, 900];

/** Makes metrics, named `autocert_…`, and renders all of them. */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labels: readonly L[]): Gauge<L>;
  /** A histogram of seconds. */
  seconds<L extends string>(name: string, help: string, labels: readonly L[]): Histogram<L>;
  /** The text that Prometheus scrapes. */
  render(): Promise<string>;
  /** Content type of {@link Metrics.render}. */
  readonly contentType: string;
}

/** A registry of its own, so that two programs in one process (tests, `npm start`) do not share counters. */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  // Memory, CPU, event-loop lag and open files of the process.
  if (options.process) collectDefaultMetrics({ register: registry });
  return {
    counter: (name, help, labelNames) => new Counter({ name: `autocert_${name}`, help, labelNames, registers }),
    gauge: (name, help, labelNames) => new Gauge({ name: `autocert_${name}`, help, labelNames, registers }),
    seconds: (name, help, labelNames) =>
      new Histogram({ name: `autocert_${name}`, help, labelNames, registers, buckets: SECONDS }),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
