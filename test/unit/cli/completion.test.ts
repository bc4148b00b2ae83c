import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { complete, completionLines } from '../../../runtime/cli/completion/complete.ts';
import { COMPLETION_SCRIPTS } from '../../../runtime/cli/completion/scripts.ts';
import { buildProgram } from '../../../runtime/cli/program.ts';

const ROOT = join(import.meta.dirname, '../../..');
const program = buildProgram();
const wordsAfter = (...words: string[]) => complete(program, words).candidates.map(({ word }) => word);
const pathsAfter = (...words: string[]) => complete(program, words).paths;

/** Every command, with those below it. */
function commandsBelow(command: Command): Command[] {
  return command.commands.flatMap((each) => [each, ...commandsBelow(each)]);
}

describe('what may come next', () => {
  test.each([
    ['commands', ['st'], ['status', 'start']],
    ['commands of a command', ['pki', 'ro'], ['rotate']],
    ['commands two levels down', ['pki', 'rotate', 'a'], ['announce', 'abort']],
    ['options', ['status', '--al'], ['--all-namespaces']],
    ['the choices of an option', ['status', '-o', ''], ['table', 'wide', 'json', 'yaml']],
    ['those that begin as it does', ['status', '--output', 'j'], ['json']],
    ['those behind an equals sign', ['status', '--output=j'], ['--output=json']],
    ['those behind an equals sign, as bash splits it', ['status', '--output', '=', 'y'], ['yaml']],
    ['the choices of an argument', ['completion', ''], ['bash', 'zsh', 'fish', 'kubectl']],
    ['nothing for a value that only a person knows', ['status', '-n', ''], []],
    ['commands after an option with its value are not those of the value', ['status', '-n', 'pki', 'ro'], []],
    ['nothing but arguments behind --', ['inspect', '--', '--'], []],
  ])('are %s', (_, words, expected) => {
    expect(wordsAfter(...words)).toEqual(expected);
  });

  test.each([
    ['an argument that is a file', ['inspect', ''], 'files'],
    ['an option that takes a file', ['renew', '--kubeconfig', ''], 'files'],
    ['an option that takes a folder', ['install', '--dir', ''], 'folders'],
    ['no second file where one is wanted', ['inspect', 'site.crt', ''], undefined],
    ['no file where a command is wanted', [''], undefined],
  ])('are files and folders where those go: %s', (_, words, expected) => {
    expect(pathsAfter(...words)).toEqual(expected);
  });

  test('is every command and every option of it that the help shows', () => {
    for (const command of commandsBelow(program).filter(({ commands }) => commands.length === 0)) {
      const path: string[] = [];
      for (let at: Command | null = command; at?.parent; at = at.parent) path.unshift(at.name());
      expect(wordsAfter(...path)).toContain(command.name());
      const options = command.options.map(({ long, short }) => long ?? short);
      expect(wordsAfter(...path, '-')).toEqual(expect.arrayContaining(options));
    }
  });

  test('never takes longer for a line without end', () => {
    expect(wordsAfter(...Array.from({ length: 100_000 }, () => 'x'), 'st')).toEqual([]);
  });

  test('is told as kubectl wants it of its plugins: a word and its description a line, then what to do about files', () => {
    expect(completionLines(complete(program, ['pki', 'ro']))).toMatch(/^rotate\t.+\n:4\n$/);
    expect(completionLines(complete(program, ['inspect', '']))).toBe(':0\n');
    expect(completionLines(complete(program, ['install', '--dir', '']))).toBe(':16\n');
  });
});

describe('every command', () => {
  const commands = commandsBelow(program).filter(({ commands: own }) => own.length === 0);

  test.each(commands.map((command) => [command.name(), command] as const))(
    '%s shows examples in its help',
    (_, command) => {
      if (command.name() === 'agent') return; // has a help of its own
      let text = '';
      command.configureOutput({
        writeOut: (more) => {
          text += more;
        },
      });
      command.outputHelp();
      expect(text).toMatch(/\nExamples:\n {2}\S/);
    },
  );
});

describe('in a real bash', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'completion-'));
    const start = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'runtime/cli/main.ts')}' "$@"\n`;
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'some folder'));
    writeFileSync(join(folder, 'some file'), '');
    for (const [name, text] of [
      ['autocert', start],
      ['kubectl_complete-autocert', COMPLETION_SCRIPTS.kubectl],
    ] as const) {
      writeFileSync(join(folder, 'bin', name), text);
      chmodSync(join(folder, 'bin', name), 0o755);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const bash = async (script: string) => {
    const env = { PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script], { cwd: folder, env });
    expect(stderr).toBe('');
    return stdout.split('\n').filter(Boolean);
  };
  /** What `words` and the tabulator give. */
  const replies = (...words: string[]) =>
    bash(
      `source <(autocert completion bash); COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _autocert; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  test('commands, options and choices are completed', async () => {
    expect(await replies('autocert', 'uni')).toEqual(['uninstall']);
    expect(await replies('autocert', 'pki', 'backup', '--pa')).toEqual(['--passphrase-file']);
    expect(await replies('autocert', 'status', '--output', '=', 'w')).toEqual(['wide']);
  }, 30_000);

  test('files are where files go, folders where folders go, and neither elsewhere', async () => {
    expect(await replies('autocert', 'inspect', 'some')).toEqual(['some file', 'some folder']);
    expect(await replies('autocert', 'install', '--dir', 'some')).toEqual(['some folder']);
    expect(await replies('autocert', 'some')).toEqual([]);
  }, 30_000);

  test('kubectl is answered by the program that it looks for', async () => {
    expect(await bash('kubectl_complete-autocert pki rotate sw')).toEqual([expect.stringMatching(/^switch\t/), ':4']);
  }, 30_000);
});
