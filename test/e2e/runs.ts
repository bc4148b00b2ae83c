/**
 * What a run does on a cluster that is there: the chosen steps, or the chosen faults.
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningNode } from '../../scripts/cluster/bring-up.ts';
import { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { LIBFAKETIME } from '../../scripts/cluster/packages.ts';
import { BIN } from '../../scripts/cluster/settings.ts';
import { attackSuite } from './attacks/index.ts';
import type { Context, Step } from './context.ts';
import { databaseSteps } from './databases/index.ts';
import { diagnose } from './diagnostics.ts';
import { selectFaults } from './faults/index.ts';
import { REPORT, writeReport } from './faults/report.ts';
import { runFaults } from './faults/run.ts';
import { gitopsSteps } from './gitops/index.ts';
import { migrationSteps } from './migration/index.ts';
import { runSteps, select, usualOf } from './runner.ts';
import { allSteps, type Half, numbersOf } from './steps/index.ts';
import { upgradeSteps } from './upgrade/index.ts';

/** What was asked for on the command line. */
export interface Choice {
  readonly keep: boolean;
  readonly long: boolean;
  readonly faults: boolean;
  readonly databases: boolean;
  readonly upgrade: boolean;
  readonly attacks: boolean;
  readonly gitops: boolean;
  readonly migration: boolean;
  readonly only: readonly string[];
  /** Absent: all steps, on one node. */
  readonly half?: Half;
}

/** A run, whatever its cluster. */
export interface Run {
  readonly choice: Choice;
  /** A folder for its files. */
  readonly scratch: string;
  readonly print: (line: string) => void;
  /** Prints what has been done, with the time since the start. */
  readonly note: (text: string) => void;
  /** Aborted when somebody interrupts the run. */
  readonly stop: AbortController;
}

/** The steps of this run. */
export function stepsOf(
  choice: Pick<Choice, 'databases' | 'upgrade' | 'attacks' | 'gitops' | 'migration'>,
  context: Context,
): Step[] {
  if (choice.databases) return databaseSteps(context);
  if (choice.attacks) return attackSuite(context);
  if (choice.gitops) return gitopsSteps(context);
  if (choice.migration) return migrationSteps(context);
  return choice.upgrade ? upgradeSteps(context) : allSteps(context);
}

/** For {@link stepsOf} when only their names are wanted. */
export function noCluster(long: boolean): Context {
  return {
    kubectl: new Kubectl([]),
    native: true,
    ownNode: true,
    long,
    inNetwork: () => [],
    scratch: '',
    step: '',
    print: () => undefined,
    restartKubelet: async () => undefined,
  };
}

/** Lets the chosen faults happen; returns the exit code. */
export async function runChosenFaults(run: Run, first: RunningNode): Promise<number> {
  const { choice, scratch, print, note, stop } = run;
  const kubectl = new Kubectl(first.kubectl);
  const rows = await runFaults({
    kubectl,
    first,
    keep: choice.keep,
    native: await isNative(kubectl),
    scratch,
    faketime: LIBFAKETIME,
    faults: selectFaults(choice.only),
    note,
    print,
    diagnose: () => diagnose(kubectl),
    signal: stop.signal,
  });
  const failed = rows.filter(({ problems }) => problems.length > 0);
  if (choice.only.length === 0 && !stop.signal.aborted) {
    writeReport(rows);
    note(`${REPORT} is written`);
  }
  print(`${rows.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 && !stop.signal.aborted ? 0 : 1;
}

/** Runs the chosen steps; returns the exit code. */
export async function runChosenSteps(
  run: Run,
  cluster: Omit<Context, 'native' | 'step' | 'long' | 'print' | 'scratch'>,
): Promise<number> {
  const { choice, scratch, print, note, stop } = run;
  const native = await isNative(cluster.kubectl);
  const step = existsSync(join(BIN, 'step')) ? join(BIN, 'step') : 'step';
  const context = { ...cluster, scratch, native, step, long: choice.long, print };
  const steps = chosenOf(stepsOf(choice, context), choice);
  mkdirSync(scratch, { recursive: true });
  const outcome = await runSteps(steps, { print, diagnose: () => diagnose(cluster.kubectl), signal: stop.signal });
  for (const name of outcome.failed) print(`FAILED ${name}`);
  const interrupted = stop.signal.aborted ? ', interrupted' : '';
  note(`the steps are over${interrupted}`);
  print(`${outcome.passed} passed, ${outcome.failed.length} failed`); // alone on its line: CI counts by it
  return outcome.failed.length === 0 && !stop.signal.aborted ? 0 : 1;
}

/** What is long runs when it is asked for, or named. */
function chosenOf(all: readonly Step[], { half, only, long }: Choice): Step[] {
  const usual = usualOf(all, long);
  if (half !== undefined) return select(usual, numbersOf(half, usual));
  return select(only.length === 0 ? usual : all, only);
}

/** Whether the API server has pod certificates. */
async function isNative(kubectl: Kubectl): Promise<boolean> {
  const groups = await kubectl.run(['api-resources', '--api-group=certificates.k8s.io', '-o', 'name']);
  return groups.includes('podcertificaterequests');
}
