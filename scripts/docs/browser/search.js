import MiniSearch from 'minisearch';
import { SEARCH_OPTIONS } from '../search-options.ts';

const MOST = 20;
const root = document.body.dataset.root;

/** The index is a script, loaded when somebody searches: pages that are opened as files may not fetch. */
let loading;
function index() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `${root}assets/search-index.js`;
    script.onload = () => resolve(MiniSearch.loadJS(globalThis.searchIndex, SEARCH_OPTIONS));
    script.onerror = () => reject(new Error('the search index cannot be loaded'));
    document.head.append(script);
  });
  return loading;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/** The words around the first that was found, which is marked. */
function excerpt(text, terms) {
  const lower = text.toLowerCase();
  const [at, term] = terms
    .map((one) => [lower.indexOf(one), one])
    .filter(([place]) => place !== -1)
    .sort(([one], [other]) => one - other)[0] ?? [0, ''];
  const start = Math.max(0, text.lastIndexOf(' ', Math.max(0, at - 50)) + 1);
  const line = element('span', undefined, 'excerpt');
  line.append(start > 0 ? '… ' : '', text.slice(start, at));
  if (term !== '') line.append(element('mark', text.slice(at, at + term.length)));
  line.append(text.slice(at + term.length, start + 170), text.length > start + 170 ? ' …' : '');
  return line;
}

function item({ url, page, title, text, terms }) {
  const link = element('a');
  link.href = root + url;
  link.append(element('strong', title));
  if (page !== title) link.append(element('small', page));
  link.append(excerpt(text, terms));
  const line = element('li');
  line.append(link);
  return line;
}

export function search() {
  const dialog = document.querySelector('dialog.searching');
  const input = dialog.querySelector('input');
  const found = dialog.querySelector('.found');
  const told = dialog.querySelector('.told');
  const button = document.querySelector('button.search');

  const show = async () => {
    const asked = input.value.trim();
    const results = asked === '' ? [] : (await index()).search(asked);
    if (asked !== input.value.trim()) return;
    found.replaceChildren(...results.slice(0, MOST).map(item));
    const count = results.length === 1 ? '1 section' : `${results.length} sections`;
    told.textContent = asked === '' ? '' : results.length === 0 ? `Nothing about “${asked}”` : count;
  };
  const open = () => {
    if (dialog.open) return;
    dialog.showModal();
    input.select();
    index().catch(() => {
      told.textContent = 'The search index cannot be loaded';
    });
  };
  const move = (by) => {
    const links = [dialog.querySelector('input'), ...found.querySelectorAll('a')];
    const next = links.indexOf(document.activeElement) + by;
    links[Math.min(Math.max(next, 0), links.length - 1)].focus();
  };

  button.hidden = false;
  button.addEventListener('click', open);
  input.addEventListener('input', () => show().catch((error) => console.error(error)));
  dialog.querySelector('form').addEventListener('submit', (event) => {
    if (event.submitter !== null && event.submitter.value === 'close' && document.activeElement !== input) return;
    event.preventDefault();
    found.querySelector('a')?.click();
  });
  found.addEventListener('click', (event) => {
    if (event.target.closest('a') !== null) dialog.close();
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(by);
  });
  addEventListener('keydown', (event) => {
    const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea');
    const asked = (event.key === '/' && !isTyping) || (event.key === 'k' && (event.ctrlKey || event.metaKey));
    if (!asked) return;
    event.preventDefault();
    open();
  });
}
