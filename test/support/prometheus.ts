/**
 * A real Prometheus on loopback, in a folder of its own, that scrapes what a test names.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { background, waitFor } from '../../scripts/cluster/shell.ts';
import { program } from './programs.ts';

/** What is scraped. */
export interface Target {
  readonly job: string;
  readonly port: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** One sample of an instant query. */
export interface QuerySample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

/** A Prometheus that runs. */
export interface Prometheus extends AsyncDisposable {
  /** Runs a query; throws what Prometheus says of one that is none. */
  query(expr: string): Promise<readonly QuerySample[]>;
  /** Any path of its API, the field `data` of the answer. */
  api<T>(path: string): Promise<T>;
}

/** Starts one with the rules in `rulesFile`; ready when it answers. */
export async function startPrometheus(dir: string, targets: readonly Target[], rulesFile: string): Promise<Prometheus> {
  const port = await freePort();
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rulesFile],
    scrape_configs: targets.map(scrapeConfig),
  };
  const file = join(dir, 'prometheus.json');
  writeFileSync(file, JSON.stringify(config));
  const server = background([
    await program('prometheus'),
    ...[`--config.file=${file}`, `--storage.tsdb.path=${join(dir, 'data')}`],
    ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
  ]);
  const answers = async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok;
  await waitFor('prometheus', answers, { everyMs: 20, needs: [server] });
  const api = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    const { status, data, error } = (await answer.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  };
  return {
    api,
    query: async (expr) => {
      const query = new URLSearchParams({ query: expr });
      const data = await api<{ result: readonly QuerySample[] }>(`query?${query}`);
      return data.result;
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function scrapeConfig({ job, port, labels = {} }: Target, index: number): object {
  return {
    job_name: `${job}-${index}`,
    static_configs: [{ targets: [`localhost:${port}`], labels: { job, ...labels } }],
  };
}
