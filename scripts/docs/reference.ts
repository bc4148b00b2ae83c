/**
 * `npm run docs:reference`: writes the tables of props in docs/constructs.md anew.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { propsReader } from './props.ts';
import { tablesOf, writeTables } from './props-tables.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = 'docs/constructs.md';

const readPage = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const before = readPage(PAGE);
const after = writeTables(before, { page: PAGE, read: propsReader(ROOT).read, readPage });
if (after !== before) writeFileSync(join(ROOT, PAGE), after);
console.log(
  `${PAGE}: ${tablesOf(after).length} tables of props, ${after === before ? 'as they were' : 'written anew'}`,
);
