/**
 * Code of a page as HTML.
 * @module
 */
import { escapeHtml } from './html.ts';

/** How comments begin, which are all that has a colour of its own. */
const COMMENTS: Readonly<Record<string, RegExp>> = {
  ...{ sh: /(^|\s)(#.*)$/gm, bash: /(^|\s)(#.*)$/gm, console: /^(# .*|\s+# .*)$/gm, yaml: /(^|\s)(#.*)$/gm },
  ...{ ts: /(^|\s)(\/\/.*)$/gm, go: /(^|\s)(\/\/.*)$/gm, sql: /(^|\s)(--.*)$/gm },
};

const NAMES: Readonly<Record<string, string>> = {
  sh: 'commands',
  bash: 'commands',
  console: 'session',
  text: 'output',
  '': 'output',
};

/** A block of code. It is no button's business what a program has printed: only what one types or keeps can be copied. */
export function codeBlock(text: string, language: string): string {
  if (language === 'mermaid') return diagram(text);
  const code = `<pre><code>${withComments(escapeHtml(text), language)}</code></pre>`;
  const name = NAMES[language] ?? language;
  const copy = name === 'output' ? '' : '<button type="button" class="copy" hidden>Copy</button>';
  return `<div class="code" data-language="${escapeHtml(name)}">${copy}${code}</div>\n`;
}

function withComments(html: string, language: string): string {
  const comment = COMMENTS[language];
  if (comment === undefined) return html;
  return html.replaceAll(comment, (_line, before: string, words?: string) =>
    typeof words === 'string' ? `${before}<i>${words}</i>` : `<i>${before}</i>`,
  );
}

/** Drawn by the browser; what it is drawn of stays at hand for who does not see it. */
function diagram(text: string): string {
  const source = `<pre><code>${escapeHtml(text)}</code></pre>`;
  return `<figure class="diagram"><div class="drawing" hidden></div>
<details open><summary>The diagram in words</summary>${source}</details></figure>\n`;
}
