/**
 * For each alert a course of metrics by which it fires, and one by which it does not, as `promtool test rules` takes them.
 * Values come once a minute, from the time 0 (Unix time) on: `1x120` is a 1 and 120 more.
 * @module
 */

/** Values by series. */
export type Series = Readonly<Record<string, string>>;

/** Both courses, and when they are looked at, minutes after the beginning. */
export interface AlertCase {
  readonly fires: Series;
  readonly quiet: Series;
  /** @default 120 */
  readonly at?: number;
}

const DAY = 86_400;
const steady = (value: number) => `${value}x600`;
const growing = (perMinute: number) => `0+${perMinute}x600`;

/** A certificate that has so many days left at the time 0, of a life of so many. */
const certificate = (kind: string, daysLeft: number, life: number): Series => ({
  [`autocert_certificate_not_after_timestamp_seconds{kind="${kind}",fingerprint="ab"}`]: steady(daysLeft * DAY),
  [`autocert_certificate_not_before_timestamp_seconds{kind="${kind}",fingerprint="ab"}`]: steady(
    (daysLeft - life) * DAY,
  ),
});
const up = (job: string, value: number): Series => ({
  [`up{namespace="step",job="${job}",pod="${job}-0"}`]: steady(value),
});
const alone = (series: string, fires: number | string, quiet: number | string): AlertCase => ({
  fires: { [series]: typeof fires === 'number' ? steady(fires) : fires },
  quiet: { [series]: typeof quiet === 'number' ? steady(quiet) : quiet },
});
const refused = (reason: string) => `autocert_certificates_refused_total{delivery="sidecar",reason="${reason}"}`;
const issued = 'autocert_certificates_issued_total{delivery="sidecar",purpose="renewal"}';
const failed = 'autocert_certificates_failed_total{delivery="sidecar",reason="Unavailable"}';
const volume = (free: number): Series => ({
  'autocert_ca_volume_free_bytes{pod="ca-0"}': steady(free),
  'autocert_ca_volume_bytes{pod="ca-0"}': steady(100),
});
const bucket = (le: string) => `autocert_certificate_request_duration_seconds_bucket{result="issued",le="${le}"}`;

/** By the alert's name. */
export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  AutocertServingCertificateExpiring: {
    fires: certificate('serving', 0.25, 1),
    quiet: { ...certificate('serving', 0.5, 1), ...certificate('root', 0.1, 10) },
  },
  AutocertIntermediateExpiring: {
    fires: certificate('intermediate', 290, 730),
    // Renewal is due, and a short-lived or a long-lived one that is well.
    quiet: certificate('intermediate', 350, 730),
  },
  AutocertIntermediateExpiresSoon: {
    fires: certificate('intermediate', 29, 730),
    quiet: certificate('intermediate', 29, 90),
  },
  AutocertRootExpiring: { fires: certificate('root', 720, 3650), quiet: certificate('root', 1000, 3650) },
  AutocertRootExpiresSoon: { fires: certificate('root', 170, 3650), quiet: certificate('root', 720, 3650) },
  AutocertLeafExpiring: alone(
    'autocert_leaf_earliest_not_after_timestamp_seconds{delivery="native"}',
    120 * 60 + 500,
    120 * 60 + 2000,
  ),
  AutocertCertificatesLate: alone('autocert_certificates_late{delivery="native"}', 2, 0),
  AutocertCertificatesRefused: alone(refused('NotAllowed'), growing(2), growing(0.1)),
  AutocertIssuanceFailing: {
    fires: { [failed]: growing(5), [issued]: growing(2) },
    quiet: { [failed]: growing(5), [issued]: growing(50) },
  },
  AutocertAgentsFailing: alone('autocert_agents_failing', 1, 0),
  AutocertRequestsSlow: {
    fires: { [bucket('10')]: growing(5), [bucket('30')]: growing(10), [bucket('+Inf')]: growing(10) },
    quiet: { [bucket('10')]: growing(10), [bucket('30')]: growing(10), [bucket('+Inf')]: growing(10) },
  },
  AutocertPodsNotInjected: alone('autocert_pods_not_injected', 3, 0),
  AutocertCaBundleNotCurrent: alone('autocert_signer_ca_bundle_current', 0, 1),
  AutocertTrustBundleNotPublished: {
    // Never; and a minute ago.
    ...alone('autocert_trust_bundle_published_timestamp_seconds', 0, growing(60)),
  },
  AutocertNoLeader: {
    fires: { 'autocert_signer_leader{pod="a"}': steady(0), 'autocert_signer_leader{pod="b"}': steady(0) },
    quiet: { 'autocert_signer_leader{pod="a"}': steady(0), 'autocert_signer_leader{pod="b"}': steady(1) },
  },
  AutocertCaNotReady: {
    fires: { 'autocert_ca_ready{pod="ca-0"}': steady(0), 'autocert_ca_ready{pod="ca-1"}': steady(0) },
    quiet: { 'autocert_ca_ready{pod="ca-0"}': steady(0), 'autocert_ca_ready{pod="ca-1"}': steady(1) },
  },
  AutocertCaRestarting: alone('autocert_ca_restarts_total{pod="ca-0",reason="ended"}', growing(0.2), growing(0.02)),
  AutocertCaVolumeFilling: { fires: volume(20), quiet: volume(30) },
  AutocertCaVolumeFull: { fires: volume(9), quiet: volume(20) },
  AutocertCaDatabaseSetAside: {
    // In a supervisor that was there before; and hours ago.
    fires: { 'autocert_ca_database_set_aside_total{pod="ca-0"}': '0x110 1x300' },
    quiet: { 'autocert_ca_database_set_aside_total{pod="ca-0"}': '0x40 1x300' },
  },
  AutocertCaConfigurationDoesNotFit: alone('autocert_ca_configuration_fits{pod="ca-0"}', 0, 1),
  AutocertCaDown: {
    fires: { 'autocert_ca_up{pod="a"}': steady(1), 'autocert_ca_up{pod="b"}': steady(0) },
    quiet: { 'autocert_ca_up{pod="a"}': steady(1), 'autocert_ca_up{pod="b"}': steady(1) },
  },
  AutocertWebhookDown: { fires: {}, quiet: up('autocert', 1) },
  AutocertSignerDown: { fires: up('autocert-signer', 0), quiet: up('autocert-signer', 1) },
  AutocertCaPodDown: { fires: up('other', 1), quiet: up('ca', 1) },
  AutocertReplicaDown: {
    fires: { ...up('autocert', 1), 'up{namespace="step",job="autocert",pod="autocert-1"}': steady(0) },
    quiet: { ...up('autocert', 1), 'up{namespace="shop",job="autocert",pod="autocert-1"}': steady(0) },
  },
};

/** Courses that are worth a look besides. */
export const MORE_CASES: readonly (readonly [
  name: string,
  alert: string,
  series: Series,
  fires: boolean,
  at: number,
])[] = [
  [
    'a database that was set aside before the supervisor was first scraped',
    'AutocertCaDatabaseSetAside',
    { 'autocert_ca_database_set_aside_total{pod="ca-0"}': '_x100 1x300' },
    true,
    120,
  ],
  [
    'the same, more than an hour later',
    'AutocertCaDatabaseSetAside',
    { 'autocert_ca_database_set_aside_total{pod="ca-0"}': '_x40 1x300' },
    false,
    120,
  ],
  ['a root of ten years half way', 'AutocertRootExpiring', certificate('root', 1825, 3650), false, 120],
  ['a CA with a volume that was not measured yet', 'AutocertCaVolumeFull', volumeOfNothing(), false, 120],
  ['pods that are gone', 'AutocertCertificatesRefused', { [refused('PodNotFound')]: growing(10) }, false, 120],
  [
    'two failed requests at night',
    'AutocertIssuanceFailing',
    { [failed]: '0x110 2x300', [issued]: steady(9) },
    false,
    120,
  ],
];

function volumeOfNothing(): Series {
  return { 'autocert_ca_volume_free_bytes{pod="ca-0"}': steady(0), 'autocert_ca_volume_bytes{pod="ca-0"}': steady(0) };
}
