/**
 * `docs/reliability.md`: an introduction written by hand, and the table of what a run has measured.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KUBERNETES_VERSION } from '../../../scripts/cluster/settings.ts';
import { machine, markdownTable } from '../report.ts';
import type { Row } from './fault.ts';

const ROOT = join(import.meta.dirname, '../../..');
const TEMPLATE = join(import.meta.dirname, 'introduction.md');

/** Where the report is. */
export const REPORT = join(ROOT, 'docs/reliability.md');

/** Writes the report. */
export function writeReport(rows: readonly Row[]): void {
  writeFileSync(REPORT, report(readFileSync(TEMPLATE, 'utf8'), rows));
}

/** The report's text. `template` has `{{figures}}`, `{{machine}}` and `{{table}}`. */
export function report(template: string, rows: readonly Row[]): string {
  const faults = rows.filter(({ fault }) => fault.id !== 'none');
  const survived = faults.filter(({ problems }) => problems.length === 0);
  const recoveries = faults.map(({ recovery }) => recovery).sort((a, b) => a - b);
  const median = recoveries[Math.floor(recoveries.length / 2)] ?? Number.NaN;
  const figures = [
    `${faults.length} faults, ${survived.length} survived; recovery within ${seconds(median)} in the median,`,
    `${seconds(recoveries.at(-1) ?? Number.NaN)} at most.`,
  ].join(' ');
  const where = `Kubernetes ${KUBERNETES_VERSION}, ${machine('two nodes', 'the tests')}`;
  return template.replace('{{figures}}', figures).replace('{{machine}}', where).replace('{{table}}', table(rows));
}

/** One line a fault; short, for a terminal. */
export function lineOf({
  fault,
  longestStart,
  failedRequests,
  gap,
  recovery,
  recoveries,
  problems,
  notes,
}: Row): string {
  const by = Object.entries(recoveries).map(([what, time]) => `${what} ${seconds(time)}`);
  const figures = `recovery ${seconds(recovery)} (${by.join(', ')}), new pods ${seconds(longestStart)}, gap ${seconds(gap)}, ${failedRequests} failed`;
  const more = [...notes, ...problems.map((problem) => `PROBLEM ${problem}`)].map((text) => `\n           ${text}`);
  return `${problems.length === 0 ? 'ok    ' : 'FAILED'} ${fault.id.padEnd(24)} ${figures}${more.join('')}`;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ fault, longestStart, failedRequests, gap, recovery, problems, notes }) => {
    const lost =
      problems.length === 0 ? 'nothing' : problems.map((text) => text.split('\n')[0]?.slice(0, 160)).join('; ');
    const requests = failedRequests === 0 ? 'none failed' : `${failedRequests} failed, gap ${seconds(gap)}`;
    const happens = [fault.happens, ...notes.map((note) => `${note}.`)].join(' ');
    return [fault.name, happens, lost, requests, seconds(longestStart), seconds(recovery)];
  });
  return markdownTable(['fault', 'what happens', 'lost', 'requests', 'new pods', 'recovery'], lines);
}

function seconds(value: number): string {
  return Number.isNaN(value) ? '—' : `${value.toFixed(1)} s`;
}
