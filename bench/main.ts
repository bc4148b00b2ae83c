/**
 * `npm run bench`: how fast, how large; each figure beside a baseline of the same run.
 *
 * `npm run bench -- admissions agent` runs some of it, `--json` prints it for machines, `--cluster` also brings up a
 * Kubernetes node (Linux, root) and measures pods on it (`npm run bench -- cluster`: nothing else).
 * @module
 */
import { parseArgs } from 'node:util';
import { buildInto } from '../scripts/build.ts';
import { admissions } from './admissions.ts';
import { agent } from './agent.ts';
import { cluster } from './cluster.ts';
import { type Figure, ratioOf, tableOf } from './figure.ts';
import { type Peers, ROOT, startPeers } from './peers.ts';
import { tokens } from './tokens.ts';

/** An API server's answer as seen with sixteen connections (1,853 TokenReviews or 1,446 pods a second), and with one. */
const BUSY_MS = 9;
const IDLE_MS = 1;

/** What each does, and how long the API server takes for an answer meanwhile. */
const BENCHMARKS: Readonly<Record<string, { run: (peers: Peers) => Promise<Figure[]>; answerMs: number }>> = {
  admissions: { run: admissions, answerMs: BUSY_MS },
  tokens: { run: tokens, answerMs: BUSY_MS },
  agent: { run: agent, answerMs: IDLE_MS },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
  },
});
const names = [...Object.keys(BENCHMARKS), 'cluster'];
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`not known: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}

// Node would parse these once a process: what is measured is what the image has.
for (const name of ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_OPTIONS']) delete process.env[name];
await buildInto(`${ROOT}/build`);
const figures: Figure[] = [];
const note = (text: string) => values.json || console.error(`... ${text}`);
const wanted = Object.entries(BENCHMARKS).filter(([name]) => positionals.length === 0 || positionals.includes(name));
for (const [name, { run, answerMs }] of wanted) {
  note(name);
  await using peers = await startPeers(answerMs);
  figures.push(...(await run(peers)));
}
if (values.cluster || positionals.includes('cluster')) figures.push(...(await cluster(note)));
if (values.json) console.log(JSON.stringify(figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) }))));
else console.log(tableOf(figures));
