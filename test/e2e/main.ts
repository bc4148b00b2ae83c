/**
 * `npm run e2e`: the tutorial on a real Kubernetes, step by step. With KUBECONFIG set it uses that cluster; without, it brings
 * up a node on this machine, and takes it down whatever happens.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AutocertError, messageOf } from '../../runtime/lib/errors.ts';
import { writeProjectImages } from '../../scripts/cluster/images.ts';
import { removeOldNodes } from '../../scripts/cluster/node.ts';
import { flagsOf } from '../../scripts/flags.ts';
import { buildBundles } from '../../scripts/image.ts';
import { onOurNode, onTheirCluster, prepare } from './clusters.ts';
import { FAULTS } from './faults/index.ts';
import { seconds, usualOf } from './runner.ts';
import { noCluster, stepsOf } from './runs.ts';
import type { Half } from './steps/index.ts';

const HELP = `npm run e2e [-- options]
  --only WORD   only the steps whose number or name has WORD, and those they rest upon; may be repeated
  --half 1      half of the steps, with what they rest upon (2: the other half), for two machines
  --keep        leave the node up and print how to reach it
  --long        also what takes its time, half an hour more: kubelet renews by itself (Kubernetes 1.37), storms of pods
  --faults      instead: one fault after the other on two nodes, and docs/reliability.md written anew; --only ID chooses some
  --databases   instead: three CAs on PostgreSQL and on MariaDB, killed and restarted while a hundred pods start and renew
  --upgrade     instead: from the version of the commit UPGRADE_FROM to this one, back, and forward again, under traffic
  --attacks     instead: what a hostile tenant, pod, node would do, floods too, and docs/attacks.md written anew
  --gitops      instead: Argo CD brings dist/ to the cluster, heals it, takes it to an earlier version and back, removes it
  --migration   instead: beside the Go original, namespace by namespace to Autocert and back, report mode first
  --build       only build what a node takes, Kubernetes among it: a quarter of an hour the first time
  --images FILE only write the images that a cluster of your own must have, as a docker-archive
  --down        take down nodes that --keep left up
  --list        print the steps
K8S_VERSION=1.34.4 chooses the version of Kubernetes; KUBECONFIG=file uses that cluster instead of a node of its own.`;

const { values: options } = flagsOf(HELP, {
  options: {
    half: { type: 'string' },
    keep: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
    databases: { type: 'boolean', default: false },
    upgrade: { type: 'boolean', default: false },
    attacks: { type: 'boolean', default: false },
    gitops: { type: 'boolean', default: false },
    migration: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    images: { type: 'string' },
    build: { type: 'boolean', default: false },
    down: { type: 'boolean', default: false },
  },
});

// Go programs, those of the node and kubectl among them, collect garbage less often: kubectl takes a fifth less of the CPU.
process.env.GOGC ??= '400';

const started = Date.now();
const print = (line: string) => console.log(line);
const note = (text: string) => print(`...    ${text} (${seconds(started)})`);

process.exitCode = await main().catch((error: unknown) => {
  if (!(error instanceof AutocertError)) throw error; // a defect of ours: with its stack
  console.error(messageOf(error));
  return 1;
});

async function main(): Promise<number> {
  if (options.list && options.faults) return say(FAULTS.map(({ id, name }) => `${id.padEnd(30)} ${name}`).join('\n'));
  if (options.list)
    return say(
      usualOf(stepsOf(options, noCluster(options.long)), options.long)
        .map(({ id, name }) => `${id.padEnd(5)} ${name}`)
        .join('\n'),
    );
  if (options.down) return say(`${await removeOldNodes(true)} node(s) taken down`);
  if (options.images !== undefined) {
    await buildBundles();
    await writeProjectImages(options.images);
    return say(options.images);
  }
  const scratch = mkdtempSync(join(tmpdir(), 'autocert-e2e-'));
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
  const { half: named, ...choice } = options;
  const half = halfOf(named);
  const run = { choice: { ...choice, ...(half && { half }) }, scratch, print, note, stop: new AbortController() };
  if (options.build) return prepare(run).then(() => 0);
  return process.env.KUBECONFIG ? onTheirCluster(run) : onOurNode(run);
}

function halfOf(given: string | undefined): Half | undefined {
  if (given === undefined) return undefined;
  if (given === '1' || given === '2') return given === '1' ? 1 : 2;
  throw new AutocertError('INVALID_INPUT', `--half ${JSON.stringify(given)}: want 1 or 2`);
}

function say(text: string): number {
  print(text);
  return 0;
}
