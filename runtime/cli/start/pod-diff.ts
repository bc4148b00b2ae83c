/**
 * What injection changed in a pod, as a unified diff of its YAML with three lines of context.
 * @module
 */
import { structuredPatch } from 'diff';
import { stringify } from 'yaml';
import type { Pod } from './pod-file.ts';

/** One line of a diff: its sign and its text. */
export interface DiffLine {
  readonly sign: '+' | '-' | ' ' | '…';
  readonly text: string;
}

const yaml = (pod: Pod) => stringify({ metadata: pod.metadata, spec: pod.spec }, { lineWidth: 0 });

/** The changed lines and what stands around them; `…` stands between two places. */
export function podDiff(before: Pod, after: Pod): DiffLine[] {
  const { hunks } = structuredPatch('', '', yaml(before), yaml(after), '', '', { context: 3 });
  return hunks.flatMap((hunk, index) => [
    ...(index > 0 ? [{ sign: '…' as const, text: '' }] : []),
    ...hunk.lines
      .filter((line) => !line.startsWith('\\'))
      .map((line) => ({ sign: line[0] as DiffLine['sign'], text: line.slice(1) })),
  ]);
}
