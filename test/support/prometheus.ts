/**
 * A real Prometheus on loopback, in a folder of its own, that scrapes what a test names.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
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
  const child = spawn(
    await program('prometheus'),
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  await answered(child, `http://127.0.0.1:${port}/-/ready`, () => said);
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
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

function scrapeConfig({ job, port, labels = {} }: Target, index: number): object {
  return {
    job_name: `${job}-${index}`,
    static_configs: [{ targets: [`localhost:${port}`], labels: { job, ...labels } }],
  };
}

async function answered(child: ChildProcess, url: string, said: () => string): Promise<void> {
  await waitFor(
    'prometheus',
    async () => {
      if (child.exitCode !== null) throw new Error(`it did not start: ${said()}`);
      return (await fetch(url)).ok;
    },
    { everyMs: 20 },
  );
}
