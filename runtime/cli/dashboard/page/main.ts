/**
 * The page: asks for what is new, shows it, and says so when there is no answer.
 * @module
 */
import type { Dashboard } from '../model.ts';
import { byId, setAttribute, setText } from './dom.ts';
import { Overview } from './overview.ts';
import { PodsView } from './pods.ts';
import { clockText, lengthText } from './times.ts';

/** Between two questions, and until one has failed, milliseconds. */
const EVERY_MS = 2_000;
const TIMEOUT_MS = 8_000;
const FORBIDDEN = 403;
/** What is older than this is told to be old. */
const OLD_MS = 20_000;

const overview = new Overview();
const pods = new PodsView();
let shown: Dashboard | undefined;
/** Since when nobody answers. */
let silentSince: Date | undefined;
/** Whether the program that answers now is another: its token is. */
let isForeign = false;
let next: ReturnType<typeof setTimeout> | undefined;

async function ask(): Promise<void> {
  clearTimeout(next);
  try {
    const response = await fetch('status.json', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    isForeign = response.status === FORBIDDEN;
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    shown = (await response.json()) as Dashboard;
    silentSince = undefined;
    overview.show(shown);
    pods.show(shown);
    setAttribute(document.querySelector('main') as Element, 'aria-busy', 'false');
  } catch {
    silentSince ??= new Date();
  }
  tick();
  clearTimeout(next);
  // Nobody looks at a page that is hidden.
  if (!document.hidden) next = setTimeout(ask, EVERY_MS);
}

function tick(): void {
  const now = Date.now();
  overview.tick(now);
  pods.tick(now);
  const { state, words, banner } = linkOf(now);
  setAttribute(byId('link'), 'data-state', state);
  setText(byId('link-text'), words);
  setText(byId('banner'), banner);
  document.title = shown && shown.problems.length > 0 ? `(${shown.problems.length}) Autocert` : 'Autocert';
}

/** How the way from the cluster to this page is. */
function linkOf(now: number): { readonly state: string; readonly words: string; readonly banner: string } {
  const read = shown && new Date(shown.readAt);
  const age = read ? Math.max(0, now - read.getTime()) : 0;
  const asOf = read ? `What is shown here is of ${clockText(read)}.` : '';
  if (silentSince) {
    const remedy = isForeign
      ? 'It was started again: open the address that it prints now.'
      : 'Start it again, and open the address that it prints, or look at its terminal.';
    const banner = `Connection lost: autocert dashboard has not answered since ${clockText(silentSince)}. ${asOf} ${remedy}`;
    return { state: 'lost', words: 'Connection lost', banner };
  }
  if (!shown) return { state: 'waiting', words: 'Connecting', banner: '' };
  if (shown.lost !== undefined) {
    return { state: 'lost', words: 'Cluster lost', banner: `The cluster does not answer: ${shown.lost}. ${asOf}` };
  }
  if (age > OLD_MS) return { state: 'old', words: `${lengthText(age)} old`, banner: '' };
  return { state: 'live', words: age < 1_000 ? 'Live' : `Live, ${lengthText(age)} ago`, banner: '' };
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void ask();
});
setInterval(tick, 1_000);
void ask();
