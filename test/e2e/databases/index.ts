/**
 * `npm run e2e -- --databases`: three CAs on PostgreSQL, then on MariaDB, both as Debian packages them, in the node's
 * network. CAs are killed and the database is restarted while a hundred pods start and renew.
 * @module
 */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseServer, type Engine, startDatabase } from '../../../scripts/cluster/databases.ts';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import { Address } from '../../../scripts/cluster/settings.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { clusterSteps } from '../steps/cluster.ts';
import { Crowd } from './crowd.ts';
import { dataSourceObjects } from './data-source.ts';
import { answers, whileCasAreKilled } from './faults.ts';

const PORTS = { postgresql: 5432, mysql: 3306 } as const;
const TITLES = { postgresql: 'PostgreSQL', mysql: 'MariaDB' } as const;
const REPLICAS = 3;
/** Of an agent's five minutes a hundred seconds are left when it is to renew. */
const AWAY_MS = 30_000;

/** All of them. */
export function databaseSteps(context: Context): Step[] {
  const node = clusterSteps(context).filter(({ base }) => base);
  return [...node, ...stepsOf(context, 'postgresql', 20), ...stepsOf(context, 'mysql', 21)];
}

function stepsOf(context: Context, engine: Engine, part: number): Step[] {
  const { kubectl, scratch, print } = context;
  const [title, namespace] = [TITLES[engine], `e2e-${engine}`];
  const crowd = new Crowd(context, namespace);
  let server: DatabaseServer | undefined;
  const database = () => {
    assert(server, `${title} was started`);
    return server;
  };
  const tell = async (what: string, seconds: number) =>
    print(`       ${what}: ${seconds.toFixed(1)} s; certificate endpoints so far: ${await answers(kubectl)}`);
  const steps: Omit<Step, 'id'>[] = [
    {
      name: `${title} runs in the node's network; ${REPLICAS} CAs on it roll out`,
      base: true,
      run: async () => {
        chmodSync(scratch, 0o755); // the server runs as another user
        const { inNetwork } = context;
        server = await startDatabase(engine, { host: Address.node, port: PORTS[engine], parent: scratch, inNetwork });
        await kubectl.apply(dataSourceObjects(server));
        const dist = join(scratch, engine);
        await synthesize(dist, `node test/e2e/databases/app.ts ${engine}`);
        await kubectl.run(['-n', SYSTEM, 'delete', 'job', '--all', '--wait']); // of the engine before
        await install(kubectl, dist);
        // Kubelet brings them a changed configuration when it likes; the database of before is gone now.
        await kubectl.run(['-n', SYSTEM, 'rollout', 'restart', 'statefulset/ca']);
        await kubectl.rolledOut(SYSTEM, 'statefulset/ca');
        assert.equal((await kubectl.pods(SYSTEM, 'app=ca')).length, REPLICAS);
      },
    },
    {
      name: `${crowd.size} pods start at once: all become ready`,
      run: async () => {
        await tell('until the last was ready', await crowd.start());
        await crowd.assertUnharmed();
        await crowd.remove();
      },
    },
    {
      name: `${crowd.size} pods start at once while a CA is killed every ten seconds: all become ready`,
      base: true,
      run: async () => {
        const { result, kills } = await whileCasAreKilled(kubectl, () => crowd.start());
        await tell(`until the last was ready, ${kills} CA(s) killed`, result);
        await crowd.assertUnharmed();
      },
    },
    {
      name: 'all renew while a CA is killed every ten seconds: none fails',
      run: async () => {
        const before = await crowd.certificates();
        const { result, kills } = await whileCasAreKilled(kubectl, () => crowd.renew(before));
        await tell(`until the last had renewed, ${kills} CA(s) killed`, result);
        await crowd.assertUnharmed();
      },
    },
    {
      name: 'all renew while the database is away and comes back: none fails, and no CA is restarted',
      run: async () => {
        await kubectl.rolledOut(SYSTEM, 'statefulset/ca');
        const before = await crowd.certificates();
        const restarts = await kubectl.restarts(SYSTEM, 'app=ca');
        await database().end();
        const renewal = crowd.renew(before);
        await sleep(AWAY_MS); // how long it is away is what is tried here
        await database().start();
        await tell(`until the last had renewed, database away for ${AWAY_MS / 1000} s`, await renewal);
        await crowd.assertUnharmed();
        assert.equal(await kubectl.restarts(SYSTEM, 'app=ca'), restarts, 'no CA was restarted');
      },
    },
    {
      name: `what is left: no pod, no ${title}`,
      base: true,
      run: async () => {
        await crowd.remove();
        await database().remove();
      },
    },
  ];
  return steps.map((step, index) => ({ ...step, id: `${part}.${index + 1}` }));
}
