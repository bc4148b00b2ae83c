/**
 * Tables of props in a guide, written from the TSDoc of the constructs.
 * @module
 */
import { posix } from 'node:path';
import { headingsOf, plainText } from './headings.ts';
import type { Prop, PropsInterface } from './props.ts';

/** Where a table is: between a comment that names the interface and one that ends it. */
const TABLE = /^<!-- props: (?<name>\w+) -->\n(?<table>[\s\S]*?)^<!-- end of props -->$/gm;

/** What the tables are made of. */
export interface TableSources {
  /** Path of the guide, from the root of the repository. */
  readonly page: string;
  readonly read: (name: string) => PropsInterface;
  /** Text of another page, by its path. */
  readonly readPage: (path: string) => string;
}

/** The interfaces that have a table in a guide, in its order. */
export function tablesOf(guide: string): readonly string[] {
  return [...guide.matchAll(TABLE)].map(({ groups }) => groups?.name ?? '');
}

/** The guide with its tables as the TSDoc has them now; all else stays. */
export function writeTables(guide: string, sources: TableSources): string {
  const headings = headingsOf(guide);
  const places = new Map(
    [...guide.matchAll(TABLE)].map(({ index, groups }) => {
      const above = headingsOf(guide.slice(0, index)).length;
      return [groups?.name ?? '', headings[above - 1]];
    }),
  );
  const linkTo = (name: string) => {
    const heading = places.get(name);
    return heading && `[${plainText(heading.text)}](#${heading.slug})`;
  };
  const see = (target: string) => seeAlso(target, guide, sources);
  return guide.replaceAll(TABLE, (_whole, name: string) => {
    const { own, besides } = collect(sources.read(name), sources.read, places);
    const isElsewhere = (type: string) => places.get(type) !== places.get(name);
    const rows = own.map((prop) => row(prop, (type) => (isElsewhere(type) ? linkTo(type) : undefined), see));
    const more = besides.map((base) => linkTo(base));
    const last = more.length === 0 ? '' : `\nIt takes those of ${more.join(', ')}, too.\n\n`;
    const head = ['| name | type | default | |', '| --- | --- | --- | --- |'];
    return `<!-- props: ${name} -->\n${[...head, ...rows].join('\n')}\n${last}<!-- end of props -->`;
  });
}

/** Its props, with those that it inherits from what has no table of its own; and what has one. */
function collect(
  of: PropsInterface,
  read: TableSources['read'],
  tables: ReadonlyMap<string, unknown>,
): { own: readonly Prop[]; besides: readonly string[] } {
  const bases = of.bases.filter((base) => !tables.has(base)).map((base) => collect(read(base), read, tables));
  return {
    own: [...of.props, ...bases.flatMap(({ own }) => own)],
    besides: [...of.bases.filter((base) => tables.has(base)), ...bases.flatMap(({ besides }) => besides)],
  };
}

function row(prop: Prop, linkTo: (type: string) => string | undefined, see: (target: string) => string): string {
  const types = (prop.type.match(/\b[A-Z]\w+/g) ?? []).flatMap((name) => linkTo(name) ?? []);
  const links = [...new Set([...types, ...prop.see.map(see)])];
  const text = [prop.text, links.length === 0 ? '' : `See ${links.join(', ')}.`].join(' ').trim();
  const cells = [`\`${prop.name}\``, `\`${prop.type}\``, prop.usual ?? 'required', text];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Of `docs/ca.md#configuration` a link, called like the heading. */
function seeAlso(target: string, guide: string, { page, readPage }: TableSources): string {
  const [path = '', anchor] = target.split('#');
  const headings = headingsOf(path === page ? guide : readPage(path));
  const heading = anchor === undefined ? headings[0] : headings.find(({ slug }) => slug === anchor);
  if (heading === undefined) throw new Error(`@see ${target}: there is no such heading`);
  const file = path === page ? '' : posix.relative(posix.dirname(page), path);
  return `[${plainText(heading.text)}](${file}${anchor === undefined ? '' : `#${anchor}`})`;
}
