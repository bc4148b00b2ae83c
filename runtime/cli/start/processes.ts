/**
 * The child processes of `autocert start`: each part runs as the program that it is in a cluster. Their output goes to
 * files; one that ends unasked fails the whole with the tail of its output; all end with this process.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AutocertError } from '../../lib/errors.ts';

/** How to start one. */
export interface ProcessOptions {
  /** The whole environment, besides `PATH`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of standard output and standard error. */
  readonly onLine?: (line: string) => void;
  /** Ending with code 0 is what it should do. Default: it should go on. */
  readonly ends?: boolean;
}

/** Milliseconds that a process gets to end by itself. */
const GRACE = 3_000;
const TAIL_LINES = 12;

/** Starts, watches and ends processes. */
export class Processes {
  readonly #logDir: string;
  readonly #children = new Map<ChildProcess, string>();
  #stopping = false;
  #fail: (error: Error) => void = () => {};
  /** Rejects as soon as a process ends that should not have. */
  readonly failed: Promise<never> = new Promise((_, reject) => {
    this.#fail = reject;
  });

  constructor(logDir: string) {
    this.#logDir = logDir;
    this.failed.catch(() => {}); // whoever waits for a step races against it; nobody may be waiting just now
  }

  /** Starts Node on a script; resolves with its exit code when it has ended. */
  node(name: string, args: readonly string[], { env, onLine, ends = false }: ProcessOptions = {}): Promise<number> {
    const logFile = join(this.#logDir, `${name}.log`);
    const log = createWriteStream(logFile, { flags: 'a' });
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for this process, which then ends the others in order
    });
    this.#children.set(child, name);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`);
        onLine?.(line);
      });
    }
    return new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#children.delete(child);
        log.end(() => {
          if (!this.#stopping && !(ends && code === 0)) this.#fail(ended(name, code ?? signal, logFile));
          resolve(code ?? 1);
        });
      });
    });
  }

  /** Asks all to end, insists after a while, and returns when none is left. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = [...this.#children.keys()].map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of this.#children.keys()) child.kill('SIGTERM');
    const insist = setTimeout(() => {
      for (const child of this.#children.keys()) child.kill('SIGKILL');
    }, GRACE);
    await Promise.all(closed);
    clearTimeout(insist);
  }
}

function ended(name: string, how: number | string | null, logFile: string): AutocertError {
  const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n  ');
  return new AutocertError('UNAVAILABLE', `${name} ended with ${how}; its last lines were:\n  ${tail}`);
}
