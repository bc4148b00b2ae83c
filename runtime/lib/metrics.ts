/**
 * Prometheus metrics of a server program: the one place that knows prom-client.
 * @module
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Bounds of the histograms in seconds: from half a millisecond (an admission) to 15 minutes (the life of a pod
 * certificate's request), with enough between ten seconds and five minutes to tell a slow CA from one that is away.
 */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900];

/** One value of a gauge, and the labels it has. */
export interface Sample<L extends string> {
  readonly labels: Readonly<Partial<Record<L, string>>>;
  readonly value: number;
}

/** Makes metrics, named `autocert_…`, and renders all of them. */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labels: readonly L[]): Gauge<L>;
  /** A gauge that is asked for its values at each scrape, and has no others: what is gone does not linger. */
  observed<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    observe: () => Iterable<Sample<L>>,
  ): void;
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
  const named = <L extends string>(name: string, help: string, labelNames: readonly L[]) => {
    return { name: `autocert_${name}`, help, labelNames, registers };
  };
  return {
    counter: (...naming) => new Counter(named(...naming)),
    gauge: (...naming) => new Gauge(named(...naming)),
    observed: (name, help, labels, observe) => {
      const gauge = new Gauge({
        ...named(name, help, labels),
        collect: () => {
          gauge.reset();
          // Without labels it would now be 0, which nobody has observed.
          if (labels.length === 0) gauge.remove();
          for (const { labels: given, value } of observe()) gauge.set(given, value);
        },
      });
    },
    seconds: (...naming) => new Histogram({ ...named(...naming), buckets: SECONDS }),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
