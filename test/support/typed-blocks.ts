/**
 * The blocks of the guides that tests type, as the sources of the tests have it: `new Typist(context, 'docs/x.md')` with what it is
 * told to type in the end-to-end tests, `type('docs/x.md', 'part')` in those of `test/interop`.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Block } from '../e2e/guide.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Files of which a command in a shell is, in a guide or beside it. */
export const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/hello-mtls/README.md'],
  ...readdirSync(join(ROOT, 'docs')).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));

/** What a file of the repository has. */
export const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const sourcesIn = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`);

/** How a block of a page is named in what is compared: by who types it, and the part that the comment says. */
export function nameOf(page: string, { step, typedBy, part }: Pick<Block, 'step' | 'typedBy' | 'part'>): string {
  return [`${page}: ${step ?? typedBy}`, ...(part === undefined ? [] : [part])].join(', ');
}

/** What tests type, in the form of {@link nameOf}. */
export function typedByTests(): readonly string[] {
  const steps = sourcesIn('test/e2e').map(read);
  const constants = steps.flatMap((source) => [...source.matchAll(/const (\w+) = '([\w/-]+\.md)'/g)]);
  const pageOf = new Map(constants.map(([, name = '', page = '']) => [name, page]));
  const found = steps.flatMap((source) => typedBySteps(source, (name) => pageOf.get(name) ?? `no page ${name}`));
  for (const typedBy of sourcesIn('test/interop')) {
    const calls = read(typedBy).matchAll(/\b(?:type|follow)\(\s*'([\w/-]+\.md)',\s*'([^']+)'/g);
    for (const [, page = '', part = ''] of calls) found.push(nameOf(page, { typedBy, part }));
  }
  return [...new Set(found)].sort();
}

function typedBySteps(source: string, pageOf: (constant: string) => string): string[] {
  const typists = source.matchAll(/const (\w+) = new Typist\(\w+, (?:'([^']+)'|(\w+))\)/g);
  const pages = new Map([...typists].map(([, name = '', page, constant = '']) => [name, page ?? pageOf(constant)]));
  const calls = source.matchAll(/\b(?:(\w+)\.(?:type|follow|check)|typeInSleep)\(\s*'([\d.]+)'(?:,\s*'([^']+)')?/g);
  return [...calls].flatMap(([, name, step, part]) => {
    if (step === undefined) return [];
    if (name === undefined) return [nameOf('docs/tutorial.md', { step, part: 'in the pod' })];
    return [nameOf(pages.get(name) ?? `no typist ${name}`, { step, ...(part !== undefined && { part }) })];
  });
}
