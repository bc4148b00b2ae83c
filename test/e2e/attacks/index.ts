/**
 * `npm run e2e -- --attacks`: what a hostile tenant, a pod, a node, a thief would do, each with what must come of it and
 * the trace that it must leave. Steps 24.x are some of each kind, in the usual run.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import type { Context, Step } from '../context.ts';
import { caBundle } from '../installed.ts';
import { seconds } from '../runner.ts';
import { clusterSteps } from '../steps/cluster.ts';
import type { Attack, AttackRow } from './attack.ts';
import { floodAttacks } from './floods.ts';
import { Lab } from './lab.ts';
import { nameAttacks } from './names.ts';
import { nativeAttacks } from './native.ts';
import { writeReport } from './report.ts';
import { systemAttacks } from './system.ts';
import { tokenAttacks } from './tokens.ts';

/** All attacks, in the order in which they are made. */
export const ATTACKS: readonly Attack[] = [
  ...nameAttacks,
  ...tokenAttacks,
  ...nativeAttacks,
  ...systemAttacks,
  ...floodAttacks,
];

/** Some of each kind, for the usual run: names, tokens, volumes and requests, doors, rights. */
const QUICK: readonly string[] = [
  ...['name-victim', 'name-wildcard-svc', 'name-ca-host', 'name-api-server', 'name-uri'],
  ...['object-deployment', 'object-cronjob', 'update-template', 'annotation-by-node', 'own-volume'],
  ...['token-none', 'token-unbound', 'token-of-neighbour', 'token-of-dead-pod', 'csr-names', 'body-names'],
  ...[
    'volume-without-name',
    'volume-user-annotations',
    'volume-injected-by-hand',
    'request-by-node',
    'request-for-names',
  ],
  ...['report-forged', 'namespace-excluded', 'trust-bundle', 'ca-direct', 'mutate-by-pod', 'provisioner-stolen'],
  ...['signer-url', 'signer-ca-bundle'],
];

const PART = 24;
/** Of a trace, for a terminal. */
const SHOWN = 150;

/** Steps 24.x of the usual run. */
export function quickAttackSteps(context: Context): Step[] {
  return attackSteps(
    context,
    ATTACKS.filter(({ id }) => QUICK.includes(id)),
    () => undefined,
  );
}

/** The suite: a cluster of its own, all attacks, and the report anew when all were made. */
export function attackSuite(context: Context): Step[] {
  const installed: Step = {
    id: `${PART}.i`,
    name: 'Autocert is installed with its defaults, and the neighbour may have a name of its own',
    base: true,
    run: async () => {
      const dist = join(context.scratch, 'dist');
      await synthesize(dist, 'node test/e2e/attacks/app.ts');
      await install(context.kubectl, dist);
      await caBundle(context.kubectl);
    },
  };
  const rows: AttackRow[] = [];
  const reported: Step = {
    id: `${PART}.r`,
    name: 'the report is written',
    run: async () => {
      if (rows.length < attacksOn(context, ATTACKS).length) return; // some were chosen
      writeReport(rows);
    },
  };
  return [
    ...clusterSteps(context).filter(({ base }) => base),
    installed,
    ...attackSteps(context, ATTACKS, (row) => rows.push(row)),
    reported,
  ];
}

function attackSteps(context: Context, attacks: readonly Attack[], note: (row: AttackRow) => void): Step[] {
  let opened: Promise<Lab> | undefined;
  const lab = () => {
    opened ??= Lab.open(context);
    return opened;
  };
  const steps = attacksOn(context, attacks).map(
    (attack, index): Step => ({
      id: `${PART}.${index + 1}`,
      name: `${attack.id}: a ${attack.who} ${attack.name}: ${attack.expected}`,
      run: async () => {
        const place = await lab();
        const started = Date.now();
        const took = () => (Date.now() - started) / 1000;
        try {
          const defence = await attack.run(place);
          assert(defence.trace !== '', 'it left no trace');
          context.print(`       ${defence.happened} | ${shortened(defence.trace)} (${seconds(started)})`);
          note({ attack, seconds: took(), defence });
        } catch (error) {
          note({ attack, seconds: took(), failure: error instanceof Error ? error.message : String(error) });
          throw error;
        }
      },
    }),
  );
  const closed: Step = {
    id: `${PART}.${steps.length + 1}`,
    name: 'whoever attacked is gone, and CA, webhook and signer were not restarted',
    run: async () => {
      if (opened === undefined) return;
      const place = await opened;
      assert.equal(await place.restarts(), 0);
      await place.close();
    },
  };
  return [...steps, closed];
}

/** Those that this cluster can be attacked by. */
function attacksOn({ native, ownNode }: Context, attacks: readonly Attack[]): readonly Attack[] {
  return attacks.filter((attack) => (native || attack.native !== true) && (ownNode || attack.ownNode !== true));
}

function shortened(text: string): string {
  const line = text.replaceAll('\n', ' ');
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
