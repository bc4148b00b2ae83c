/**
 * The Grafana dashboard: its queries as data, which the tests run, and the JSON that is made of them.
 * @module
 */

/** One line of a panel. */
export interface PanelQuery {
  /** PromQL. */
  readonly expr: string;
  /** With labels in braces: `{{reason}}`. */
  readonly legend: string;
}

/** One panel. */
export interface Panel {
  readonly title: string;
  /** As Grafana names it: `ops` a second, `s` seconds, `bytes`, `short`. */
  readonly unit: string;
  readonly queries: readonly PanelQuery[];
}

const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[5m]))`;
const quantiles = (histogram: string): readonly PanelQuery[] =>
  [0.5, 0.99].map((share) => ({
    expr: `histogram_quantile(${share}, sum by (le) (rate(${histogram}_bucket[5m])))`,
    legend: `${share * 100} %`,
  }));

/** The panels, in the order in which they are read. */
export const PANELS: readonly Panel[] = [
  {
    title: 'Certificates issued',
    unit: 'ops',
    queries: [
      { expr: rate('autocert_certificates_issued_total', 'delivery, purpose'), legend: '{{delivery}}, {{purpose}}' },
    ],
  },
  {
    title: 'Refused',
    unit: 'ops',
    queries: [
      { expr: rate('autocert_certificates_refused_total', 'delivery, reason'), legend: '{{delivery}}: {{reason}}' },
    ],
  },
  {
    title: 'Failed',
    unit: 'ops',
    queries: [
      { expr: rate('autocert_certificates_failed_total', 'delivery, reason'), legend: '{{delivery}}: {{reason}}' },
    ],
  },
  {
    title: 'Due, late, failing, not injected',
    unit: 'short',
    queries: [
      { expr: 'max by (delivery) (autocert_certificates_due)', legend: 'due ({{delivery}})' },
      { expr: 'max by (delivery) (autocert_certificates_late)', legend: 'late ({{delivery}})' },
      { expr: 'max(autocert_agents_failing)', legend: 'agents failing' },
      { expr: 'max(autocert_pods_not_injected)', legend: 'pods not injected' },
    ],
  },
  {
    title: 'Certificates of the PKI: time left',
    unit: 's',
    queries: [
      {
        expr: 'min by (kind, fingerprint) (autocert_certificate_not_after_timestamp_seconds - time())',
        legend: '{{kind}} {{fingerprint}}',
      },
    ],
  },
  {
    title: 'Pods’ certificates: time left of the first to expire',
    unit: 's',
    queries: [
      {
        expr: 'min by (delivery) (autocert_leaf_earliest_not_after_timestamp_seconds) - time()',
        legend: '{{delivery}}',
      },
    ],
  },
  {
    title: 'Agents: time to a certificate',
    unit: 's',
    queries: quantiles('autocert_certificate_request_duration_seconds'),
  },
  { title: 'Native: time to a certificate', unit: 's', queries: quantiles('autocert_signer_answer_duration_seconds') },
  {
    title: 'Pods injected',
    unit: 'short',
    queries: [
      { expr: 'max(autocert_pods_injected)', legend: 'injected' },
      { expr: 'max(autocert_certificates_known)', legend: 'native, known to the leader' },
    ],
  },
  {
    title: 'Admissions',
    unit: 'ops',
    queries: [{ expr: rate('autocert_admissions_total', 'result'), legend: '{{result}}' }],
  },
  {
    title: 'CA',
    unit: 'short',
    queries: [
      { expr: 'min(autocert_ca_up)', legend: 'answers (0 or 1)' },
      { expr: 'sum(autocert_ca_ready)', legend: 'replicas ready' },
      { expr: 'sum(autocert_signer_leader)', legend: 'signer leads (0 or 1)' },
      { expr: 'max(autocert_signer_ca_bundle_current)', legend: 'caBundle current (0 or 1)' },
    ],
  },
  {
    title: 'Signatures by step-ca',
    unit: 'ops',
    queries: [
      {
        expr: rate('step_ca_x509_signed_total', 'provisioner, success'),
        legend: '{{provisioner}}, success: {{success}}',
      },
    ],
  },
  {
    title: 'Database of the CA',
    unit: 'bytes',
    queries: [
      { expr: 'autocert_ca_database_bytes', legend: 'database {{pod}}' },
      { expr: 'autocert_ca_volume_bytes', legend: 'volume {{pod}}' },
      { expr: 'autocert_ca_volume_free_bytes', legend: 'free {{pod}}' },
    ],
  },
  {
    title: 'Native requests waiting; age of the trust bundle',
    unit: 'short',
    queries: [
      { expr: 'sum(autocert_signer_requests_waiting)', legend: 'waiting' },
      { expr: 'time() - max(autocert_trust_bundle_published_timestamp_seconds)', legend: 'age, seconds' },
    ],
  },
  {
    title: 'Memory',
    unit: 'bytes',
    queries: [{ expr: 'process_resident_memory_bytes{job=~"autocert|autocert-signer|ca"}', legend: '{{job}} {{pod}}' }],
  },
  {
    title: 'CPU',
    unit: 'short',
    queries: [
      { expr: 'rate(process_cpu_seconds_total{job=~"autocert|autocert-signer|ca"}[5m])', legend: '{{job}} {{pod}}' },
    ],
  },
];

const COLUMNS = 3;
const WIDTH = 24 / COLUMNS;
const HEIGHT = 8;
const datasource = { type: 'prometheus', uid: '$' + '{datasource}' };

/** The dashboard as Grafana reads it. */
export function dashboard(): object {
  return {
    uid: 'autocert',
    title: 'Autocert',
    tags: ['autocert'],
    schemaVersion: 39,
    editable: true,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' }] },
    panels: PANELS.map(({ title, unit, queries }, index) => ({
      id: index + 1,
      type: 'timeseries',
      title,
      datasource,
      gridPos: { x: (index % COLUMNS) * WIDTH, y: Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      targets: queries.map(({ expr, legend }, query) => ({
        refId: String.fromCharCode(65 + query),
        datasource,
        expr,
        legendFormat: legend,
      })),
    })),
  };
}
