/**
 * Where step-ca remembers what it has issued, revoked, and which one-time tokens were used.
 * @module
 */
import { type Size, SizeRoundingBehavior } from 'cdk8s';
import { check, checkObjectName, checkOptional, checkString } from './validation.ts';

/** Options of {@link CaDatabase.persistent}. */
export interface PersistentDatabaseOptions {
  /**
   * Size of the volume. The database is rewritten without what is not needed any more when it takes a quarter of it, or
   * 256 MiB: a gibibyte does for any number of certificates. @default Size.gibibytes(1)
   */
  readonly size?: Size;
  /** StorageClass of the volume. @default - the cluster's default class */
  readonly storageClass?: string;
}

/** Options of {@link CaDatabase.mysql} and {@link CaDatabase.postgresql}. */
export interface SharedDatabaseOptions {
  /**
   * Secret in the CA's namespace with the data source, which has the database's password in it, under `dataSource`:
   * `user:password@tcp(host:3306)/` for MySQL, `postgresql://user:password@host:5432/` for PostgreSQL.
   */
  readonly dataSourceSecret: string;
  /** Name of the database on that server. @default 'stepca' */
  readonly database?: string;
}

/** Key of the data source in the Secret of a shared database, and its file name once mounted. */
export const DATA_SOURCE_FILE = 'dataSource';

/** File of a database that is not shared, in its volume. */
export const DATABASE_FILE = 'ca.bolt';

/** Where a server listens, unless it is told otherwise. */
const USUAL_PORT = { mysql: 3306, postgresql: 5432 } as const;

const checkDatabase = checkString(
  'it takes letters, digits and "_", at most 63 of them',
  /^[A-Za-z_][A-Za-z0-9_]{0,62}$/,
);

const checkSize = check('it takes a Size of whole mebibytes, such as Size.gibibytes(5)', (value): value is Size => {
  // An app may have another copy of cdk8s than this package, so `instanceof` would not do.
  if (typeof (value as Size | null)?.toKibibytes !== 'function') return false;
  const mebibytes = mebibytesOf(value as Size);
  return Number.isInteger(mebibytes) && mebibytes > 0;
});

/** Mebibytes, with a fraction if there is one. */
export function mebibytesOf(size: Size): number {
  return size.toMebibytes({ rounding: SizeRoundingBehavior.NONE });
}

/** How the database is kept. */
type Kind =
  | { readonly type: 'bbolt'; readonly volume?: PersistentDatabaseOptions }
  | { readonly type: 'mysql' | 'postgresql'; readonly dataSourceSecret: string; readonly database: string };

/** The CA's database. */
export class CaDatabase {
  /** bbolt, embedded in step-ca: one file on a volume. One replica. */
  static persistent(options: PersistentDatabaseOptions = {}): CaDatabase {
    checkOptional('storageClass', options.storageClass, checkObjectName);
    checkOptional('size', options.size, checkSize);
    return new CaDatabase({ type: 'bbolt', volume: options });
  }

  /**
   * bbolt in the pod's own directory, lost with the pod: for trying things out. A new pod has forgotten revocations.
   */
  static ephemeral(): CaDatabase {
    return new CaDatabase({ type: 'bbolt' });
  }

  /** A MySQL server that several replicas share. */
  static mysql(options: SharedDatabaseOptions): CaDatabase {
    return CaDatabase.#shared('mysql', options);
  }

  /** A PostgreSQL server that several replicas share. */
  static postgresql(options: SharedDatabaseOptions): CaDatabase {
    return CaDatabase.#shared('postgresql', options);
  }

  static #shared(type: 'mysql' | 'postgresql', options: SharedDatabaseOptions): CaDatabase {
    return new CaDatabase({
      type,
      database: checkDatabase('database', options.database ?? 'stepca'),
      dataSourceSecret: checkObjectName('dataSourceSecret', options.dataSourceSecret),
    });
  }

  /** @internal */
  readonly kind: Kind;

  private constructor(kind: Kind) {
    this.kind = kind;
  }

  /** Whether several replicas can work on it at once. */
  get shared(): boolean {
    return this.kind.type !== 'bbolt';
  }
  /** The port where its server listens, unless it is told otherwise: the host is in a Secret. Absent: there is no server. */
  get usualPort(): number | undefined {
    return this.kind.type === 'bbolt' ? undefined : USUAL_PORT[this.kind.type];
  }
}
