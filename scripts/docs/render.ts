/**
 * Markdown as HTML.
 * @module
 */
import { Marked, type Tokens } from 'marked';
import { codeBlock } from './code-block.ts';
import { type Heading, headingsOf, slugger } from './headings.ts';
import { escapeHtml } from './html.ts';

/** A page as HTML. */
export interface Rendered {
  readonly html: string;
  readonly headings: readonly Heading[];
  /** Whether there is something to draw. */
  readonly hasDiagrams: boolean;
}

/** How links are rendered. */
export interface RenderOptions {
  /** What becomes of a link. */
  readonly link: (href: string) => string;
  /** What the page is called that a link leads to. */
  readonly label?: (href: string) => string | undefined;
}

/** Names of metrics, hosts and paths are long: where there is no room they end at one of their joints. */
const JOINT = /(?<=[\w)])([_./(,]|=)(?=\w)/g;

/** Whether a link is called like the file: on the site pages have names. */
const isFileName = (text: string, href: string) =>
  /^[\w./-]+\.md$/.test(text) && href.split('#')[0]?.endsWith(text.replace(/^docs\//, ''));

/**
 * Renders a page. HTML in the Markdown is not let through: comments (marks for tests and scripts) are left out, and all else
 * is shown as it is written.
 */
export function render(markdown: string, { link, label = () => undefined }: RenderOptions): Rendered {
  const slug = slugger();
  const marked = new Marked({
    gfm: true,
    renderer: {
      html: ({ text }: Tokens.HTML | Tokens.Tag) => escapeHtml(text.replaceAll(/<!--[\s\S]*?-->\n*/g, '')),
      code: ({ text, lang }: Tokens.Code) => codeBlock(text, lang ?? ''),
      heading({ tokens, depth, text }: Tokens.Heading) {
        const id = slug(text);
        const anchor = `<a class="anchor" href="#${id}" aria-label="Link to this section">#</a>`;
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}${depth === 1 ? '' : ` ${anchor}`}</h${depth}>\n`;
      },
      codespan: ({ text }: Tokens.Codespan) => `<code>${escapeHtml(text).replaceAll(JOINT, '$1<wbr>')}</code>`,
      link({ href, tokens, text }: Tokens.Link) {
        const name = isFileName(text, href) ? label(href) : undefined;
        const shown = name === undefined ? this.parser.parseInline(tokens) : escapeHtml(name);
        return `<a href="${escapeHtml(link(href))}">${shown}</a>`;
      },
      table({ header, rows }: Tokens.Table) {
        const cell = (name: string, html: string) => `<${name}>${html}</${name}>`;
        const inline = (of: Tokens.TableCell) => this.parser.parseInline(of.tokens);
        // A column whose name goes without saying has no heading, rather than an empty one.
        const head = header.map((of) => (of.text === '' ? '<td></td>' : `<th scope="col">${inline(of)}</th>`));
        const body = rows.map((cells) => cell('tr', cells.map((of) => cell('td', inline(of))).join('')));
        const top = header.every(({ text }) => text === '') ? '' : `<thead><tr>${head.join('')}</tr></thead>`;
        return `<div class="table"><table>${top}<tbody>${body.join('\n')}</tbody></table></div>\n`;
      },
    },
  });
  const html = marked.parse(markdown, { async: false });
  return { html, headings: headingsOf(markdown), hasDiagrams: html.includes('class="diagram"') };
}
