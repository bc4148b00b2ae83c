/**
 * Load from keep-alive connections, each of which asks again as soon as it is answered.
 * @module
 */
import autocannon, { type Options } from 'autocannon';
import { median, quantile } from './figure.ts';

/** What came of it. */
export interface Load {
  /** Answers a second. */
  readonly rate: number;
  /** Milliseconds from request to answer. */
  readonly p50: number;
  readonly p99: number;
  /** How many were not answered with 2xx, where that is no error. */
  readonly failed: number;
}

/** Loads one server; any answer but 2xx is an error, unless `mayFail`. */
export function load(options: Options, mayFail = false): Promise<Load> {
  const times: number[] = [];
  const started = performance.now();
  let last = started;
  return new Promise((resolve, reject) => {
    const cannon = autocannon(options, (error, { errors, timeouts, non2xx }) => {
      const failed = errors + timeouts + non2xx;
      if (error ?? (failed > 0 && !mayFail))
        return reject(error ?? new Error(`${options.url}: ${failed} requests failed`));
      // Not by autocannon's own duration, which is in whole seconds.
      const rate = (times.length / (last - started)) * 1000;
      resolve({ rate, p50: quantile(times, 0.5), p99: quantile(times, 0.99), failed });
    });
    cannon.on('response', (_client: unknown, _status: number, _bytes: number, time: number) => {
      times.push(time);
      last = performance.now();
    });
  });
}

/** Loads several servers in turn, several rounds; the median of each number. */
export async function inTurn(rounds: number, servers: readonly Options[]): Promise<readonly Load[]> {
  const loads: Load[][] = servers.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, server] of servers.entries()) loads[index]?.push(await load(server));
  }
  return loads.map((of) => ({
    rate: median(of.map(({ rate }) => rate)),
    p50: median(of.map(({ p50 }) => p50)),
    p99: median(of.map(({ p99 }) => p99)),
    failed: median(of.map(({ failed }) => failed)),
  }));
}
