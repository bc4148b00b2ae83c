/**
 * What a Prometheus Operator and Grafana take: where to scrape, what to alert on, a dashboard.
 * @module
 */
import { ApiObject, Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { AutocertWebhook } from './autocert-webhook.ts';
import type { IStepCa } from './i-step-ca.ts';
import { checkLabels } from './labels.ts';
import { isDuration } from './lifetimes.ts';
import { type Alert, alerts } from './monitoring-alerts.ts';
import { dashboard } from './monitoring-dashboard.ts';
import { checkPeer } from './network-peers.ts';
import { openMetrics } from './network-policies.ts';
import { metadata } from './objects.ts';
import { HEALTH } from './program.ts';
import { StepCa } from './step-ca.ts';
import {
  type Check,
  check,
  checkFlag,
  checkInstance,
  checkList,
  checkOptional,
  checkText,
  refuse,
} from './validation.ts';

/** Name of what is not named after a program. */
const NAME = 'autocert';
const API = 'monitoring.coreos.com/v1';

/** Names of the containers' ports. */
const SUPERVISOR_PORT = 'supervisor';
const CA_METRICS_PORT = 'metrics';

/** Properties of {@link AutocertMonitoring}. */
export interface AutocertMonitoringProps {
  /** What is to be watched, with the CA that it uses. */
  readonly webhook: AutocertWebhook;
  /** Labels of every object, by which a Prometheus Operator or Grafana picks them. @default - none but our own */
  readonly labels?: Readonly<Record<string, string>>;
  /** How often Prometheus scrapes, in whole seconds. @default Duration.seconds(30) */
  readonly interval?: Duration;
  /** Whether to make `PodMonitor`s. @default true */
  readonly podMonitors?: boolean;
  /**
   * Whether to make a `PrometheusRule`. @default true
   * @see docs/runbooks.md
   */
  readonly prometheusRule?: boolean;
  /** Whether to make a ConfigMap with the Grafana dashboard, labelled `grafana_dashboard=1`. @default true */
  readonly dashboard?: boolean;
  /**
   * Who reads the metrics: your Prometheus, as a peer of a NetworkPolicy, such as
   * `{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }`; an empty list if you see to
   * that yourself. @default - whom `metricsFrom` of the CA names; one of the two is needed, unless there are no PodMonitors
   */
  readonly metricsFrom?: readonly k8s.NetworkPolicyPeer[];
  /**
   * Where the runbooks are: the page `docs/runbooks.md` as your people reach it. The name of the alert is added, in lower
   * case, behind a `#`. @default 'docs/runbooks.md'
   */
  readonly runbookUrl?: string;
}

const PROMETHEUS = `{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }`;

type Peers = readonly k8s.NetworkPolicyPeer[];

const checkPeers: Check<Peers> = (prop, value) => checkList(prop, value, checkPeer);
const checkWatched = checkInstance('it takes an AutocertWebhook', AutocertWebhook);
const checkInterval = check(
  'it takes a Duration of whole seconds, one at least, such as Duration.seconds(30)',
  (value): value is Duration => isDuration(value) && Number.isInteger(seconds(value)) && seconds(value) >= 1,
);

/**
 * Monitoring of one Autocert by a Prometheus Operator. The cluster must have its CustomResourceDefinitions
 * (`monitoring.coreos.com/v1`) before these manifests are applied, unless only the dashboard is made.
 *
 * @example
 * new AutocertMonitoring(chart, 'monitoring', { webhook, labels: { release: 'kube-prometheus-stack' } });
 */
export class AutocertMonitoring extends Construct {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #namespace: string;

  /** Makes the objects, in Autocert's namespace. */
  constructor(scope: Construct, id: string, props: AutocertMonitoringProps) {
    super(scope, id);
    const webhook = checkWatched('webhook', props.webhook);
    this.#namespace = webhook.ca.namespace;
    this.#labels = checkLabels('labels', props.labels ?? {});
    const interval = `${seconds(checkInterval('interval', props.interval ?? Duration.seconds(30)))}s`;
    const runbookUrl = checkText('runbookUrl', props.runbookUrl ?? 'docs/runbooks.md');
    const podMonitors = checkFlag('podMonitors', props.podMonitors ?? true);
    if (podMonitors) this.#addMonitors(webhook, interval);
    this.#openMetrics(webhook.ca, checkOptional('metricsFrom', props.metricsFrom, checkPeers), podMonitors);
    if (checkFlag('prometheusRule', props.prometheusRule ?? true)) this.#addRule(webhook, runbookUrl);
    if (checkFlag('dashboard', props.dashboard ?? true)) this.#addDashboard();
  }

  #addMonitors({ ca, hasServer, hasSigner }: AutocertWebhook, interval: string): void {
    const monitor = (id: string, app: string, endpoints: readonly object[]) =>
      this.#add(id, 'PodMonitor', app, {
        // The job is named after the program: alerts and dashboard go by it.
        jobLabel: 'app',
        selector: { matchLabels: { app } },
        podMetricsEndpoints: endpoints.map((endpoint) => ({ path: '/metrics', interval, ...endpoint })),
      });
    if (hasServer) monitor('Webhook', NAME, [{ port: HEALTH.name }]);
    if (hasSigner) monitor('Signer', 'autocert-signer', [{ port: HEALTH.name }]);
    if (ca instanceof StepCa) monitor('Ca', 'ca', [{ port: CA_METRICS_PORT }, { port: SUPERVISOR_PORT }]);
  }

  #openMetrics({ network }: IStepCa, peers: Peers | undefined, needed: boolean): void {
    if (network === undefined) return; // a policy that opens these ports would close all others
    if (needed && peers === undefined && network.metricsFrom.length === 0) {
      refuse(
        'metricsFrom',
        peers,
        `the NetworkPolicies let nobody read metrics: name your Prometheus, such as ${PROMETHEUS}`,
      );
    }
    if (peers !== undefined && peers.length > 0) openMetrics(this, network, `${NAME}-metrics`, peers);
  }

  #addRule({ ca, hasServer, hasSigner }: AutocertWebhook, runbookUrl: string): void {
    const scope = { namespace: ca.namespace, webhook: hasServer, signer: hasSigner, ca: ca instanceof StepCa };
    const rules = alerts(scope).map((alert) => ruleOf(alert, runbookUrl));
    this.#add('Rule', 'PrometheusRule', NAME, { groups: [{ name: NAME, rules }] });
  }

  #addDashboard(): void {
    const labels = { ...this.#labels, grafana_dashboard: '1' };
    new k8s.KubeConfigMap(this, 'Dashboard', {
      metadata: metadata(`${NAME}-dashboard`, this.#namespace, labels),
      data: { 'autocert.json': `${JSON.stringify(dashboard(), undefined, 2)}\n` },
    });
  }

  #add(id: string, kind: string, name: string, spec: object): void {
    new ApiObject(this, id, { apiVersion: API, kind, metadata: metadata(name, this.#namespace, this.#labels), spec });
  }
}

/** An alert as Prometheus reads it. */
export function ruleOf({ name, severity, expr, for: lasting, summary, description }: Alert, runbookUrl: string) {
  const annotations = { summary, description, runbook_url: `${runbookUrl}#${name.toLowerCase()}` };
  return { alert: name, expr, for: lasting, labels: { severity }, annotations };
}

function seconds(duration: Duration): number {
  return duration.toSeconds({ integral: false });
}
