/**
 * Commands that are typed at a terminal, for what asks there and nowhere else; by `script` of util-linux.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';

/** What a program prints last that waits for an answer; that of `step` draws a cursor of its own. */
const PROMPT = /[:?] ?█?\s*$/;

/** The arguments that run a piece of shell script at a terminal of its own. */
export function atTerminal(text: string): readonly string[] {
  return ['env', 'SHELL=/bin/bash', 'script', '-qefc', text, '/dev/null'];
}

/** Runs it, whatever its exit code; each prompt is answered by the next answer, as soon as it is printed. */
export async function runInTerminal(
  argv: readonly string[],
  answers: readonly string[],
  timeoutMs = 300_000,
): Promise<{ readonly code: number; readonly stdout: string }> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const left = [...answers];
  let [stdout, answered] = ['', 0];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (!PROMPT.test(stripVTControlCharacters(stdout.slice(answered)))) return;
    answered = stdout.length;
    const answer = left.shift();
    if (answer !== undefined) child.stdin.write(`${answer}\r`);
  });
  child.stdin.on('error', () => undefined); // it has ended
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 137, stdout: stdout.replaceAll('\r', '') };
}
