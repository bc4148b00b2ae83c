/**
 * What differs between the database servers: how their files are made, how they are started, asked and ended.
 * @module
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a server is to be. */
export interface Place {
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  /** Of step-ca's user. */
  readonly password: string;
}

/** How one server is run. */
export interface Recipe {
  /** Commands that make its files, one after the other. */
  readonly make: readonly { readonly argv: readonly string[]; readonly input?: string }[];
  readonly serve: readonly string[];
  /** By which it ends in order and does not wait for its clients. */
  readonly endSignal: NodeJS.Signals;
  /** For step-ca. */
  readonly dataSource: string;
  readonly client: (database?: string) => { readonly argv: readonly string[]; readonly env: Record<string, string> };
}

/** The engines, by the name that step-ca's `db.type` has for them. */
export const ENGINES = { postgresql, mysql: mariadb } as const;
export type Engine = keyof typeof ENGINES;

/** step-ca's user, at both. */
const USER = 'stepca';
const POSTGRESQL = '/usr/lib/postgresql';

function postgresql({ folder, host, port, password }: Place): Recipe {
  const versions = existsSync(POSTGRESQL)
    ? readdirSync(POSTGRESQL)
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  if (versions[0] === undefined) throw new Error('PostgreSQL is not installed: apt-get install postgresql');
  const program = (name: string) => join(POSTGRESQL, String(versions[0]), 'bin', name);
  const data = join(folder, 'data');
  const rules = join(folder, 'pg_hba.conf');
  writeFileSync(rules, 'host all all all scram-sha-256\n');
  const setting = (name: string, value: string) => ['-c', `${name}=${value}`];
  return {
    make: [
      {
        argv: [
          ...[program('initdb'), `--pgdata=${data}`, '--username=postgres', '--auth=reject'],
          ...['--encoding=UTF8', '--locale=C', '--no-sync'],
        ],
      },
      {
        argv: [program('postgres'), '--single', '-D', data, 'postgres'],
        input: `CREATE ROLE ${USER} LOGIN CREATEDB PASSWORD '${password}'\n`,
      },
    ],
    serve: [
      ...[program('postgres'), '-D', data],
      ...setting('listen_addresses', host),
      ...setting('port', String(port)),
      ...setting('unix_socket_directories', ''),
      ...setting('hba_file', rules),
      // In its folder: what a server that is killed leaves in /dev/shm nobody would remove.
      ...setting('dynamic_shared_memory_type', 'mmap'),
    ],
    endSignal: 'SIGINT',
    dataSource: `postgresql://${USER}:${password}@${host}:${port}/`,
    client: (database = 'postgres') => ({
      argv: [
        ...[program('psql'), '--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator=\t'],
        ...['--set=ON_ERROR_STOP=1', `--host=${host}`, `--port=${port}`, `--username=${USER}`, `--dbname=${database}`],
      ],
      env: { PGPASSWORD: password, PGCONNECT_TIMEOUT: '5' },
    }),
  };
}

function mariadb({ folder, host, port, password }: Place): Recipe {
  const data = join(folder, 'data');
  const users = join(folder, 'users.sql');
  // Run at each start. Rights on everything are what making a database takes: MariaDB has no narrower ones.
  writeFileSync(
    users,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${password}';\nGRANT ALL ON *.* TO '${USER}'@'%';\n`,
  );
  return {
    make: [
      {
        argv: [
          ...['mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--skip-test-db', '--skip-name-resolve'],
          '--auth-root-authentication-method=socket',
        ],
      },
    ],
    serve: [
      ...['/usr/sbin/mariadbd', '--no-defaults', `--datadir=${data}`, `--bind-address=${host}`, `--port=${port}`],
      ...[`--socket=${join(folder, 'socket')}`, `--pid-file=${join(folder, 'pid')}`, '--skip-name-resolve'],
      `--init-file=${users}`,
    ],
    endSignal: 'SIGTERM',
    dataSource: `${USER}:${password}@tcp(${host}:${port})/`,
    client: (database = '') => ({
      argv: [
        ...['mariadb', '--no-defaults', '--batch', '--skip-column-names', `--host=${host}`, `--port=${port}`],
        ...[`--user=${USER}`, ...(database === '' ? [] : [database])],
      ],
      env: { MYSQL_PWD: password },
    }),
  };
}
