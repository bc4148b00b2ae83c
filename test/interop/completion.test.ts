/**
 * Completion in the shells themselves, set up as `docs/cli.md` says; what bash, which every machine here has, completes is with the unit
 * tests.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../scripts/project-files.ts';
import { blocksOf } from '../e2e/guide.ts';
import { program } from '../support/programs.ts';

const COMMANDS = blocksOf(readFileSync(join(ROOT, 'docs/cli.md'), 'utf8'))
  .filter(({ typedBy }) => typedBy === 'test/interop/completion.test.ts')
  .flatMap(({ text }) => text.trimEnd().split('\n'));
const FISH_FILE = '.config/fish/completions/autocert.fish';

/** The command of the guide for a shell, or for kubectl. */
function commandFor(name: string): string {
  const command = COMMANDS.find((line) => line.includes(`autocert completion ${name}`));
  if (command === undefined) throw new Error(`the guide has no command for ${name}`);
  return command;
}

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  for (const name of ['bin', 'zsh', 'some folder', dirname(FISH_FILE)])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'some file'), '');
  const start = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'runtime/cli/main.ts')}' "$@"\n`;
  writeFileSync(join(folder, 'bin/autocert'), start);
  chmodSync(join(folder, 'bin/autocert'), 0o755);
  await shell('zsh', ['-f', '-c', `fpath=(zsh $fpath); ${commandFor('zsh')}`]);
  await shell('fish', ['--no-config', '-c', commandFor('fish')]);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function shell(name: 'bash' | 'fish' | 'zsh', args: readonly string[]): Promise<string> {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder, NODE_OPTIONS: '' };
  const file = name === 'bash' ? name : await program(name);
  const { stdout } = await promisify(execFile)(file, args, { cwd: folder, env, timeout: 60_000 });
  return stdout;
}

test('bash knows how to complete autocert', async () => {
  const script = `${commandFor('bash')}\ncomplete -p autocert`;
  expect(await shell('bash', ['--norc', '-c', script])).toMatch(/^complete .* autocert$/m);
}, 60_000);

test('kubectl is answered by the program that it asks', async () => {
  await shell('bash', ['--norc', '-c', commandFor('kubectl')]);
  expect(await shell('bash', ['--norc', '-c', 'kubectl_complete-autocert uni'])).toMatch(/^uninstall\b/);
}, 60_000);

describe('fish', () => {
  const completed = async (line: string) => {
    const script = `source ${FISH_FILE}; complete -C $argv[1]`;
    const lines = (await shell('fish', ['--no-config', '-c', script, line])).split('\n').filter(Boolean);
    return lines.map((each) => each.split('\t')[0]);
  };

  test('completes commands, with what they are for, options and choices', async () => {
    expect(await completed('autocert uni')).toEqual(['uninstall']);
    expect(await completed('autocert pki backup --pa')).toEqual(['--passphrase-file']);
    expect(await completed('autocert status -o ')).toEqual(['json', 'table', 'wide', 'yaml']);
    const uninstall = `source ${FISH_FILE}; complete -C "autocert uni"`;
    expect(await shell('fish', ['--no-config', '-c', uninstall])).toMatch(/^uninstall\tshow what would go/);
  }, 60_000);

  test('completes files where files go, folders where folders go, and neither elsewhere', async () => {
    expect(await completed('autocert inspect some')).toEqual(['some file', 'some folder/']);
    expect(await completed('autocert install --dir some')).toEqual(['some folder/']);
    expect(await completed('autocert some')).toEqual([]);
  }, 60_000);
});

describe('zsh', () => {
  /** What the function gives to zsh's own `_describe` and `_files`, which show it; the last word is the one that is typed. */
  const completed = async (...words: string[]) => {
    const script = `
      compdef() { :; }
      _describe() { print -rl -- "\${(@P)2}"; }
      _files() { print -r -- "files $*"; }
      source zsh/_autocert
      words=(autocert "$@") CURRENT=$(( $# + 1 ))
      _autocert`;
    return (await shell('zsh', ['-f', '-c', script, 'zsh', ...words])).split('\n').filter(Boolean);
  };

  test('completes commands, with what they are for, options and choices', async () => {
    expect(await completed('uni')).toEqual([expect.stringMatching(/^uninstall:show what would go/)]);
    expect(await completed('pki', 'backup', '--pa')).toEqual([expect.stringMatching(/^--passphrase-file:/)]);
    expect(await completed('status', '-o', '')).toEqual(['table', 'wide', 'json', 'yaml']);
  }, 60_000);

  test('completes files where files go, folders where folders go, and neither elsewhere', async () => {
    expect(await completed('inspect', 'some')).toEqual(['files ']);
    expect(await completed('install', '--dir', 'some')).toEqual(['files -/']);
    expect(await completed('some')).toEqual([]);
  }, 60_000);
});
