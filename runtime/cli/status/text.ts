/**
 * The status for people. Pure.
 * @module
 */

import { NAMESPACE_LABEL } from '../../contract.ts';
import { labelText } from '../../policy/namespace-label.ts';
import { daysUntil, endsSoon } from '../ends.ts';
import type { Installation, Part, Registration, Settings } from '../observed/installation.ts';
import { otherPodsText } from '../observed/other-pods.ts';
import { MAX_PODS, type PodStatus, type PodStatuses } from '../observed/pods.ts';
import { tableLines } from '../table.ts';
import { type Paint, printable } from '../terminal.ts';

const PRESENCE = { there: 'there', missing: 'not there', unknown: 'you may not read it' } as const;
/** Columns of a row of the installation, and that of what may be wrong. */
const VALUE = 2;

/** Text; ends in a newline. */
export function statusText(
  installation: Installation,
  pods: PodStatuses,
  wide: boolean,
  now: Date,
  paint: Paint,
): string {
  const rows = installationRows(installation, now);
  const style = (cell: string, row: number, column: number) =>
    column === VALUE && rows[row]?.bad ? paint('red', cell) : cell;
  const lines = tableLines(
    rows.map(({ cells }) => cells),
    style,
  ).map((line) => `  ${line}`);
  const heading = paint('bold', printable(`Autocert in namespace ${installation.namespace}`));
  return `${[heading, ...lines, '', ...podLines(pods, wide, paint)].join('\n')}\n`;
}

interface Row {
  readonly cells: readonly [what: string, which: string, how: string];
  readonly bad: boolean;
}

function installationRows({ parts, roots, registrations, settings }: Installation, now: Date): Row[] {
  const rootRows = roots?.map(({ name, notAfter, fingerprint }): Row => {
    const days = daysUntil(notAfter, now);
    const expires =
      days < 0 ? `expired on ${notAfter.slice(0, 10)}` : `until ${notAfter.slice(0, 10)} (in ${days} days)`;
    return { cells: ['root', name, `${expires}, SHA-256 ${fingerprint}`], bad: endsSoon('root', days) };
  });
  return [
    ...parts.map(partRow),
    ...(rootRows ?? [
      { cells: ['root', 'configmap/ca-certs', 'not there, or you may not read it'], bad: true } as const,
    ]),
    ...registrations.map(({ object, presence, problem }: Registration): Row => {
      return { cells: ['admission', object, problem ?? PRESENCE[presence]], bad: problem !== undefined };
    }),
    ...(settings ? settingRows(settings) : []),
  ];
}

/** What is as usual is not told. */
function settingRows({ namespaceLabel, mode }: Settings): Row[] {
  const isUsual = namespaceLabel === labelText(NAMESPACE_LABEL);
  const reports = 'pods that the rules refuse are created, without a certificate';
  return [
    ...(isUsual ? [] : [{ cells: ['label', namespaceLabel, 'turns Autocert on in a namespace'], bad: false } as const]),
    ...(mode === 'report' ? [{ cells: ['mode', 'report', reports], bad: true } as const] : []),
  ];
}

function partRow({ name, object, presence, ready = 0, wanted = 0 }: Part): Row {
  const isThere = presence === 'there';
  return {
    cells: [name, object, isThere ? `${ready} of ${wanted} ready` : PRESENCE[presence]],
    bad: isThere && ready < wanted,
  };
}

function podLines({ pods, more, others }: PodStatuses, wide: boolean, paint: Paint): string[] {
  const other = otherPodsText(others);
  const last = other === undefined ? [] : ['', printable(other)];
  if (pods.length === 0) return ['No pod asks for a certificate here.', ...last];
  const header = [
    'NAMESPACE',
    'NAME',
    'INJECTED',
    'DELIVERY',
    'SINCE',
    'CERTIFICATE',
    ...(wide ? ['RENEWS', 'NAMES'] : []),
  ];
  const style = (cell: string, row: number, column: number) =>
    row > 0 && column === VALUE && pods[row - 1]?.injected === false ? paint('red', cell) : cell;
  const lines = tableLines([header, ...pods.map((pod) => podRow(pod, wide))], style);
  const missing = pods.filter(({ injected }) => !injected);
  return [
    ...lines,
    ...(more ? [`… and more than these ${MAX_PODS}: -n names one namespace`] : []),
    ...(missing.length > 0
      ? ['', `${missing.length} of ${pods.length} not injected; autocert explain pod/NAME -n NAMESPACE says why`]
      : []),
    ...last,
  ];
}

function podRow(pod: PodStatus, wide: boolean) {
  const { namespace, name, injected, delivery, since, request, certificateName, sans } = pod;
  const more = wide ? [request?.renewsAt ?? '', sans ?? certificateName] : [];
  return [namespace, name, injected ? 'yes' : 'no', delivery ?? '', since ?? '', certificateText(pod), ...more];
}

function certificateText({ request, certificate, warning }: PodStatus): string {
  if (warning) return `${warning.reason}: ${warning.message}`;
  if (!request) return certificate ? `until ${certificate.notAfter}` : '';
  const { state, message, notAfter } = request;
  if (state === 'Issued') return notAfter ? `until ${notAfter}` : state;
  return message ? `${state}: ${message}` : state;
}
