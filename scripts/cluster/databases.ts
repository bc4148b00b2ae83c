/**
 * PostgreSQL and MariaDB as Debian packages them, each a process of ours: a folder and a port of its own, an unprivileged
 * user, no system service. They end with the process that started them.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENGINES, type Engine, type Recipe } from './database-engines.ts';
import { type Background, background, run, tied, waitFor } from './shell.ts';

export { ENGINES, type Engine };

/**
 * What `db.dataSource` ends with, as docs/scaling.md says: what PostgreSQL does by itself lets a one-time token be used
 * twice.
 */
export const DATA_SOURCE_PARAMETERS = {
  postgresql: '?default_transaction_isolation=repeatable%20read',
  mysql: '',
} as const;

/** Where a server runs. */
export interface DatabaseOptions {
  /** Address that it listens on and is reached at. @default '127.0.0.1' */
  readonly host?: string;
  readonly port: number;
  /** A folder that the server's own is made in. @default - the system's for temporary files */
  readonly parent?: string;
  /** Runs a command in the network that has `host`. @default - this machine's */
  readonly inNetwork?: (argv: readonly string[]) => readonly string[];
}

/** A server that answers. */
export interface DatabaseServer {
  readonly engine: Engine;
  /** What step-ca takes as `db.dataSource`, less {@link DATA_SOURCE_PARAMETERS}: of a user who may make databases and is no administrator. */
  readonly dataSource: string;
  /** Folder of its files, where its size can be seen. */
  readonly folder: string;
  /** Runs SQL as step-ca's user; returns rows as lines, columns separated by tabs. */
  sql(statements: string, database?: string): Promise<string>;
  /** Ends it, in order unless a signal is named; {@link DatabaseServer.start} brings it back. */
  end(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes its files. */
  remove(): Promise<void>;
}

/** The user `nobody`, whom every Debian has: neither server runs as root. */
const NOBODY = 65_534;
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

/** A server writes down what it has in memory before it ends. */
const END_TIMEOUT_MS = 60_000;

/** Makes a server's files and starts it. */
export async function startDatabase(engine: Engine, options: DatabaseOptions): Promise<DatabaseServer> {
  const { host = '127.0.0.1', port, parent = tmpdir(), inNetwork = (argv) => argv } = options;
  const folder = mkdtempSync(join(parent, `autocert-${engine}-`));
  const isRoot = process.getuid?.() === 0;
  chmodSync(folder, 0o755);
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  // Each of these programs replaces the one before: the process that is started is the server.
  const confined = (argv: readonly string[]) => tied(argv, isRoot ? AS_NOBODY : []);
  const recipe: Recipe = ENGINES[engine]({ folder, host, port, password: randomBytes(12).toString('hex') });
  let server: Background | undefined;

  const end = async (signal: NodeJS.Signals = recipe.endSignal) => server?.stop(signal, END_TIMEOUT_MS);
  const sql = (statements: string, database?: string) => {
    const { argv, env } = recipe.client(database);
    return run(inNetwork(argv), { input: statements, env, timeoutMs: 600_000 });
  };
  const start = async () => {
    // It has ended when its last process has let go of what we read: until then another finds its memory in use.
    server = background(inNetwork(confined(recipe.serve)), { cwd: folder, holds: false });
    await waitFor(engine, async () => (await sql('SELECT 1')).trim() === '1', { needs: [server] });
  };
  const remove = async () => {
    await end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const { argv, input = '' } of recipe.make) await run(confined(argv), { cwd: folder, input });
    await start();
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return { engine, folder, dataSource: recipe.dataSource, sql, end, start, remove };
}
