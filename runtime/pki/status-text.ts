/**
 * The status for people. Pure.
 * @module
 */
import type { PkiStatus } from './status.ts';
import { day } from './words.ts';

const DAY_MS = 24 * 3_600_000;
/** Column of the values. */
const COLUMN = 16;
/** Names of pods that are shown. */
const FEW = 5;

/** A line or a few a fact; ends in a newline. */
export function statusText(status: PkiStatus, now: Date): string {
  const { intermediate, rootKeyInCluster, rotation, oldCertificatesUntil, passwordRotations } = status;
  const until = (date: Date) => `until ${day(date)} (${inDays(date, now)})`;
  const renewal = intermediate.renewedFrom
    ? `renewed from ${day(intermediate.renewedFrom)}, ${intermediate.renewedBy === 'cronjob' ? 'by itself' : 'by hand'}`
    : 'lasts as long as its root';
  const lines = [
    ['namespace', status.namespace],
    ...status.roots.flatMap(({ name, notAfter, signs, fingerprint }) => [
      ['root', `${name}, ${until(notAfter)}${signs ? ', signs' : ''}`],
      ['', fingerprint],
    ]),
    ['intermediate', `${intermediate.name}, ${until(intermediate.notAfter)}, ${renewal}`],
    ['root key', rootKeyInCluster ? 'in the cluster' : 'not in the cluster'],
    [
      'rotation',
      oldCertificatesUntil
        ? `${rotation}; the last older certificate expires by ${minute(oldCertificatesUntil)}`
        : rotation,
    ],
    [
      'passwords',
      passwordRotations.length > 0 ? `being replaced: ${passwordRotations.join(', ')}` : 'nothing under way',
    ],
    ['pods', podsText(status)],
    ...todoLines(status),
  ];
  return lines
    .map(([name = '', value = '']) => `${name.padEnd(COLUMN)}${value}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function podsText({ pods }: PkiStatus): string {
  if (pods === undefined) return 'not looked at: you may not list pods in all namespaces';
  if (pods.pinned === 0) return `${pods.agents} with an agent; all of them know the newest root`;
  const shown = pods.names.slice(0, FEW).join(', ');
  const more = pods.pinned - Math.min(FEW, pods.names.length);
  return `${pods.pinned} of ${pods.agents} with an agent do not know the newest root: ${shown}${more > 0 ? ` and ${more} more` : ''}`;
}

function todoLines({ todo, oldCertificatesUntil, rotation }: PkiStatus): string[][] {
  if (todo.length > 0) {
    return todo.flatMap(({ text, command }, index) => [
      [index === 0 ? 'next' : '', text],
      ...(command ? [['', `  ${command}`]] : []),
    ]);
  }
  return [
    [
      'next',
      oldCertificatesUntil && rotation === 'switched'
        ? `wait until ${minute(oldCertificatesUntil)}, then autocert pki rotate retire`
        : 'nothing to do',
    ],
  ];
}

function inDays(date: Date, now: Date): string {
  const days = Math.floor((+date - +now) / DAY_MS);
  if (days < 0) return 'expired';
  return days < 730 ? `${days} days` : `${(days / 365).toFixed(1)} years`;
}

const minute = (date: Date) => `${date.toISOString().slice(0, 16)}Z`;
