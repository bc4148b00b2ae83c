/**
 * What injection changes in a pod, as a unified diff of its YAML.
 * @module
 */
import { structuredPatch } from 'diff';
import { stringify } from 'yaml';
import type { Paint, Style } from './terminal.ts';

/** What is compared. */
interface DiffedPod {
  readonly metadata: unknown;
  readonly spec: unknown;
}

/** One place of a diff: its lines, each after its sign, and where they are. */
interface Place {
  readonly header: string;
  readonly lines: readonly string[];
}

const STYLES: Readonly<Record<string, Style>> = { '+': 'green', '-': 'red' };

/** The style of a line of a diff by its sign. */
export function diffStyle(line: string): Style {
  return STYLES[line[0] ?? ''] ?? 'dim';
}

/** The changed lines with three lines of context; `…` stands between two places. */
export function diffLines(before: DiffedPod, after: DiffedPod): string[] {
  return placesOf(before, after).flatMap(({ lines }, index) => [
    ...(index > 0 ? ['…'] : []),
    ...lines.map((line) => `${line[0]} ${line.slice(1)}`.trimEnd()),
  ]);
}

/** As `diff -u` writes it: `patch` can apply it to the pod's YAML. */
export function unifiedDiff(before: DiffedPod, after: DiffedPod, name: string): string[] {
  const places = placesOf(before, after);
  if (places.length === 0) return [];
  return [`--- ${name}`, `+++ ${name}, injected`, ...places.flatMap(({ header, lines }) => [header, ...lines])];
}

/** The lines of a unified diff as a terminal shows them. */
export function paintDiff(lines: readonly string[], paint: Paint): string[] {
  return lines.map((line) => paint(/^(?:---|\+\+\+) /.test(line) ? 'bold' : diffStyle(line), line));
}

function placesOf(before: DiffedPod, after: DiffedPod): Place[] {
  const yaml = ({ metadata, spec }: DiffedPod) => stringify({ metadata, spec }, { lineWidth: 0 });
  const { hunks } = structuredPatch('', '', yaml(before), yaml(after), '', '', { context: 3 });
  return hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) => ({
    header: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    lines: lines.filter((line) => !line.startsWith('\\')),
  }));
}
