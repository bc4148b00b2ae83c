/**
 * Headings of a page and their anchors, as GitHub makes them.
 * @module
 */

/** A heading. */
export interface Heading {
  /** 1 is the page's title. */
  readonly level: number;
  /** As it is written, in Markdown. */
  readonly text: string;
  /** What stands behind `#` in a link to it: unique in its page. */
  readonly slug: string;
}

/** A page without its fenced code, indented fences included; line for line, so that what is left keeps its place. */
export function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, (block) => block.replaceAll(/[^\n]/g, ''));
}

/** The headings of a page, in its order. */
export function headingsOf(markdown: string): readonly Heading[] {
  const slug = slugger();
  return [...withoutCode(markdown).matchAll(/^(#{1,6}) +(.*)$/gm)].map(([, marks = '', text = '']) => ({
    level: marks.length,
    text: text.trim(),
    slug: slug(text),
  }));
}

/** Makes the anchors of one page: the second heading of the same words gets `-1` behind it. */
export function slugger(): (heading: string) => string {
  const counts = new Map<string, number>();
  return (heading) => {
    const slug = plainText(heading)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  };
}

/** Markdown of a line without its marks: what a reader sees. */
export function plainText(markdown: string): string {
  return markdown
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*]/g, '')
    .trim();
}
