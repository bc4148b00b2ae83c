/** The SQL of docs/scaling.md, as it is printed there, on both databases while replicas of real step-ca sign. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import {
  DATA_SOURCE_PARAMETERS,
  type DatabaseServer,
  ENGINES,
  type Engine,
  startDatabase,
} from '../../scripts/cluster/databases.ts';
import { ensurePackages } from '../../scripts/cluster/packages.ts';
import { type Replicas, startReplicas } from '../support/ca-replicas.ts';
import { postTo, renew } from '../support/ca-requests.ts';
import { certificateMaker } from '../support/embedded-ca.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/scaling.md'), 'utf8');
const NAMES = ['web.shop.svc'];
const DATABASE = 'stepca';

/** A server and their clients are started: slow where others use the disk. */
const START_TIMEOUT_MS = 120_000;

/** The block that begins with this line. */
function block(title: string): string {
  const found = [...GUIDE.matchAll(/```sql\n(.*?)```/gs)].map(([, sql = '']) => sql);
  const sql = found.find((text) => text.startsWith(`${title}\n`));
  if (sql === undefined) throw new Error(`docs/scaling.md has no SQL that begins with ${title}`);
  return sql;
}

/** A token of 2023, as far as SQL looks at it, and what makes 1,000 rows of it. */
const OLD = ['{}', '{"exp":1700000000}', ''].map((part) => Buffer.from(part).toString('base64url') || 'c2ln').join('.');
const DETAILS = {
  postgresql: {
    once: '',
    prune: block('-- PostgreSQL'),
    fill: `INSERT INTO used_ott SELECT convert_to(md5(i::text), 'UTF8'), convert_to('${OLD}', 'UTF8') FROM generate_series(1, 1000) i`,
  },
  mysql: {
    once: block('-- MySQL, MariaDB: once'),
    prune: block('-- MySQL, MariaDB'),
    fill: `INSERT INTO used_ott SELECT MD5(seq), '${OLD}' FROM seq_1_to_1000`,
  },
} as const;

beforeAll(async () => {
  await ensurePackages(() => {}, ['databases']);
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

describe.each(Object.keys(ENGINES) as Engine[])('pruning %s while it is used', (engine) => {
  const { once, prune, fill } = DETAILS[engine];
  let database: DatabaseServer;
  let cas: Replicas;
  const issue = (index: number, by?: 'admin') => {
    const replica = cas.replicas[index];
    if (!replica) throw new Error('there are two replicas');
    return certificateMaker(replica.client, cas.token)(NAMES, by);
  };
  const rows = async (table: string) => Number(await database.sql(`SELECT count(*) FROM ${table}`, DATABASE));

  beforeAll(async () => {
    database = await startDatabase(engine, { port: await freePort() });
    const dataSource = `${database.dataSource}${DATA_SOURCE_PARAMETERS[engine]}`;
    cas = await startReplicas(2, { type: engine, dataSource, database: DATABASE });
    if (once !== '') await database.sql(once, DATABASE);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await cas?.stop();
    await database?.remove();
  });

  test('refuses nobody, drops old tokens and what was issued, keeps young tokens', async () => {
    const kept = await rows('used_ott');
    await database.sql(fill, DATABASE);
    const over = new AbortController();
    let issued = 0;
    const loads = [0, 1].map(async (index) => {
      while (!over.signal.aborted) {
        await issue(index);
        issued += 1;
      }
    });
    try {
      await database.sql(prune, DATABASE);
    } finally {
      over.abort();
      await Promise.all(loads);
    }
    expect(issued).toBeGreaterThan(0);
    expect(await rows('used_ott')).toBe(kept + issued);
    expect(await rows('x509_certs')).toBeLessThanOrEqual(issued);
  });

  test('leaves a used token used, a revoked certificate revoked, and certificates renewable and revocable', async () => {
    const token = await cas.token(NAMES);
    const [one, other] = cas.replicas;
    if (!one || !other) throw new Error('there are two replicas');
    const { csrPem } = await createKeyAndRequest();
    await one.client.sign({ csrPem, token });
    const [good, revoked] = [await issue(0, 'admin'), await issue(0, 'admin')];
    const revoke = (identity: typeof good) => {
      const { serialNumber } = new X509Certificate(identity.chainPem[0] ?? '');
      return postTo(one, '/1.0/revoke', { serial: BigInt(`0x${serialNumber}`).toString(), passive: true }, identity);
    };
    expect(await revoke(revoked)).toMatchObject({ status: 200 });
    await database.sql(prune, DATABASE);
    expect(await rows('x509_certs')).toBe(0);
    await expect(other.client.sign({ csrPem, token })).rejects.toMatchObject({ status: 401 });
    expect(await renew(other, revoked)).toMatchObject({ status: 401 });
    expect(await renew(other, good)).toMatchObject({ status: 201 });
    expect(await revoke(good)).toMatchObject({ status: 200 });
    expect(await renew(other, good)).toMatchObject({ status: 401 });
  });
});
