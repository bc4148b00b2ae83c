/**
 * The child processes of the demo: each part runs as the program that it is in a cluster. Their output goes to files; one
 * that ends unasked fails the whole with the tail of its output; none outlives this process.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AutocertError } from '../../lib/errors.ts';

/** How to start one. */
export interface ProcessOptions {
  /** The whole environment, besides {@link PASSED_ON}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of standard output and standard error. */
  readonly onLine?: (line: string) => void;
  /** `true`: it is expected to end, with code 0. @default false */
  readonly ends?: boolean;
}

/** Milliseconds that a process gets to end by itself. */
const GRACE_MS = 1_000;
const TAIL_LINES = 12;
/** Where programs are, and where Node keeps compiled ones, if anywhere. */
const PASSED_ON = ['PATH', 'NODE_COMPILE_CACHE'];

/** Starts, watches and ends processes. */
export class ChildProcesses {
  readonly #logDir: string;
  /** With the promise of its end. */
  readonly #running = new Map<ChildProcess, Promise<number>>();
  #stopping = false;
  #fail: (error: Error) => void = () => {};
  /** Rejects as soon as a process ends that should not have. */
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject;
  });

  /** Makes `logDir`. */
  constructor(logDir: string) {
    mkdirSync(logDir, { recursive: true });
    this.#logDir = logDir;
    this.failed.catch(() => {}); // whoever waits for a step races against it; nobody may be waiting just now
  }

  /** Starts Node on a script; see {@link ChildProcesses.start}. */
  node(name: string, args: readonly string[], options: ProcessOptions = {}): Promise<number> {
    return this.start(name, [process.execPath, ...args], options);
  }

  /** Starts a program; resolves with its exit code when it has ended. As in a container, what it started ends with it. */
  start(name: string, [file = '', ...args]: readonly string[], options: ProcessOptions = {}): Promise<number> {
    const { env, onLine, ends = false } = options;
    const logFile = join(this.#logDir, `${name}.log`);
    const log = createWriteStream(logFile, { flags: 'a' });
    const child = spawn(file, args, {
      env: { ...passedOn(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own: Ctrl-C is for this process, which ends the others in order
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        onLine?.(line);
      });
    }
    child.once('error', (error) => log.write(`${error.message}\n`)).once('exit', () => killGroup(child));
    const end = new Promise<number>((resolve) => {
      child.once('close', (code, signal) => {
        log.end(() => {
          this.#running.delete(child);
          if (!this.#stopping && !(ends && code === 0)) this.#fail(ended(name, code ?? signal, logFile));
          resolve(code ?? 1);
        });
      });
    });
    this.#running.set(child, end);
    return end;
  }

  /** Asks all to end, insists after a while, and returns when none is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const ends = [...this.#running.values()];
    for (const child of this.#running.keys()) child.kill('SIGTERM');
    const insist = setTimeout(() => this.kill(), GRACE_MS);
    await Promise.all(ends);
    clearTimeout(insist);
  }

  /** Kills all that are left. */
  kill(): void {
    for (const child of this.#running.keys()) killGroup(child);
  }
}

function passedOn(): Record<string, string> {
  return Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // nothing is left of it
  }
}

function ended(name: string, how: number | string | null, logFile: string): AutocertError {
  const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n  ');
  return new AutocertError('UNAVAILABLE', `${name} ended with ${how}; its last lines were:\n  ${tail}`);
}
