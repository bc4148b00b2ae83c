/**
 * `npm run e2e -- --faults`: two nodes, Autocert, pods that greet each other; then one fault after the other.
 * @module
 */
import { join } from 'node:path';
import { messageOf } from '../../../runtime/lib/errors.ts';
import { importImages, joinSecondNode, type RunningNode } from '../../../scripts/cluster/bring-up.ts';
import { writeSkewedImage } from '../../../scripts/cluster/images.ts';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { FIRST_NODE } from '../../../scripts/cluster/settings.ts';
import { Api } from '../api.ts';
import { Prober } from '../prober.ts';
import { FAKETIME } from './clock.ts';
import type { Fault, Row } from './fault.ts';
import { Lab } from './lab.ts';
import { Load } from './load.ts';
import { measure, rootOf } from './measure.ts';
import { lineOf } from './report.ts';
import { revokeOne } from './revocation.ts';
import { deliveriesOf, FAULTS_NAMESPACE, LIFETIMES } from './settings.ts';

/** What the run is given. */
export interface FaultRun {
  readonly kubectl: Kubectl;
  readonly first: RunningNode;
  /** Whether nodes stay up afterwards. */
  readonly keep: boolean;
  /** Whether the API server has pod certificates. */
  readonly native: boolean;
  readonly scratch: string;
  /** libfaketime of this machine. */
  readonly faketime: string;
  readonly faults: readonly Fault[];
  readonly note: (text: string) => void;
  readonly print: (line: string) => void;
  readonly diagnose: () => Promise<string>;
  readonly signal: AbortSignal;
}

const SKEWED_IMAGE = 'autocert-skewed:test';

/** Lets the faults happen; gives a row for each. */
export async function runFaults(options: FaultRun): Promise<readonly Row[]> {
  const { kubectl, first, keep, native, scratch, faults, note, print, signal } = options;
  const deliveries = deliveriesOf(native);
  const manifests = join(scratch, 'dist');
  const skewed = join(first.node.folder, 'images/skewed.tar');
  await writeSkewedImage(skewed, SKEWED_IMAGE, options.faketime, FAKETIME);
  await importImages(first.node, skewed);
  const api = await Api.open(kubectl, scratch);
  try {
    const startSecond = async () => {
      const node = await joinSecondNode(keep, first);
      await importImages(node, skewed);
      return node;
    };
    const probes = { namespace: FAULTS_NAMESPACE, deliveries, lifetimes: LIFETIMES, node: FIRST_NODE.name };
    const [prober, load] = [new Prober(api, probes), new Load(kubectl, deliveries)];
    const machines = { first, startSecond };
    const lab = new Lab({ kubectl, api, prober, machines, manifests, skewedImage: SKEWED_IMAGE });
    await Promise.all([lab.startSecond(), synthesize(manifests)]);
    note('two nodes are ready');
    await install(kubectl, manifests);
    note('Autocert is installed');
    await load.start();
    const rootFingerprint = await rootOf(lab);
    const unchanging = { load, rootFingerprint, isStillRevoked: await revokeOne(lab, scratch) };
    note('pods greet each other');
    const rows: Row[] = [];
    for (const fault of faults) {
      if (signal.aborted) break;
      const row = await measure(lab, fault, deliveries, unchanging).catch((error: unknown) => broken(fault, error));
      rows.push(row);
      print(lineOf(row));
      if (row.problems.length > 0) print((await options.diagnose()).replace(/^/gm, '    '));
    }
    return rows;
  } finally {
    await api.close();
  }
}

/** A fault that could not be brought about, or whose end is not known. */
function broken(fault: Fault, error: unknown): Row {
  const unknown = {
    longestStart: Number.NaN,
    failedRequests: Number.NaN,
    gap: Number.NaN,
    recovery: Number.NaN,
    recoveries: {},
  };
  return { fault, ...unknown, problems: [messageOf(error)], notes: [] };
}
