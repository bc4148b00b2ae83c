/**
 * Steps 18.x: what the programs tell Prometheus on a real cluster, and what our alerts make of it. The texts are kept in
 * the run's folder, as `metrics-POD-PORT.txt`.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ruleOf } from '../../../constructs/monitoring.ts';
import { alerts } from '../../../constructs/monitoring-alerts.ts';
import { PANELS } from '../../../constructs/monitoring-dashboard.ts';
import { CaPort, WEBHOOK_HEALTH_PORT } from '../../../runtime/contract.ts';
import { which } from '../../../scripts/cluster/packages.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';
import { metricsIn, oursIn, samplesOf } from '../../support/promql.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { byHandStep } from './by-hand.ts';

/** Programs by the label `app` of their pods. */
const TARGETS = [
  { app: 'autocert', port: WEBHOOK_HEALTH_PORT },
  { app: 'autocert-signer', port: WEBHOOK_HEALTH_PORT },
  { app: 'ca', port: CaPort.metrics },
  { app: 'ca', port: CaPort.supervisor },
] as const;

const ALL = alerts({ namespace: SYSTEM, webhook: true, signer: true, ca: true });
/** A right of steps 16.x has ended: the certificate of that pod does run out, and its agent tells so. */
const ON_PURPOSE = 'AutocertLeafExpiring';
/** What may not fire for a cluster that works. */
const NOT_OF_A_CLUSTER_THAT_WORKS = ALL.filter(({ severity }) => severity === 'critical')
  .map(({ name }) => name)
  .filter((name) => name !== ON_PURPOSE);
/** Told only while there is something to tell: that agents fail, that a database was damaged. */
const NOT_ALWAYS_THERE = ['autocert_leaf_earliest_not_after_timestamp_seconds'];
const MINUTES = 90;

interface Scraped {
  readonly app: string;
  readonly pod: string;
  readonly port: number;
  readonly text: string;
  /** Unix time. */
  readonly at: number;
}

/** Steps 18.x. */
export function monitoringSteps(context: Context): Step[] {
  const { kubectl, scratch, print } = context;
  let scraped: readonly Scraped[] = [];

  const scrape = async (): Promise<readonly Scraped[]> => {
    const all = TARGETS.map(async ({ app, port }) => {
      const pods = await kubectl.pods(SYSTEM, `app=${app}`);
      return Promise.all(
        pods.map(async (one) => {
          const pod = one.metadata.name;
          const text = await kubectl.metrics(one, port);
          writeFileSync(join(scratch, `metrics-${pod}-${port}.txt`), text);
          return { app, pod, port, text, at: Date.now() / 1000 };
        }),
      );
    });
    return (await Promise.all(all)).flat();
  };

  return [
    {
      id: '18.1',
      name: 'the programs tell Prometheus everything that alerts and dashboard speak of',
      run: async () => {
        const expressions = [
          ...ALL.map(({ expr }) => expr),
          ...PANELS.flatMap(({ queries }) => queries.map((q) => q.expr)),
        ];
        const wanted = new Set(expressions.flatMap(metricsIn));
        for (const name of ['up', ...NOT_ALWAYS_THERE]) wanted.delete(name);
        // The leader counts pods when it takes office, and its first certificate tells it of the intermediate.
        await waitFor('every metric', async () => {
          scraped = await scrape();
          const served = new Set(scraped.flatMap(({ text }) => samplesOf(text).map(({ name }) => name)));
          const missing = [...wanted].filter((name) => !served.has(name));
          if (missing.length > 0) throw new Error(`nobody tells of ${missing.join(', ')}`);
          return true;
        });
      },
    },
    {
      id: '18.2',
      name: 'promtool finds no fault with their names and types, where it is installed',
      run: async () => {
        const promtool = which('promtool');
        if (promtool === undefined) return print('promtool is not installed: left out');
        for (const { text } of scraped) {
          const input = oursIn(text);
          if (input.trim() !== '') await run([promtool, 'check', 'metrics'], { input });
        }
      },
    },
    {
      id: '18.3',
      name: 'by these samples none of the critical alerts fires, where promtool is installed',
      run: async () => {
        const promtool = which('promtool');
        if (promtool === undefined) return print('promtool is not installed: left out');
        assert(scraped.length > 0, 'step 18.1 has scraped');
        const rules = ALL.map((alert) => ruleOf(alert, 'docs/runbooks.md'));
        const rulesFile = join(scratch, 'rules.yaml');
        writeFileSync(rulesFile, JSON.stringify({ groups: [{ name: 'autocert', rules }] }));
        const expr = `count by (alertname) (ALERTS{alertstate="firing",alertname=~"${NOT_OF_A_CLUSTER_THAT_WORKS.join('|')}"})`;
        const test = {
          interval: '1m',
          input_series: scraped.flatMap(seriesOf),
          promql_expr_test: [{ expr, eval_time: `${MINUTES}m`, exp_samples: [] }],
        };
        const file = join(scratch, 'alerts.yaml');
        writeFileSync(file, JSON.stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests: [test] }));
        await run([promtool, 'test', 'rules', file]);
      },
    },
    byHandStep(context, '18.4'),
  ];
}

/** Samples of alerts as a course in which nothing changes any more. promtool's clock begins at 0, so times are moved. */
function seriesOf({ app, pod, text, at }: Scraped) {
  const wanted = new Set(ALL.flatMap(({ expr }) => metricsIn(expr)));
  const own = `namespace="${SYSTEM}",job="${app}",pod="${pod}"`;
  const served = samplesOf(text).filter(({ name, value }) => wanted.has(name) && Number.isFinite(Number(value)));
  return [
    { series: `up{${own}}`, values: `1x${MINUTES}` },
    ...served.map(({ name, labels, value }) => {
      const moved = name.endsWith('_timestamp_seconds') ? Number(value) - at + MINUTES * 60 : Number(value);
      return { series: `${name}{${[labels, own].filter(Boolean).join(',')}}`, values: `${moved}x${MINUTES}` };
    }),
  ];
}
