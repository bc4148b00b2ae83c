/**
 * The table of pods, their namespaces, and the renewals that were seen.
 * @module
 */
import type { Dashboard } from '../model.ts';
import type { NamespaceRow, PodRow } from '../pod-rows.ts';
import { byId, KeyedList, make, setAttribute, setText } from './dom.ts';
import { newRow, tickRow, updateRow, wordsOf } from './pod-row.ts';
import { clockText } from './times.ts';

/** Rows that are drawn: for more there is the filter. */
const MAX_ROWS = 200;
/** Renewals that are told. */
const MAX_NEWS = 6;
const ROLES = [
  ['#pod-table', 'table'],
  ['#pod-table > thead, #pod-table > tbody', 'rowgroup'],
  ['#pod-table > thead > tr', 'row'],
  ['#pod-table > thead th', 'columnheader'],
] as const;

/** One renewal. */
interface Renewal {
  readonly pod: string;
  readonly at: Date;
  readonly serial: string;
}

/** Word of the filter for one namespace. */
const ONLY = 'namespace:';

const keyOf = ({ namespace, name }: PodRow) => `${namespace}/${name}`;

/** See the module. */
export class PodsView {
  #pods: readonly PodRow[] = [];
  #more = false;
  #otherPods = '';
  #renewals: Renewal[] = [];
  /** When the certificates ended that were shown last. */
  #ends: ReadonlyMap<string, string> = new Map();
  readonly #filter = byId<HTMLInputElement>('filter');
  readonly #rows = new KeyedList<PodRow>(document.querySelector('#pod-table tbody') as Element, newRow, updateRow);
  readonly #namespaces = new KeyedList<NamespaceRow>(
    byId('namespaces'),
    ({ name }) => this.#newNamespace(name),
    updateNamespace,
  );
  readonly #news = new KeyedList<Renewal>(byId('news-list'), newsItem);

  constructor() {
    // What is shown as cards on a narrow screen is no table any more to some browsers, unless it is said.
    for (const [selector, role] of ROLES) {
      for (const element of document.querySelectorAll(selector)) element.setAttribute('role', role);
    }
    this.#filter.addEventListener('input', () => this.#draw());
  }

  /** Takes what is new. */
  show({ pods, namespaces, more, otherPods }: Dashboard): void {
    this.#pods = pods;
    this.#more = more;
    this.#otherPods = otherPods === undefined ? '' : ` ${otherPods}.`;
    for (const pod of pods) this.#notice(pod);
    this.#ends = new Map(pods.map((pod) => [keyOf(pod), pod.notAfter ?? '']));
    this.#namespaces.show(namespaces, ({ name }) => name);
    this.#news.show(this.#renewals, ({ pod, at }) => `${pod} ${at.getTime()}`);
    byId('news').hidden = this.#renewals.length === 0;
    this.#draw();
  }

  /** Moves what moves with time. */
  tick(now: number): void {
    for (const row of document.querySelectorAll<HTMLElement>('#pod-table tbody tr')) tickRow(row, now);
  }

  #notice(pod: PodRow): void {
    const { notAfter, serial = '' } = pod;
    if (notAfter === undefined) return;
    const before = this.#ends.get(keyOf(pod)) ?? '';
    if (before === '' || before >= notAfter) return;
    this.#renewals = [{ pod: keyOf(pod), at: new Date(), serial }, ...this.#renewals].slice(0, MAX_NEWS);
  }

  #draw(): void {
    const words = this.#filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = this.#pods.filter((pod) => words.every((word) => fits(pod, word)));
    this.#rows.show(fitting.slice(0, MAX_ROWS), keyOf);
    this.tick(Date.now());
    setText(byId('pods-note'), this.#note(fitting.length) + this.#otherPods);
    for (const button of document.querySelectorAll('#namespaces button')) {
      const { namespace = '' } = (button as HTMLElement).dataset;
      setAttribute(button, 'aria-pressed', String(this.#filter.value.trim() === ONLY + namespace));
    }
  }

  #note(fitting: number): string {
    const all = this.#pods.length;
    const beyond = this.#more ? ` There are more than these ${all} in the cluster: -n names one namespace.` : '';
    if (all === 0) return 'No pod asks for a certificate here.';
    if (fitting > MAX_ROWS) return `The first ${MAX_ROWS} of ${fitting}: the filter finds the others.${beyond}`;
    return `${fitting === all ? `${all} in all.` : `${fitting} of ${all}.`}${beyond}`;
  }

  #newNamespace(name: string): HTMLElement {
    const button = make('button', { type: 'button', 'data-namespace': name, 'aria-pressed': 'false' });
    button.append(`${name} `, make('span', { class: 'count' }));
    button.addEventListener('click', () => {
      this.#filter.value = this.#filter.value.trim() === ONLY + name ? '' : ONLY + name;
      this.#draw();
    });
    return make('li', {}, button);
  }
}

function updateNamespace(item: HTMLElement, { pods, troubled }: NamespaceRow): void {
  const count = item.querySelector('.count') as Element;
  const each = `${pods} ${pods === 1 ? 'pod' : 'pods'}`;
  setText(count, troubled === 0 ? each : `${each}, ${troubled} to look at`);
  setAttribute(count, 'data-state', troubled === 0 ? 'good' : 'bad');
}

function newsItem({ pod, at, serial }: Renewal): HTMLElement {
  return make(
    'li',
    {},
    make('time', { datetime: at.toISOString() }, clockText(at)),
    make('span', {}, `${pod} was renewed`),
    make('span', { class: 'mono' }, serial === '' ? '' : `serial ${serial.slice(0, 16)}`),
  );
}

/** Whether a word of the filter, in lower case, is that of a pod. */
function fits({ namespace, name, names, state, delivery }: PodRow, word: string): boolean {
  if (word.startsWith(ONLY)) return namespace.toLowerCase() === word.slice(ONLY.length);
  return [namespace, name, names, wordsOf(state), state, delivery].join(' ').toLowerCase().includes(word);
}
