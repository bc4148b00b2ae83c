/** Prometheus itself with our metrics, alerts and dashboard: what it scrapes, evaluates and answers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ruleOf } from '../../constructs/monitoring.ts';
import { alerts } from '../../constructs/monitoring-alerts.ts';
import { PANELS } from '../../constructs/monitoring-dashboard.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { type MonitoredWorld, monitoredWorld } from '../support/monitored-world.ts';
import { BUILD_TIMEOUT_MS, type Output, output, program } from '../support/programs.ts';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { metricsIn, oursIn, samplesOf } from '../support/promql.ts';
import { ALERT_CASES, MORE_CASES, type Series } from './alert-cases.ts';

const ALL = alerts({ namespace: 'step', webhook: true, signer: true, ca: true });
/** A file of rules for Prometheus. */
const rulesOf = (some: typeof ALL) => {
  const rules = some.map((alert) => ruleOf(alert, 'https://example.com/runbooks'));
  return JSON.stringify({ groups: [{ name: 'autocert', rules }] });
};
const QUERIES = PANELS.flatMap(({ title, queries }) => queries.map(({ expr }) => [title, expr] as const));

const SOON = { timeoutMs: 20_000, everyMs: 100 };

let dir: string;
let rulesFile: string;
let promtool: (args: readonly string[], input?: string) => Promise<Output>;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-monitoring-'));
  rulesFile = join(dir, 'rules.yaml');
  writeFileSync(rulesFile, rulesOf(ALL));
  const file = await program('promtool');
  promtool = (args, input) => output(file, args, {}, input);
  await program('step-ca');
}, BUILD_TIMEOUT_MS);
afterAll(() => rmSync(dir, { recursive: true }));

test('the test sees the metrics in an expression', () => {
  const expr =
    'sum by (le, some_label) (rate(a_b_total{c_d="e_f"}[5m])) > 1 unless up{x="1"} and histogram_quantile(0.9, g_h)';
  expect(metricsIn(expr)).toEqual(['a_b_total', 'up', 'g_h']);
});

describe('the alerts', () => {
  test('are rules to promtool', async () => {
    const { code, stdout, stderr } = await promtool(['check', 'rules', rulesFile]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${ALL.length} rules found`);
  });

  /** How promtool says that an alert fires, or does not, at a time. */
  const course = (alert: string, series: Series, fires: boolean, at = 120) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: `${at}m`,
        exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
      },
    ],
  });
  /** With the rule of this alert alone: with all of them promtool computes ten times as long, for the same answer. */
  const check = async (alert: string, tests: readonly object[]) => {
    const folder = mkdtempSync(join(dir, 'check-'));
    const [rule, file] = [join(folder, 'rule.yaml'), join(folder, 'test.yaml')];
    writeFileSync(rule, rulesOf(ALL.filter(({ name }) => name === alert)));
    writeFileSync(file, JSON.stringify({ rule_files: [rule], evaluation_interval: '1m', tests }));
    const { code, stdout, stderr } = await promtool(['test', 'rules', file]);
    expect(`${code} ${stdout}${stderr}`).toMatch(/^0 /);
  };

  test('have a case each', () => {
    expect(Object.keys(ALERT_CASES).sort()).toEqual(ALL.map(({ name }) => name).sort());
  });

  test.each(Object.entries(ALERT_CASES))(
    '%s fires when it is to, and not otherwise',
    async (alert, { fires, quiet, at }) => {
      await check(alert, [course(alert, fires, true, at), course(alert, quiet, false, at)]);
    },
  );

  test.each(MORE_CASES)('%s: %s', async (_title, alert, series, fires, at) => {
    await check(alert, [course(alert, series, fires, at)]);
  });

  test('that holds for less than its time fires not yet', async () => {
    const series = { autocert_pods_not_injected: '0x110 3x300' };
    const alert = 'AutocertPodsNotInjected';
    await check(alert, [course(alert, series, false, 120), course(alert, series, true, 130)]);
  });
});

describe('what the programs serve', () => {
  let world: MonitoredWorld;
  let prometheus: Prometheus;
  beforeAll(async () => {
    world = await monitoredWorld();
    prometheus = await startPrometheus(dir, world.targets, rulesFile);
  }, BUILD_TIMEOUT_MS);
  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  /** A query's samples, as soon as there are any: a rate takes two scrapes. */
  const samples = (expr: string) =>
    waitFor(
      `samples of ${expr}`,
      async () => {
        const found = await prometheus.query(expr);
        return found.length > 0 && found;
      },
      SOON,
    );

  test('is well-named, of right types and documented, by promtool’s rules', async () => {
    for (const { job, text } of await world.scrape()) {
      expect([job, text]).toEqual([job, expect.stringMatching(/^# HELP /m)]);
      const ours = oursIn(text);
      if (ours.trim() === '') continue;
      const { code, stdout, stderr } = await promtool(['check', 'metrics'], ours);
      expect([job, code, stdout + stderr]).toEqual([job, 0, '']);
    }
  });

  test('has every metric that an alert or the dashboard speaks of', async () => {
    const wanted = [...ALL.map(({ expr }) => expr), ...QUERIES.map(([, expr]) => expr)].flatMap(metricsIn);
    expect(wanted.length).toBeGreaterThan(40);
    // The signer tells of an answer just after it has given it.
    await waitFor(
      'every metric',
      async () => {
        const served = new Set((await world.scrape()).flatMap(({ text }) => samplesOf(text).map(({ name }) => name)));
        // Prometheus makes `up` itself.
        expect(wanted.filter((name) => name !== 'up' && !served.has(name))).toEqual([]);
        return true;
      },
      SOON,
    );
  });

  test('is scraped by a real Prometheus, over the webhook’s TLS as well', async () => {
    for (const { job } of world.targets) {
      await waitFor(
        `${job} to be scraped`,
        async () => {
          const found = await prometheus.query(`up{job="${job}"}`);
          expect(found.map(({ value }) => value[1])).toEqual(job === 'ca' ? ['1', '1'] : ['1']);
          return true;
        },
        SOON,
      );
    }
  });

  test('sets off the alerts whose cause is there, and no others', async () => {
    interface Rule {
      readonly name: string;
      readonly health: string;
      readonly lastError?: string;
      readonly state: string;
    }
    const rules = async () => {
      const { groups } = await prometheus.api<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
      return groups.flatMap((group) => group.rules);
    };
    // The agent that has reported: it fails, and its certificate is late and has expired.
    const causes = ['AutocertAgentsFailing', 'AutocertCertificatesLate', 'AutocertLeafExpiring'];
    // Before the first scrape there is nothing but what is missing.
    await waitFor(
      'the alerts',
      async () => {
        const found = await rules();
        expect(found.filter(({ health }) => health !== 'ok')).toEqual([]);
        const active = found.flatMap(({ name, state }) => (state === 'inactive' ? [] : name));
        expect(active.sort()).toEqual(causes);
        return true;
      },
      SOON,
    );
  });

  test.each(QUERIES)(
    'answers the query of panel "%s": %s',
    async (_title, expr) => {
      const rated = samples(expr);
      await world.issue();
      expect((await rated).length).toBeGreaterThan(0);
    },
    60_000,
  );

  test.each(ALL.map(({ name, expr }) => [name, expr] as const))(
    'has samples for all that %s looks at',
    async (_name, expr) => {
      await prometheus.query(expr);
      for (const metric of metricsIn(expr)) expect([metric, (await samples(metric)).length]).not.toEqual([metric, 0]);
    },
  );
});
