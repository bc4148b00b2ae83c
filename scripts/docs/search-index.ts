/**
 * What search knows: each section of each page.
 * @module
 */
import MiniSearch from 'minisearch';
import { plainText, slugger } from './headings.ts';
import { SEARCH_OPTIONS } from './search-options.ts';

/** A section of a page. */
export interface Section {
  readonly id: number;
  /** Where it is on the site, with its anchor. */
  readonly url: string;
  /** Title of its page. */
  readonly page: string;
  /** Its heading. */
  readonly title: string;
  /** What it says. */
  readonly text: string;
}

/** What separates a table's head from its body. */
const RULE = /^\|[-:| ]+\|$/;
const LIST_MARK = /^ *(?:[-*]|\d+\.) +/;

/** The sections of a page: each heading with what follows it up to the next. */
export function sectionsOf(markdown: string, url: string): readonly Omit<Section, 'id'>[] {
  const slug = slugger();
  const sections: { title: string; anchor: string; lines: string[] }[] = [];
  let fence: string | undefined;
  for (const line of markdown.replaceAll(/<!--[\s\S]*?-->/g, '').split('\n')) {
    const [mark] = /^ *```/.exec(line) ?? [];
    if (mark !== undefined) fence = fence === undefined ? mark : undefined;
    const heading = fence === undefined ? /^#{1,6} +(.*)$/.exec(line)?.[1] : undefined;
    if (heading !== undefined) sections.push({ title: plainText(heading), anchor: slug(heading), lines: [] });
    else if (mark === undefined && !RULE.test(line)) sections.at(-1)?.lines.push(line.replace(LIST_MARK, ''));
  }
  const page = sections[0]?.title ?? '';
  return sections.map(({ title, anchor, lines }, at) => ({
    url: at === 0 ? url : `${url}#${anchor}`,
    ...{ page, title, text: plainText(lines.join(' ').replaceAll(/[|\s]+/g, ' ')) },
  }));
}

/** The index of all sections, as JSON. */
export function searchIndex(sections: readonly Omit<Section, 'id'>[]): string {
  const index = new MiniSearch<Section>(SEARCH_OPTIONS);
  index.addAll(sections.map((section, id) => ({ ...section, id })));
  return JSON.stringify(index);
}
