/**
 * Completion in the shells themselves; bash, which every machine here has, is with the unit tests.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { COMPLETION_SCRIPTS } from '../../runtime/cli/completion/scripts.ts';
import { ROOT } from '../../scripts/project-files.ts';
import { program } from '../support/programs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  for (const name of ['bin', 'zsh', 'some folder']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'some file'), '');
  const start = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'runtime/cli/main.ts')}' "$@"\n`;
  writeFileSync(join(folder, 'bin/autocert'), start);
  chmodSync(join(folder, 'bin/autocert'), 0o755);
  writeFileSync(join(folder, 'zsh/_autocert'), COMPLETION_SCRIPTS.zsh);
  writeFileSync(join(folder, 'autocert.fish'), COMPLETION_SCRIPTS.fish);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function shell(name: 'fish' | 'zsh', args: readonly string[]): Promise<string> {
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}`, HOME: folder };
  const { stdout } = await promisify(execFile)(await program(name), args, { cwd: folder, env, timeout: 60_000 });
  return stdout;
}

describe('fish', () => {
  const completed = async (line: string) => {
    const script = 'source autocert.fish; complete -C $argv[1]';
    const lines = (await shell('fish', ['--no-config', '-c', script, line])).split('\n').filter(Boolean);
    return lines.map((each) => each.split('\t')[0]);
  };

  test('completes commands, with what they are for, options and choices', async () => {
    expect(await completed('autocert uni')).toEqual(['uninstall']);
    expect(await completed('autocert pki backup --pa')).toEqual(['--passphrase-file']);
    expect(await completed('autocert status -o ')).toEqual(['json', 'table', 'wide', 'yaml']);
    expect(await shell('fish', ['--no-config', '-c', 'source autocert.fish; complete -C "autocert uni"'])).toMatch(
      /^uninstall\tshow what would go/,
    );
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
