import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf, outputPattern, settingsFor } from '../../e2e/guide.ts';

const ROOT = join(import.meta.dirname, '../../..');
const TUTORIAL = readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8');

describe('docs/tutorial.md', () => {
  const blocks = blocksOf(TUTORIAL);

  test('shows output right below what prints it, but for what `autocert install` says', () => {
    const outputs = blocks.flatMap(({ output }) => (output === undefined ? [] : [output]));
    const others = blocks.filter(({ language, text }) => language === 'text' && !outputs.includes(text));
    expect(others.map(({ text }) => text)).toEqual([expect.stringContaining('Autocert is installed')]);
  });

  test('has few commands that nobody types', () => {
    const count = (key: 'step' | 'notRun') => blocks.filter((block) => block[key] !== undefined).length;
    expect(count('notRun')).toBeLessThan(count('step') / 4);
  });

  test('has the manifest of the example that it applies', () => {
    expect(TUTORIAL).toContain(`\`\`\`yaml\n${readFileSync(join(ROOT, 'examples/sleep.yaml'), 'utf8')}\`\`\``);
  });
});

describe('a block', () => {
  const page = [
    '<!-- e2e: 1.1 -->\n```sh\nPOD=$(kubectl get pod)\nNAME=$(show $POD \\\n  --all)\n```\n\n```text\nweb\n```\n',
    'Words.\n\n<!-- not run: there is no Docker -->\n```sh\ndocker build\n```\n\nMore.\n\n```text\nnot its output\n```\n',
    '<!-- e2e: 1.2, in the pod -->\n```sh\nls $NAME\n```\n',
    '<!-- typed by: test/interop/a.test.ts, twice -->\n```console\n$ count\none\n$ count --again\n```\n',
    '<!-- as in: docs/a.md, docs/b.md -->\n```sh\ncount\n```\n',
  ].join('\n');
  const [first, output, second, other, third, counted, again, elsewhere, ...more] = blocksOf(page);

  test('has the comment before it, and the output right after it', () => {
    expect(first).toMatchObject({ step: '1.1', output: 'web\n', line: 2 });
    expect(output).toMatchObject({ language: 'text', text: 'web\n' });
    expect(second).toMatchObject({ notRun: 'there is no Docker' });
    expect(second).not.toHaveProperty('output');
    expect(other).toMatchObject({ language: 'text', text: 'not its output\n' });
  });

  test('is told apart from others of its step by what else the comment says', () => {
    expect(third).toMatchObject({ step: '1.2', part: 'in the pod', text: 'ls $NAME\n' });
    expect(more).toEqual([]);
  });

  test('of a session is one for each command, with what it prints', () => {
    const typed = { typedBy: 'test/interop/a.test.ts', part: 'twice' };
    expect(counted).toMatchObject({ ...typed, text: 'count\n', output: 'one\n' });
    expect(again).toMatchObject({ ...typed, text: 'count --again\n', line: (counted?.line ?? 0) + 2 });
    expect(again).not.toHaveProperty('output');
    expect(page.split('\n')[(again?.line ?? 0) - 1]).toBe('$ count --again');
  });

  test('may be typed on other pages', () => {
    expect(elsewhere).toMatchObject({ asIn: ['docs/a.md', 'docs/b.md'] });
  });

  test('gets the variables that it uses from the blocks before, and those that these use', () => {
    if (third === undefined) throw new Error('no such block');
    expect(settingsFor(third, blocksOf(page))).toBe('POD=$(kubectl get pod)\nNAME=$(show $POD \\\n  --all)');
  });
});

describe('output as it is shown', () => {
  test.each([
    ['itself', 'Hello, web!', 'Hello, web!\n'],
    ['another time', '2026-01-01T00:00:00Z: Hello', '2027-12-31T23:59:59Z: Hello\n'],
    ['another date', 'Not After : Nov 30 12:35:04 2026 UTC', 'Not After : Dec  1 02:05:14 2027 UTC\n'],
    ['another digest', `SHA ${'a1'.repeat(32)}`, `SHA ${'b2'.repeat(32)}\n`],
    ['another age and other spaces', 'default   Active   59m   enabled', 'default Active    2d3h  enabled\n'],
    ['another address and port', '10.0.0.1  443:31386/TCP', '192.0.2.7   443:30001/TCP\n'],
    ['another version', 'Server Version: v1.37.2', 'Server Version: v1.30.0\n'],
    ['anything where … is', 'curl: (56) … certificate required…', 'curl: (56) SSL: certificate required, 0\n'],
    ['any lines where … is alone', 'a\n…\nd', 'a\nb\nc\nd\n'],
    ['none there, too', '…\na', 'a\n'],
  ])('matches %s', (_what, documented, printed) => {
    expect(printed).toMatch(outputPattern(documented));
  });

  test.each([
    ['another word', 'Hello, web!', 'Hello, db!\n'],
    ['a line more', 'a', 'a\nb\n'],
    ['a line less', 'a\nb', 'a\n'],
    ['a time where a word is', 'now: here', 'now: 2027-12-31T23:59:59Z\n'],
    ['a sign that stands for others in patterns', 'a.c (x)', 'abc (x)\n'],
    ['a name that differs in a digit', 'e2e-1', 'e2e-2\n'],
  ])('does not match %s', (_what, documented, printed) => {
    expect(printed).not.toMatch(outputPattern(documented));
  });
});
