/** Replicas of real step-ca on one real PostgreSQL, and on one real MariaDB. */
import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
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
import { waitFor } from '../../scripts/cluster/shell.ts';
import { type Replicas, startReplicas } from '../support/ca-replicas.ts';
import { type Identity, postTo, renew } from '../support/ca-requests.ts';
import { certificateMaker } from '../support/embedded-ca.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

const NAMES = ['web.shop.svc'];
const REPLICAS = 3;
const TOKENS = 20;
/** A server and its clients are started: slow where others use the disk. */
const START_TIMEOUT_MS = 120_000;

beforeAll(async () => {
  await ensurePackages(() => {}, ['databases']);
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

/** How many of requests with one token, sent to all replicas at once, are given a certificate. */
async function uses({ replicas, token }: Replicas): Promise<number> {
  const [request, ott] = [await createKeyAndRequest(), await token(NAMES)];
  const everywhere = [...replicas, ...replicas];
  const answers = await Promise.allSettled(
    everywhere.map(({ client }) => client.sign({ csrPem: request.csrPem, token: ott })),
  );
  return answers.filter(({ status }) => status === 'fulfilled').length;
}

async function usesOfTokens(cas: Replicas): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < TOKENS; index += 1) found.push(await uses(cas));
  return found;
}

describe.each(Object.keys(ENGINES) as Engine[])('replicas of step-ca on %s', (engine) => {
  let database: DatabaseServer;
  let cas: Replicas;
  const at = (index: number) => {
    const replica = cas.replicas[index];
    if (!replica) throw new Error(`there are ${REPLICAS} replicas`);
    return replica;
  };
  const issueAt = (index: number, by?: 'admin'): Promise<Identity> =>
    certificateMaker(at(index).client, cas.token)(NAMES, by);

  beforeAll(async () => {
    database = await startDatabase(engine, { port: await freePort() });
    const dataSource = `${database.dataSource}${DATA_SOURCE_PARAMETERS[engine]}`;
    cas = await startReplicas(REPLICAS, { type: engine, dataSource, database: 'stepca' });
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    await cas?.stop();
    await database?.remove();
  });

  test(`a token that comes to all at once is used once: ${TOKENS} of ${TOKENS}`, async () => {
    expect(await usesOfTokens(cas)).toEqual(Array.from({ length: TOKENS }, () => 1));
  });

  test('what is revoked at one is not renewed at any', async () => {
    const identity = await issueAt(0, 'admin');
    expect(await renew(at(1), identity)).toMatchObject({ status: 201 });
    const { serialNumber } = new X509Certificate(identity.chainPem[0] ?? '');
    const serial = BigInt(`0x${serialNumber}`).toString();
    const revoked = await postTo(at(0), '/1.0/revoke', { serial, passive: true }, identity);
    expect(revoked).toMatchObject({ status: 200 });
    for (const replica of cas.replicas) expect(await renew(replica, identity)).toMatchObject({ status: 401 });
  });

  test.each([
    ['ended in order', undefined],
    ['killed', 'SIGKILL'],
  ] as const)(
    'a database that is %s under load and comes back: every replica signs again by itself',
    async (_, signal) => {
      const load = new AbortController();
      let refused = 0;
      const loads = cas.replicas.map(async (_replica, index) => {
        while (!load.signal.aborted) {
          // An error of the server; none says that the request itself is at fault.
          await issueAt(index).catch(({ code }) => {
            expect(code).toBe('UNAVAILABLE');
            refused += 1;
            return sleep(10);
          });
        }
      });
      try {
        await database.end(signal);
        await waitFor('refusals', async () => refused >= REPLICAS, { everyMs: 20 });
        await database.start();
        for (let index = 0; index < REPLICAS; index += 1) {
          await waitFor(`replica ${index} to sign`, () => issueAt(index), { timeoutMs: 10_000, everyMs: 20 });
        }
      } finally {
        load.abort();
        await Promise.all(loads);
      }
    },
  );
});

test(
  'PostgreSQL left at its default isolation lets a token be used more than once',
  async () => {
    const database = await startDatabase('postgresql', { port: await freePort() });
    const cas = await startReplicas(REPLICAS, {
      type: 'postgresql',
      dataSource: database.dataSource,
      database: 'stepca',
    });
    try {
      expect(Math.max(...(await usesOfTokens(cas)))).toBeGreaterThan(1);
    } finally {
      await cas.stop();
      await database.remove();
    }
  },
  START_TIMEOUT_MS,
);
