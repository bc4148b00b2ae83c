/**
 * `docs/attacks.md`: an introduction written by hand, and the table of what a run has shown.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KUBERNETES_VERSION } from '../../../scripts/cluster/settings.ts';
import { machine, markdownTable } from '../report.ts';
import type { AttackRow } from './attack.ts';

/** Where the report is. */
export const REPORT = join(import.meta.dirname, '../../../docs/attacks.md');

/** Writes the report. */
export function writeReport(rows: readonly AttackRow[]): void {
  const template = readFileSync(join(import.meta.dirname, 'introduction.md'), 'utf8');
  writeFileSync(REPORT, report(template, rows));
}

/** The report's text. `template` has `{{figures}}`, `{{machine}}` and `{{table}}`. */
export function report(template: string, rows: readonly AttackRow[]): string {
  const held = rows.filter(({ defence }) => defence !== undefined);
  const figures = `${rows.length} attacks, ${held.length} withstood.`;
  const table = markdownTable(
    ['attack', 'who', 'what', 'must', 'happened', 'trace'],
    rows.map(({ attack, defence, failure }) => [
      attack.id,
      attack.who,
      attack.name,
      attack.expected,
      printable(defence?.happened ?? `**SUCCEEDED**: ${failure?.split('\n')[0]}`),
      printable(defence?.trace ?? ''),
    ]),
  );
  return template
    .replace('{{figures}}', () => figures)
    .replace('{{machine}}', () => `Kubernetes ${KUBERNETES_VERSION}, ${machine('one node', 'the attacks')}`)
    .replace('{{table}}', () => table);
}

/** What an attacker had a hand in is shown as code: nothing of it is Markdown. */
function printable(text: string): string {
  const line = text.replace(/[^\x20-\x7e’…]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const short = line.length > 160 ? `${line.slice(0, 160)}…` : line;
  return short === '' ? '' : `\`${short.replaceAll('`', "'")}\``;
}
