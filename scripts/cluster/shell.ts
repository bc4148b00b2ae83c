/**
 * Child processes and waiting, for the end-to-end tests: commands as argument lists (no shell quoting), failures with
 * everything that was printed, and polling of a condition instead of fixed sleeps.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Characters of what a program has printed that are told when it has ended. */
const LAST_WORDS = 2_000;

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

/**
 * The command so that it dies with this process, also when that is killed with -9, where the system can (Linux).
 * @param as flags of setpriv that say as whom it runs: a change of user later on would untie it
 */
export const tied = (argv: readonly string[], as: readonly string[] = []): readonly string[] =>
  process.platform === 'linux' ? ['setpriv', '--pdeathsig=KILL', ...as, '--', ...argv] : argv;

/** What a command that goes on in the background gets besides its arguments. */
export interface BackgroundOptions extends Pick<RunOptions, 'cwd' | 'env'> {
  /** A file that gets what it prints; for a program that must not wait for us to read. @default - kept in memory */
  readonly log?: string;
  /** Whether this process does not end before it. Start one that it does not wait for by {@link tied}. @default true */
  readonly holds?: boolean;
}

/** A command that goes on in the background. */
export interface Background {
  readonly child: ChildProcess;
  /** What it has printed so far, to both streams. */
  readonly output: () => string;
  /** That it has ended, and its last words; nothing while it runs. */
  readonly ended: () => Error | undefined;
  /**
   * Sends it a signal, and kills it where it is still there after `patienceMs`; resolves when it has ended.
   * @param signal default: SIGTERM
   * @param patienceMs default: 3000
   */
  readonly stop: (signal?: NodeJS.Signals, patienceMs?: number) => Promise<void>;
}

/** Starts a command that goes on in the background. */
export function background(argv: readonly string[], options: BackgroundOptions = {}): Background {
  const { cwd, env, log, holds = true } = options;
  const [file = '', ...args] = argv;
  const sink = log === undefined ? 'pipe' : openSync(log, 'a');
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', sink, sink] });
  if (typeof sink === 'number') closeSync(sink);
  let heard = '';
  const hear = (text: string) => {
    heard += text;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', hear);
  child.on('error', ({ message }) => hear(message)); // there is no such program
  if (!holds) for (const handle of [child, child.stdout, child.stderr] as (Socket | null)[]) handle?.unref();
  let isOver = false;
  const closed = new Promise<void>((resolve) => {
    // Not 'exit', after which last words may come.
    child.once('close', () => {
      isOver = true;
      resolve();
    });
  });
  const output = () => (log === undefined ? '' : readFileSync(log, 'utf8')) + heard;
  return {
    child,
    output,
    ended: () => {
      if (!isOver) return undefined;
      const { exitCode, signalCode } = child;
      return new Error(
        `${file} ended with ${exitCode ?? signalCode}: ${output().slice(-LAST_WORDS).trim() || 'no word'}`,
      );
    },
    stop: async (signal = 'SIGTERM', patienceMs = 3_000) => {
      child.ref();
      child.kill(signal);
      const insist = setTimeout(() => child.kill('SIGKILL'), patienceMs);
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
  /** Without these programs what is waited for cannot come: where one has ended, so has the wait. */
  readonly needs?: readonly Pick<Background, 'ended'>[];
}

/**
 * Waits until `probe` gives something other than `undefined` or `false`. A probe that throws is asked again; its last
 * error tells, when the time is over, what was missing.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { timeoutMs = 60_000, everyMs, needs = [] }: WaitOptions = {},
): Promise<T> {
  const start = performance.now(); // which goes on evenly when somebody sets the clock
  for (;;) {
    let value: T | undefined | false;
    let failure: unknown;
    try {
      value = await probe();
    } catch (error) {
      failure = error;
    }
    // Before the answer is looked at, which may be another's: of who has the port that one of these wanted.
    const [cause] = needs.flatMap(({ ended }) => ended() ?? []);
    if (cause) throw new Error(`waited in vain for ${what}: ${cause.message}`, { cause });
    if (value !== undefined && value !== false) return value;
    const waited = performance.now() - start;
    if (waited > timeoutMs) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`, { cause: failure });
    await sleep(everyMs ?? Math.min(Math.max(waited / 10, 100), 1000));
  }
}

function printable(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w./:=@,%+-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}
