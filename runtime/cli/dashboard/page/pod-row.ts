/**
 * One row of the table of pods.
 * @module
 */
import type { PodRow, PodState } from '../pod-rows.ts';
import { make, setAttribute, setText } from './dom.ts';
import { endText, shareLeft } from './times.ts';

const WORDS: Readonly<Record<PodState, readonly [tone: string, words: string]>> = {
  expired: ['bad', 'expired'],
  failing: ['bad', 'failing'],
  missing: ['bad', 'not injected'],
  late: ['warn', 'late'],
  waiting: ['quiet', 'waiting'],
  good: ['good', 'valid'],
  quiet: ['quiet', 'agent renews'],
};

/** A state as it is shown. */
export const wordsOf = (state: PodState): string => WORDS[state][1];

/** A row without a pod. */
export function newRow(): HTMLElement {
  const life = make(
    'div',
    { class: 'life', 'aria-hidden': 'true', hidden: '' },
    make('span', { class: 'left' }),
    make('span', { class: 'mark', hidden: '' }),
  );
  return make(
    'tr',
    { role: 'row' },
    make('th', { scope: 'row', role: 'rowheader' }, make('span'), make('span', { class: 'sub' })),
    make('td', { role: 'cell' }, make('span'), make('span', { class: 'sub' })),
    make('td', { role: 'cell', class: 'end' }, make('time'), make('span', { class: 'sub mono' }), life),
    make('td', { role: 'cell' }, make('span', { class: 'state' })),
  );
}

/** Makes a row that of a pod; one that was renewed since is lit up for a moment. */
export function updateRow(row: HTMLElement, pod: PodRow): void {
  const [name, names, expires, state] = row.children as unknown as readonly [Element, Element, Element, Element];
  setText(name.children[0] as Element, pod.name);
  setText(name.children[1] as Element, pod.namespace);
  setText(names.children[0] as Element, pod.names);
  setText(names.children[1] as Element, pod.reason ?? pod.delivery ?? '');
  setText(expires.children[1] as Element, pod.serial === undefined ? '' : `serial ${pod.serial.slice(0, 16)}`);
  const [tone, words] = WORDS[pod.state];
  const badge = state.children[0] as Element;
  setText(badge, words);
  setAttribute(badge, 'data-tone', tone);
  const { notBefore = '', notAfter = '', renewsAt = '' } = pod;
  if (row.dataset.end !== undefined && row.dataset.end !== '' && row.dataset.end < notAfter) flash(row);
  Object.assign(row.dataset, { begin: notBefore, end: notAfter, renews: renewsAt, tone });
}

/** Begins the animation anew. */
function flash(row: HTMLElement): void {
  row.classList.remove('renewed');
  void row.offsetWidth;
  row.classList.add('renewed');
}

/** Moves what moves with time. */
export function tickRow(row: HTMLElement, now: number): void {
  const { begin, end = '', renews = '', tone = '' } = row.dataset;
  const time = row.querySelector('time') as HTMLTimeElement;
  const life = row.querySelector('.life') as HTMLElement;
  const at = Date.parse(end);
  setText(time, end === '' ? '–' : endText(at, now));
  if (end !== '') {
    setAttribute(time, 'datetime', end);
    setAttribute(time, 'title', end);
  }
  const left = shareLeft(begin, end, now);
  life.hidden = left === undefined;
  if (left === undefined) return;
  const [bar, mark] = life.children as unknown as readonly [HTMLElement, HTMLElement];
  bar.style.width = `${(left * 100).toFixed(2)}%`;
  setAttribute(life, 'data-tone', left === 0 ? 'bad' : tone);
  const renewal = renews === '' ? undefined : shareLeft(begin, end, Date.parse(renews));
  mark.hidden = renewal === undefined;
  if (renewal !== undefined) mark.style.left = `${(renewal * 100).toFixed(2)}%`;
}
