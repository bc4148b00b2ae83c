/**
 * All but the pods: problems, figures, chain of trust, components.
 * @module
 */
import type { Component, Dashboard } from '../model.ts';
import type { Problem } from '../problems.ts';
import type { TreeNode } from '../tree.ts';
import { byId, KeyedList, make, setAttribute, setText } from './dom.ts';
import { clockText, endText, lengthText } from './times.ts';

const TONES = { good: 'good', bad: 'bad', absent: 'quiet', unknown: 'quiet' } as const;
const TROUBLED: readonly string[] = ['expired', 'failing', 'missing', 'late'];

/** Shows it; what moves with time by {@link Overview.tick}. */
export class Overview {
  #shown: Dashboard | undefined;
  #tree = '';
  readonly #problems = new KeyedList<Problem>(byId('problem-list'), problemItem);
  readonly #unseen = new KeyedList<string>(byId('unseen-list'), (line) => make('li', {}, line));
  readonly #components = new KeyedList<Component>(
    document.querySelector('#components tbody') as Element,
    ({ name, object }) =>
      make(
        'tr',
        {},
        make('th', { scope: 'row', title: object }, `${name} `, make('span', { class: 'mono' }, nameIn(object))),
        make('td', {}, make('span', { class: 'state' })),
      ),
    (row, { state, words }) => {
      const badge = row.querySelector('.state') as Element;
      setText(badge, words);
      setAttribute(badge, 'data-tone', TONES[state]);
    },
  );
  readonly #figures = new KeyedList<readonly [name: string, value: string, detail: string, state: string]>(
    byId('figures'),
    ([name]) => make('div', {}, make('dt', {}, name), make('dd', {}, make('span'), make('small'))),
    (box, [, value, detail, state]) => {
      const dd = box.children[1] as Element;
      setText(dd.children[0] as Element, value);
      setText(dd.children[1] as Element, detail);
      setAttribute(dd, 'data-state', state);
    },
  );

  /** Takes what is new. */
  show(data: Dashboard): void {
    this.#shown = data;
    const { problems, moreProblems, diagnosedAt, notLookedAt, components, tree, namespace, podsOf } = data;
    setText(byId('scope'), `namespace ${namespace}, pods of ${podsOf === undefined ? 'all namespaces' : podsOf}`);
    setAttribute(byId('problems'), 'data-state', problems.length === 0 ? 'good' : 'bad');
    setText(byId('verdict'), verdict(problems));
    this.#problems.show(problems, (problem) => JSON.stringify(problem));
    setText(byId('problems-more'), moreProblems === 0 ? '' : `… and ${moreProblems} more: autocert doctor lists them`);
    const looked = diagnosedAt === undefined ? '' : `autocert doctor looked at ${clockText(new Date(diagnosedAt))}.`;
    setText(byId('looked'), looked);
    byId('unseen').hidden = notLookedAt.length === 0;
    this.#unseen.show(notLookedAt, (line) => line);
    this.#components.show(components, ({ object }) => object);
    const text = JSON.stringify(tree);
    if (text !== this.#tree) byId('tree').replaceChildren(...tree.map(treeItem));
    this.#tree = text;
    setText(byId('tree-none'), tree.length === 0 ? 'configmap/ca-certs is not there, or you may not read it.' : '');
    this.tick(Date.now());
  }

  /** Moves what moves with time. */
  tick(now: number): void {
    if (!this.#shown) return;
    const { pods, tree } = this.#shown;
    const troubled = pods.filter(({ state }) => TROUBLED.includes(state)).length;
    const [next] = pods.filter(({ notAfter }) => Date.parse(notAfter ?? '') > now).toSorted(byEnd);
    const [root] = tree.filter(({ kind }) => kind === 'root').toSorted(byEnd);
    this.#figures.show(
      [
        ['Pods', String(pods.length), `${pods.filter(({ delivery }) => delivery).length} injected`, ''],
        ['To look at', String(troubled), troubled === 0 ? 'none' : 'they come first below', troubled > 0 ? 'bad' : ''],
        ['Next to expire', next ? leftOf(next, now) : '–', next?.name ?? 'no end is known', ''],
        ['Root', root ? leftOf(root, now, 1) : '–', root?.name ?? '', ''],
      ],
      ([name]) => name,
    );
    for (const time of byId('tree').querySelectorAll('time')) setText(time, endText(Date.parse(time.dateTime), now));
  }
}

const nameIn = (object: string) => object.slice(object.indexOf('/') + 1);

const byEnd = (a: { readonly notAfter?: string }, b: { readonly notAfter?: string }) =>
  Date.parse(a.notAfter ?? '') - Date.parse(b.notAfter ?? '');

const leftOf = ({ notAfter = '' }: { readonly notAfter?: string }, now: number, units?: number) =>
  lengthText(Date.parse(notAfter) - now, units);

function verdict(problems: readonly Problem[]): string {
  if (problems.length === 0) return 'Nothing is wrong, as far as can be seen.';
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const warnings = problems.length - errors;
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  return [errors > 0 ? count(errors, 'error') : '', warnings > 0 ? count(warnings, 'warning') : '']
    .filter(Boolean)
    .join(', ');
}

function problemItem({ object, message, remedy, severity }: Problem): HTMLElement {
  return make(
    'li',
    { 'data-severity': severity },
    make(
      'p',
      { class: 'head' },
      make('span', { class: 'severity' }, severity),
      make('span', { class: 'mono' }, object),
    ),
    make('p', {}, message),
    make('p', { class: 'remedy' }, make('strong', {}, 'Remedy: '), remedy),
  );
}

function treeItem({ kind, name, fingerprint, notAfter, children }: TreeNode): HTMLElement {
  const words = kind === 'serving' ? 'the webhook serves with it' : kind;
  const item = make(
    'li',
    {},
    make('span', { class: 'kind' }, words),
    make(
      'div',
      {},
      make('span', { class: 'name' }, name),
      ', expires ',
      make('time', { datetime: notAfter, title: notAfter }),
    ),
    make('span', { class: 'fingerprint' }, `SHA-256 ${fingerprint}${kind === 'serving' ? '…' : ''}`),
  );
  if (children.length > 0) item.append(make('ul', {}, ...children.map(treeItem)));
  return item;
}
