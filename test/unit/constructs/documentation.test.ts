import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, '../../../constructs');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.ts'));

/** Whatever somebody who imports the package can name: exports, props, and public members of classes. */
const EXPORT = /^export (?:abstract )?(?:async )?(?:class|function|interface|const|type) (\w+)/;
const PROP = /^ {2}readonly (\w+)(\??)[:;]/;
const METHOD = /^ {2}(?:static |get )?(?!private|constructor\b)(\w+)\(.*\)(?:: [^{]*)? \{$/;

interface Member {
  readonly where: string;
  readonly doc: string;
  readonly optional: boolean;
}

/** The members of a file with the comment before each. */
function membersOf(file: string): readonly Member[] {
  const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n');
  const isPublicInterface = (index: number) => {
    const head = lines.slice(0, index).findLast((line) => /^(export |interface |class |type )/.test(line)) ?? '';
    return /^export interface \w*(Props|Options|Rules|Resources)\b|^export interface IStepCa/.test(head);
  };
  return lines.flatMap((line, index) => {
    const [, name] = EXPORT.exec(line) ?? METHOD.exec(line) ?? ((isPublicInterface(index) && PROP.exec(line)) || []);
    if (name === undefined || /^(if|for|while|switch|return)$/.test(name)) return [];
    return [{ where: `${file}: ${name}`, doc: commentBefore(lines, index), optional: PROP.exec(line)?.[2] === '?' }];
  });
}

function commentBefore(lines: readonly string[], index: number): string {
  if (!lines[index - 1]?.trimEnd().endsWith('*/')) return '';
  const start = lines.slice(0, index).findLastIndex((line) => line.trimStart().startsWith('/**'));
  return lines.slice(start, index).join('\n');
}

describe('the documentation of the constructs', () => {
  const members = FILES.flatMap(membersOf);

  test('is looked at: the test sees what there is to document', () => {
    const names = members.map(({ where }) => where);
    for (const known of ['StepCa', 'replicas', 'fromUrl', 'retain', 'excludeNamespace', 'mysql', 'allowedNames']) {
      expect(names.some((where) => where.endsWith(`: ${known}`))).toBe(true);
    }
  });

  test('exists for every exported name, prop and method', () => {
    expect(members.filter(({ doc }) => doc === '').map(({ where }) => where)).toEqual([]);
  });

  test('gives the default of every prop that may be left out', () => {
    const silent = members.filter(({ optional, doc }) => optional && !doc.includes('@default'));
    expect(silent.map(({ where }) => where)).toEqual([]);
  });

  test('says in every file what it is for', () => {
    const silent = FILES.filter(
      (file) => !/^\/\*\*[\s\S]*?@module\n \*\//.test(readFileSync(join(FOLDER, file), 'utf8')),
    );
    expect(silent).toEqual([]);
  });
});
