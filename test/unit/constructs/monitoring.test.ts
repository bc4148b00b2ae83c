import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Chart, Duration } from 'cdk8s';
import {
  AutocertMonitoring,
  type AutocertMonitoringProps,
  AutocertWebhook,
  Injector,
  StepCa,
} from '../../../constructs/index.ts';
import { alerts } from '../../../constructs/monitoring-alerts.ts';
import { PANELS } from '../../../constructs/monitoring-dashboard.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { find, listed, type Manifest, podSpecs, synth } from '../../support/manifests.ts';

type Props = Omit<AutocertMonitoringProps, 'webhook'>;

const { rootPem } = await createPki('Elsewhere');
const RUNBOOKS = readFileSync(join(import.meta.dirname, '../../../docs/runbooks.md'), 'utf8');

/** Everything of an installation, with its monitoring. */
function made(props: Props = {}, injector = Injector.webhook()): readonly Manifest[] {
  return synth((chart) => {
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca'), injector });
    new AutocertMonitoring(chart, 'monitoring', { webhook, metricsFrom: [], ...props });
  });
}
const monitors = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind === 'PodMonitor');
const rulesOf = (manifests: readonly Manifest[]) => find(manifests, 'PrometheusRule').spec.groups[0].rules;
interface Port {
  readonly name?: string;
}

describe('AutocertMonitoring', () => {
  const manifests = made();

  test('scrapes every program by a port that its pods have', () => {
    const endpoints = monitors(manifests).flatMap(({ spec }) =>
      spec.podMetricsEndpoints.map(({ port }: { port: string }) => `${spec.selector.matchLabels.app}: ${port}`),
    );
    const ports = [...podSpecs(manifests)].flatMap(([workload, { containers }]) =>
      containers.flatMap(({ ports = [] }: { ports?: readonly Port[] }) =>
        ports.map(({ name }) => `${workload.split('/')[1]}: ${name}`),
      ),
    );
    expect(endpoints).toEqual(['autocert: http', 'autocert-signer: http', 'ca: metrics', 'ca: supervisor']);
    for (const endpoint of endpoints) expect(ports).toContain(endpoint);
  });

  test('names jobs after programs, as alerts and dashboard call them', () => {
    for (const { spec } of monitors(manifests)) expect(spec.jobLabel).toBe('app');
  });

  test('has an alert for each way in which Autocert can fail, with severity, words and a runbook', () => {
    const rules = rulesOf(manifests);
    expect(rules.length).toBeGreaterThan(20);
    for (const { alert, expr, labels, annotations, ...rest } of rules) {
      expect(alert).toMatch(/^Autocert[A-Z][A-Za-z]+$/);
      expect(expr).not.toBe('');
      expect(rest.for).toMatch(/^\d+[mh]$/);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(annotations).toEqual({
        summary: expect.stringMatching(/\w/),
        description: expect.stringMatching(/\.$/),
        runbook_url: `docs/runbooks.md#${alert.toLowerCase()}`,
      });
    }
    expect(new Set(rules.map(({ alert }: { alert: string }) => alert)).size).toBe(rules.length);
  });

  test('has a section of the runbooks for each alert, and no other', () => {
    const sections = [...RUNBOOKS.matchAll(/^## (Autocert\w+)$/gm)].map(([, name]) => name);
    const names = alerts({ namespace: 'step', webhook: true, signer: true, ca: true }).map(({ name }) => name);
    expect(sections.sort()).toEqual([...names].sort());
  });

  test('has a dashboard of a dozen panels and more, that Grafana finds by its label', () => {
    const { metadata, data } = find(manifests, 'ConfigMap', 'autocert-dashboard');
    expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    const { panels, title } = JSON.parse(data?.['autocert.json'] ?? '');
    expect(title).toBe('Autocert');
    expect(panels.length).toBeGreaterThanOrEqual(12);
    expect(panels).toHaveLength(PANELS.length);
    expect(panels[1]).toMatchObject({
      gridPos: { x: 8, y: 0 },
      targets: [{ refId: 'A', expr: PANELS[1]?.queries[0]?.expr }],
    });
    const places = panels.map(({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x},${y}`);
    expect(new Set(places).size).toBe(panels.length);
  });

  test('puts labels and the runbooks’ address where the props say', () => {
    const changed = made({
      labels: { release: 'prometheus' },
      interval: Duration.minutes(2),
      runbookUrl: 'https://wiki.example.com/autocert',
    });
    for (const { metadata } of changed.filter(({ kind }) => ['PodMonitor', 'PrometheusRule'].includes(kind))) {
      expect(metadata).toMatchObject({ namespace: 'step', labels: { release: 'prometheus' } });
    }
    expect(find(changed, 'ConfigMap', 'autocert-dashboard').metadata.labels).toMatchObject({ release: 'prometheus' });
    expect(monitors(changed)[0]?.spec.podMetricsEndpoints[0].interval).toBe('120s');
    expect(rulesOf(changed)[0].annotations.runbook_url).toMatch(/^https:\/\/wiki\.example\.com\/autocert#autocert\w+$/);
  });

  test('makes what is wanted of the three', () => {
    const nothing = { podMonitors: false, prometheusRule: false, dashboard: false };
    const kinds = (props: Props) => {
      const kept = listed(made({ ...nothing, ...props })).filter((name) => /Monitor|Rule|dashboard/.test(name));
      return kept.filter((name) => !name.startsWith('Role'));
    };
    expect(kinds({})).toEqual([]);
    expect(kinds({ podMonitors: true })).toEqual([
      'PodMonitor/autocert',
      'PodMonitor/autocert-signer',
      'PodMonitor/ca',
    ]);
    expect(kinds({ prometheusRule: true })).toEqual(['PrometheusRule/autocert']);
    expect(kinds({ dashboard: true })).toEqual(['ConfigMap/autocert-dashboard']);
  });

  test('without a webhook watches none, nor the agents that ask it', () => {
    const without = made({}, Injector.policy());
    expect(listed(monitors(without))).toEqual(['PodMonitor/autocert-signer', 'PodMonitor/ca']);
    const names = rulesOf(without).map(({ alert }: { alert: string }) => alert);
    expect(names).not.toContain('AutocertWebhookDown');
    expect(names).not.toContain('AutocertAgentsFailing');
    expect(names).toContain('AutocertSignerDown');
  });

  test('with a CA elsewhere does not watch its pod', () => {
    const elsewhere = synth((chart: Chart) => {
      const ca = StepCa.fromUrl(chart, 'ca', {
        url: 'https://ca.example.com',
        rootCertificate: rootPem,
      });
      new AutocertMonitoring(chart, 'monitoring', {
        webhook: new AutocertWebhook(chart, 'autocert', { ca }),
        metricsFrom: [],
      });
    });
    expect(listed(monitors(elsewhere))).toEqual(['PodMonitor/autocert', 'PodMonitor/autocert-signer']);
    expect(rulesOf(elsewhere).map(({ alert }: { alert: string }) => alert)).not.toContain('AutocertCaVolumeFull');
  });

  test.each<[string, object, RegExp]>([
    ['an interval that is none', { interval: 30 }, /^interval: got 30, but it takes a Duration of whole seconds/],
    ['an interval of a part of a second', { interval: Duration.millis(500) }, /^interval: .*whole seconds/],
    ['a label that is none', { labels: { release: 'a b' } }, /^labels\.release: got "a b"/],
    ['no address', { runbookUrl: '' }, /^runbookUrl: got ""/],
    ['a flag that is none', { dashboard: 'yes' }, /^dashboard: got "yes"/],
    ['no webhook', { webhook: {} }, /^webhook: got \{\}, but it takes an AutocertWebhook/],
  ])('refuses %s', (_title, props, problem) => {
    expect(() => made(props as Props)).toThrow(problem);
  });
});
