/**
 * Explanations for people: a table when there are several, and a few lines on each. Pure.
 * @module
 */
import { paintDiff } from '../pod-diff.ts';
import { tableLines } from '../table.ts';
import { type Paint, printable, type Style } from '../terminal.ts';
import type { Explanation } from './explanation.ts';
import type { Injection } from './injection.ts';

/** Column of the values, and space before each line about an object. */
const COLUMN = 12;
const INDENT = '  ';
/** Column of the outcome in the table. */
const OUTCOME = 2;
const STYLES: Readonly<Record<Explanation['outcome'], Style>> = {
  injected: 'green',
  refused: 'red',
  reported: 'red',
  'left-alone': 'yellow',
};
const SIDECARS = {
  native: 'a native sidecar',
  classic: 'an init container and a sidecar',
  'bootstrapper-only': 'an init container',
} as const;

/** Text on all of them; ends in a newline. */
export function explanationsText(
  all: readonly Explanation[],
  notes: readonly string[],
  diff: boolean,
  paint: Paint,
): string {
  const table = all.length > 1 ? [tableText(all, paint)] : [];
  const blocks = all.map((one) => blockText(one, diff, paint));
  const said = notes.length > 0 ? [notes.map((note) => `${paint('dim', printable(note))}\n`).join('')] : [];
  return [...table, ...blocks, ...said].join('\n');
}

function tableText(all: readonly Explanation[], paint: Paint): string {
  const rows = [
    ['NAMESPACE', 'OBJECT', 'OUTCOME', 'RULE', 'DELIVERY', 'LIFETIME', 'NAMES'],
    ...all.map(({ namespace, outcome, rule, injection, ...one }) => [
      namespace,
      objectName(one),
      outcome,
      rule ?? '',
      injection?.delivery ?? '',
      injection?.lifetime ?? '',
      injection?.names.join(',') ?? '',
    ]),
  ];
  const outcomeStyle = (cell: string, row: number, column: number) => {
    const outcome = column === OUTCOME ? all[row - 1]?.outcome : undefined;
    return outcome ? paint(STYLES[outcome], cell) : cell;
  };
  return `${tableLines(rows, outcomeStyle).join('\n')}\n`;
}

function blockText(
  { outcome, rule, reasons, notes, injection, diff, ...about }: Explanation,
  withDiff: boolean,
  paint: Paint,
) {
  const where = printable(`${objectName(about)} in namespace ${about.namespace}`);
  const heading = `${paint('bold', where)}: ${paint(STYLES[outcome], outcome.replace('-', ' '))}${rule ? ` (${rule})` : ''}`;
  const facts = [
    ...reasons.map((reason) => ['why', reason] as const),
    ...(injection ? injectionFacts(injection) : []),
    ...notes.map((note) => ['note', note] as const),
  ].map(([name, value]) => `${INDENT}${name.padEnd(COLUMN)}${printable(value)}`);
  const changes = withDiff && diff ? ['', ...paintDiff(diff.map(printable), paint)] : [];
  return `${[heading, ...facts, ...changes].join('\n')}\n`;
}

function injectionFacts({ delivery, sidecar, commonName, names, lifetime, renewed, files, adds, mounts }: Injection) {
  const added = (['initContainers', 'containers', 'volumes'] as const).flatMap((list) =>
    adds[list].map(
      (name) => `${{ initContainers: 'init container', containers: 'container', volumes: 'volume' }[list]} ${name}`,
    ),
  );
  const owner = files.owner ? `owner ${files.owner}` : 'owner chosen by the platform';
  return [
    [
      'delivery',
      sidecar ? `${delivery}: an agent, as ${SIDECARS[sidecar]}` : `${delivery}: kubelet makes the key and renews`,
    ],
    ['names', `${names.join(', ')}${commonName ? `; common name ${commonName}` : '; no common name'}`],
    ['lifetime', `${lifetime}${renewed ? ', renewed' : ', not renewed'}`],
    ['files', `${files.names.map((name) => `${files.folder}/${name}`).join(', ')}; mode ${files.mode}, ${owner}`],
    ['adds', added.join(', ')],
    ['mounts in', mounts.join(', ')],
  ] as const;
}

function objectName({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind.toLowerCase()}/${name}`;
}
