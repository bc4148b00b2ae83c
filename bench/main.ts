/**
 * `npm run bench`: how fast, how large; each figure beside a baseline of the same run.
 *
 * `npm run bench -- admissions agent` runs some of it. What needs a Kubernetes node of its
 * own (Linux, root) runs by name only: `cluster`, `storm`; `--cluster` adds the first to all the rest. So do `databases`, which
 * needs PostgreSQL and MariaDB, and `simulation`, which measures nothing: agents through outages, in simulated time.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { buildInto } from '../scripts/build.ts';
import { flagsOf } from '../scripts/flags.ts';
import { admissions } from './admissions.ts';
import { agent } from './agent.ts';
import { certificates } from './certificates.ts';
import { cluster } from './cluster.ts';
import { databases } from './databases.ts';
import { type Effort, GLANCE, WHOLE } from './effort.ts';
import { type Figure, ratioOf, tableOf } from './figure.ts';
import { hostile } from './hostile.ts';
import { type Peers, ROOT, startPeers } from './peers.ts';
import { storm } from './storm.ts';
import { type MeasuredCluster, withNode } from './with-node.ts';

/** An API server's answer as seen with sixteen connections (1,853 TokenReviews or 1,446 pods a second), and with one. */
const BUSY_MS = 9;
const IDLE_MS = 1;

/** What each does, and how long the API server takes for an answer meanwhile. */
const BENCHMARKS: Readonly<
  Record<string, { run: (peers: Peers, effort: Effort) => Promise<Figure[]>; answerMs: number }>
> = {
  admissions: { run: admissions, answerMs: BUSY_MS },
  certificates: { run: certificates, answerMs: BUSY_MS },
  agent: { run: agent, answerMs: IDLE_MS },
  hostile: { run: hostile, answerMs: IDLE_MS },
};
const ON_A_NODE: Readonly<Record<string, (on: MeasuredCluster) => Promise<Figure[]>>> = { cluster, storm };

const DATABASES = 'databases';
const SIMULATION = 'simulation';

const names = [...Object.keys(BENCHMARKS), ...Object.keys(ON_A_NODE), DATABASES, SIMULATION];
const HELP = `npm run bench [-- flags] [NAME...]: each figure beside a baseline of the same run

  NAME        ${names.join(', ')}
              without: ${Object.keys(BENCHMARKS).join(', ')}
  --glance    a hundredth of these: whether they still run; the figures say nothing
  --cluster   also what takes a Kubernetes node (Linux, root)
  --json      for machines`;

const { values, positionals } = flagsOf(HELP, {
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    glance: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`not known: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}
// By itself: it measures nothing of this machine, and its table is another one.
if (positionals.includes(SIMULATION)) simulate();
if (positionals.join() !== SIMULATION) await measure();

function simulate(): void {
  const program = `${ROOT}/bench/simulation/scenarios.ts`;
  process.exitCode = spawnSync(process.execPath, [program], { stdio: 'inherit' }).status ?? 1;
}

async function measure(): Promise<void> {
  // Node would parse these once a process: what is measured is what the image has.
  for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_OPTIONS']) delete process.env[name];
  await buildInto(`${ROOT}/build`);
  const figures: Figure[] = [];
  const note = (text: string) => values.json || console.error(`... ${text}`);
  const wanted = Object.entries(BENCHMARKS).filter(([name]) => positionals.length === 0 || positionals.includes(name));
  for (const [name, { run, answerMs }] of wanted) {
    note(name);
    await using peers = await startPeers(answerMs);
    figures.push(...(await run(peers, values.glance ? GLANCE : WHOLE)));
  }
  if (positionals.includes(DATABASES)) figures.push(...(await databases(note)));
  const onNode = Object.entries(ON_A_NODE).filter(
    ([name]) => positionals.includes(name) || (name === 'cluster' && values.cluster),
  );
  if (onNode.length > 0) {
    await withNode(note, async (on) => {
      for (const [, run] of onNode) figures.push(...(await run(on)));
    });
  }
  if (values.json) console.log(JSON.stringify(figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) }))));
  else console.log(tableOf(figures));
}
