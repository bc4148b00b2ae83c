/**
 * What is worth an alert, as data: the tests run each expression.
 *
 * `docs/runbooks.md` has a section for each alert; its heading is the alert's name.
 * @module
 */

/** Where alerts begin. Shares are of a certificate's lifetime; the rest is in days, seconds or counts as named. */
export const AlertThreshold = {
  /** The webhook renews its own certificate when a third of its life is left at the latest. */
  servingShareLeft: 0.2,
  /** The intermediate is renewed when half of its life is left. Sooner than both an alert would be about nothing. */
  intermediate: { shareLeft: 0.4, daysLeft: 300 },
  /** From then on somebody has to act now. */
  intermediateSoonDaysLeft: 30,
  /** An intermediate never outlives its root: below two years its life gets shorter. */
  root: { shareLeft: 0.25, daysLeft: 730 },
  /** From then on somebody has to act now. */
  rootSoonDaysLeft: 180,
  /** A native certificate of an hour, the shortest there is, is renewed when a quarter of an hour is left. */
  leafSecondsLeft: 600,
  /** Free share of the volume of the CA's database. */
  volumeFreeShare: { warning: 0.25, critical: 0.1 },
  /** Restarts of step-ca in an hour. */
  caRestarts: 5,
  /** Refused attempts in half an hour. One agent that is refused makes some dozens. */
  refused: 20,
  /** Attempts that failed in ten minutes, and were more than those that did not. */
  failed: 5,
  /** Time of the slowest hundredth of requests for a certificate. */
  slowSeconds: 10,
  /** The leader publishes the trust bundle each minute. */
  trustBundleSeconds: 900,
} as const;

/** One alert. */
export interface Alert {
  readonly name: string;
  readonly severity: 'critical' | 'warning';
  /** PromQL. */
  readonly expr: string;
  /** How long it has to hold. */
  readonly for: string;
  /** One line. `{{ $value }}` and `{{ $labels.… }}` are filled in by Prometheus. */
  readonly summary: string;
  /** What it means, and for whom. */
  readonly description: string;
}

/** What alerts are for. */
export interface AlertScope {
  /** Namespace of Autocert: that of the scraped pods. */
  readonly namespace: string;
  /** Whether there is a webhook, and with it agents. */
  readonly webhook: boolean;
  /** Whether there is a signer, whose leader keeps and counts things. */
  readonly signer: boolean;
  /** Whether the CA runs in the cluster, with its supervisor. */
  readonly ca: boolean;
}

const DAY = 86_400;
const T = AlertThreshold;
const notAfter = (kind: string) => `autocert_certificate_not_after_timestamp_seconds{kind="${kind}"}`;
const notBefore = (kind: string) => `autocert_certificate_not_before_timestamp_seconds{kind="${kind}"}`;
/** What is left of certificates' lives: seconds, and as a share. Several replicas tell of the same certificate. */
const left = (kind: string) => `min by (kind, fingerprint) (${notAfter(kind)} - time())`;
const shareLeft = (kind: string) =>
  `min by (kind, fingerprint) ((${notAfter(kind)} - time()) / (${notAfter(kind)} - ${notBefore(kind)}))`;
const leftLess = (kind: string, { shareLeft: share, daysLeft }: { shareLeft: number; daysLeft: number }) =>
  `${left(kind)} < ${daysLeft * DAY} and ${shareLeft(kind)} < ${share}`;

/** The alerts of one installation. */
export function alerts(scope: AlertScope): readonly Alert[] {
  return [
    ...certificateAlerts(scope),
    ...issuanceAlerts(scope),
    ...(scope.signer ? clusterAlerts(scope) : []),
    ...(scope.ca ? caAlerts() : []),
    ...presenceAlerts(scope),
  ];
}

function certificateAlerts({ webhook }: AlertScope): readonly Alert[] {
  const soon = { shareLeft: 0.15 };
  const serving: Alert = {
    name: 'AutocertServingCertificateExpiring',
    severity: 'critical',
    expr: `${shareLeft('serving')} < ${T.servingShareLeft}`,
    for: '10m',
    summary: 'The webhook cannot renew its own certificate',
    description:
      'When it expires the API server can no longer reach the webhook: annotated pods are refused, and agents get nothing.',
  };
  return [
    ...(webhook ? [serving] : []),
    {
      name: 'AutocertIntermediateExpiring',
      severity: 'warning',
      expr: leftLess('intermediate', T.intermediate),
      for: '1h',
      summary: 'The intermediate {{ $labels.fingerprint }} has not been renewed',
      description: 'It ought to have been renewed when half of its life was left. Certificates cannot outlive it.',
    },
    {
      name: 'AutocertIntermediateExpiresSoon',
      severity: 'critical',
      expr: leftLess('intermediate', { ...soon, daysLeft: T.intermediateSoonDaysLeft }),
      for: '10m',
      summary: 'The intermediate {{ $labels.fingerprint }} expires in {{ $value | humanizeDuration }}',
      description: 'When it expires no certificate that it has signed verifies any more.',
    },
    {
      name: 'AutocertRootExpiring',
      severity: 'warning',
      expr: leftLess('root', T.root),
      for: '1h',
      summary: 'The root {{ $labels.fingerprint }} is to be replaced',
      description: 'Its replacement takes weeks, for pods that trust the old root only have to be started anew.',
    },
    {
      name: 'AutocertRootExpiresSoon',
      severity: 'critical',
      expr: leftLess('root', { ...soon, daysLeft: T.rootSoonDaysLeft }),
      for: '10m',
      summary: 'The root {{ $labels.fingerprint }} expires in {{ $value | humanizeDuration }}',
      description: 'When it expires no certificate of this PKI verifies any more.',
    },
    {
      name: 'AutocertLeafExpiring',
      severity: 'critical',
      expr: `min by (delivery) (autocert_leaf_earliest_not_after_timestamp_seconds) - time() < ${T.leafSecondsLeft}`,
      for: '1m',
      summary: 'A pod’s certificate ({{ $labels.delivery }}) expires in {{ $value | humanizeDuration }}',
      description: 'It has not been renewed. The pod’s peers will refuse it once it has expired.',
    },
    {
      name: 'AutocertCertificatesLate',
      severity: 'warning',
      expr: 'max by (delivery) (autocert_certificates_late) > 0',
      for: '15m',
      summary: '{{ $value }} certificates ({{ $labels.delivery }}) ought to have been renewed',
      description: 'They are past the end of their renewal window by more than a tenth of their lifetime.',
    },
  ];
}

function issuanceAlerts({ webhook }: AlertScope): readonly Alert[] {
  const refused = 'autocert_certificates_refused_total{reason!~"Pod.*"}';
  const sum = (metric: string, range: string) => `sum by (delivery) (increase(${metric}[${range}]))`;
  const agents: Alert = {
    name: 'AutocertAgentsFailing',
    severity: 'warning',
    expr: 'max(autocert_agents_failing) > 0',
    for: '5m',
    summary: '{{ $value }} agents cannot obtain or store a certificate',
    description: 'They have reported that they fail, for an hour or since their certificate is late.',
  };
  const slow: Alert = {
    name: 'AutocertRequestsSlow',
    severity: 'warning',
    expr: `histogram_quantile(0.99, sum by (le) (rate(autocert_certificate_request_duration_seconds_bucket[10m]))) > ${T.slowSeconds}`,
    for: '10m',
    summary: 'One certificate in a hundred takes {{ $value | humanizeDuration }}',
    description:
      'Pods start that much later. The CA or the API server is slow, or more is asked of them than they carry.',
  };
  return [
    {
      name: 'AutocertCertificatesRefused',
      severity: 'warning',
      expr: `sum by (delivery, reason) (increase(${refused}[30m])) > ${T.refused}`,
      for: '30m',
      summary: 'Pods are refused certificates: {{ $labels.reason }}',
      description: 'They ask for what they may not have. Events on the pods tell what and why.',
    },
    {
      name: 'AutocertIssuanceFailing',
      severity: 'critical',
      expr:
        `${sum('autocert_certificates_failed_total', '10m')} > ${T.failed} and ` +
        `${sum('autocert_certificates_failed_total', '10m')} > ${sum('autocert_certificates_issued_total', '10m')}`,
      for: '10m',
      summary: 'More requests for certificates ({{ $labels.delivery }}) fail than succeed',
      description: 'Pods that start wait; those that run keep their certificates until these expire.',
    },
    ...(webhook ? [agents, slow] : []),
  ];
}

function clusterAlerts({ webhook }: AlertScope): readonly Alert[] {
  const caBundle: Alert = {
    name: 'AutocertCaBundleNotCurrent',
    severity: 'critical',
    expr: 'max(autocert_signer_ca_bundle_current) == 0',
    for: '5m',
    summary: 'The API server cannot verify the webhook',
    description:
      'The caBundle of the MutatingWebhookConfiguration is missing or old, or there is no such configuration: annotated pods are refused, or started without injection.',
  };
  return [
    {
      name: 'AutocertPodsNotInjected',
      severity: 'warning',
      expr: 'max(autocert_pods_not_injected) > 0',
      for: '15m',
      summary: '{{ $value }} pods with the annotation run without a certificate',
      description: 'They were made while the injector was away, or before their namespace had the label.',
    },
    ...(webhook ? [caBundle] : []),
    {
      name: 'AutocertTrustBundleNotPublished',
      severity: 'warning',
      expr: `time() - max(autocert_trust_bundle_published_timestamp_seconds) > ${T.trustBundleSeconds}`,
      for: '5m',
      summary: 'The ClusterTrustBundle is not kept',
      description: 'Natively served pods do not learn of new roots.',
    },
    {
      name: 'AutocertNoLeader',
      severity: 'critical',
      expr: 'max(autocert_signer_leader) == 0',
      for: '5m',
      summary: 'No replica of the signer leads',
      description: 'Natively served pods get no certificates, and nobody keeps caBundle and trust bundle.',
    },
  ];
}

function caAlerts(): readonly Alert[] {
  const free = 'autocert_ca_volume_free_bytes / autocert_ca_volume_bytes';
  const setAside = 'autocert_ca_database_set_aside_total';
  return [
    {
      name: 'AutocertCaNotReady',
      severity: 'critical',
      expr: 'max(autocert_ca_ready) == 0',
      for: '5m',
      summary: 'No CA is ready',
      description: 'Pods that start wait; those that run keep their certificates until these expire.',
    },
    {
      name: 'AutocertCaRestarting',
      severity: 'warning',
      expr: `sum by (pod) (increase(autocert_ca_restarts_total[1h])) > ${T.caRestarts}`,
      for: '5m',
      summary: 'step-ca in {{ $labels.pod }} was restarted {{ $value | humanize }} times in an hour',
      description: 'It ends by itself, or its configuration changes all the time.',
    },
    {
      name: 'AutocertCaVolumeFilling',
      severity: 'warning',
      expr: `${free} < ${T.volumeFreeShare.warning}`,
      for: '1h',
      summary: 'The volume of the CA’s database in {{ $labels.pod }} is {{ $value | humanizePercentage }} free',
      description: 'The database is pruned when step-ca is restarted; what is left is needed.',
    },
    {
      name: 'AutocertCaVolumeFull',
      severity: 'critical',
      expr: `${free} < ${T.volumeFreeShare.critical}`,
      for: '10m',
      summary: 'The volume of the CA’s database in {{ $labels.pod }} is {{ $value | humanizePercentage }} free',
      description: 'When it is full the CA signs nothing more.',
    },
    {
      name: 'AutocertCaDatabaseSetAside',
      severity: 'critical',
      // A supervisor that has just started may have set one aside before it was first scraped.
      expr: `${setAside} - (${setAside} offset 1h) > 0 or (${setAside} > 0 unless ${setAside} offset 1h)`,
      for: '0m',
      summary: 'A damaged database of the CA in {{ $labels.pod }} was set aside',
      description:
        'The CA runs on with what could be read of it. Revocations may be lost: the log of the supervisor tells.',
    },
    {
      name: 'AutocertCaConfigurationDoesNotFit',
      severity: 'warning',
      expr: 'autocert_ca_configuration_fits == 0',
      for: '15m',
      summary: 'What is mounted into {{ $labels.pod }} does not fit together',
      description:
        'step-ca runs on with what fitted before, or does not start. A Secret or ConfigMap of the PKI is wrong.',
    },
  ];
}

function presenceAlerts({ namespace, webhook, signer, ca }: AlertScope): readonly Alert[] {
  const isUp = (job: string) => `up{namespace="${namespace}", job="${job}"}`;
  const jobs = [...(webhook ? ['autocert'] : []), ...(signer ? ['autocert-signer'] : []), ...(ca ? ['ca'] : [])];
  const down = (name: string, job: string, description: string): Alert => {
    const summary = `No pod of ${job} answers Prometheus`;
    return { name, severity: 'critical', expr: `absent(${isUp(job)} == 1)`, for: '5m', summary, description };
  };
  return [
    {
      name: 'AutocertCaDown',
      severity: 'critical',
      expr: 'min(autocert_ca_up) == 0',
      for: '5m',
      summary: 'The CA does not answer, or does not sign',
      description: 'Pods that start wait; those that run keep their certificates until these expire.',
    },
    ...(webhook
      ? [down('AutocertWebhookDown', 'autocert', 'Annotated pods are refused, and agents get nothing.')]
      : []),
    ...(signer ? [down('AutocertSignerDown', 'autocert-signer', 'Natively served pods get no certificates.')] : []),
    ...(ca ? [down('AutocertCaPodDown', 'ca', 'Nobody knows of the CA; pods that start may wait.')] : []),
    {
      name: 'AutocertReplicaDown',
      severity: 'warning',
      expr: `up{namespace="${namespace}", job=~"${jobs.join('|')}"} == 0`,
      for: '15m',
      summary: 'The pod {{ $labels.pod }} does not answer Prometheus',
      description: 'The others do its work meanwhile, if there are others.',
    },
  ];
}
