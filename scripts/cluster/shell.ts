/**
 * Child processes and waiting, for the end-to-end tests: commands as argument lists (no shell quoting), failures with
 * everything that was printed, and polling of a condition instead of fixed sleeps.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a command ended. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command gets besides its arguments. */
export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** @default 120000 */
  readonly timeoutMs?: number;
}

/** A command that ended with another code than 0. */
export class CommandFailed extends Error {
  readonly result: Result;

  constructor(argv: readonly string[], result: Result) {
    super(`${printable(argv)}\nended with code ${result.code}\n${result.stdout}${result.stderr}`.trimEnd());
    this.name = 'CommandFailed';
    this.result = result;
  }
}

/** Runs a command to its end, whatever its exit code. */
export async function tryRun(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 120_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined); // a command that ends without reading its input
  child.stdin.end(options.input ?? '');
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    const killed = code === null ? `killed by ${signal}, after ${options.timeoutMs ?? 120_000} ms at most\n` : '';
    return { code: code ?? 137, stdout, stderr: stderr + killed };
  } catch (error) {
    return { code: 127, stdout, stderr: String(error) };
  }
}

/** Runs a command that must succeed; returns what it wrote to standard output. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await tryRun(argv, options);
  if (result.code !== 0) throw new CommandFailed(argv, result);
  return result.stdout;
}

/** Starts a command that goes on in the background; `stop` ends it and returns what it printed. */
export function background(argv: readonly string[]): {
  child: ChildProcess;
  output: () => string;
  stop: () => Promise<void>;
} {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close');
  return {
    child,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), 3_000);
      await closed;
      clearTimeout(insist);
    },
  };
}

/** How long and how often {@link waitFor} looks. */
export interface WaitOptions {
  /** @default 60000 */
  readonly timeoutMs?: number;
  /** @default a tenth of what has been waited, from 100 to 1000: to look takes the time of what is waited for */
  readonly everyMs?: number;
}

/**
 * Waits until `probe` gives something other than `undefined` or `false`. A probe that throws is asked again; its last
 * error tells, when the time is over, what was missing.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { timeoutMs = 60_000, everyMs }: WaitOptions = {},
): Promise<T> {
  const start = Date.now();
  for (;;) {
    let failure: unknown;
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      failure = error;
    }
    const waited = Date.now() - start;
    if (waited > timeoutMs) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`, { cause: failure });
    await sleep(everyMs ?? Math.min(Math.max(waited / 10, 100), 1000));
  }
}

function printable(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w./:=@,%+-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}
