/**
 * Checks of admission: whether the API server reaches the webhook and trusts it, and who else is asked about pods.
 * @module
 */
import { WebhookPath } from '../../contract.ts';
import { selects } from '../../kubernetes/selectors.ts';
import { clusterName } from '../../policy/cluster-names.ts';
import { isLabelled } from '../../policy/namespace-label.ts';
import { fingerprintOf, isCertificate, isIssuedByPem, splitPem } from '../../x509/certificate.ts';
import { isOfInstallation, ownLabel, ownWebhook, type RegisteredWebhook } from '../observed/webhooks.ts';
import type { Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { hasWebhook, part } from './ours.ts';

const APPLY = 'apply the manifests again: kubectl apply -f dist/';
/** Namespaces that are named in a message. */
const NAMED = 3;

/** The checks. */
export const admissionChecks: readonly Check[] = [
  { id: 'ca-bundle', looksAt: 'the caBundle by which the API server trusts the webhook', find: caBundle },
  { id: 'report-mode', looksAt: 'whether admission only reports what it would refuse', find: reportMode },
  { id: 'webhook-down', looksAt: 'the webhook’s registration, Service and endpoints', find: webhookDown },
  { id: 'other-webhook', looksAt: 'webhooks of others that refuse pods since nobody answers', find: others },
  {
    id: 'admission-policy',
    looksAt: 'admission policies without a binding',
    find: ({ installation }) =>
      installation.registrations
        .filter(({ object, problem }) => problem !== undefined && !object.startsWith('mutatingwebhook'))
        .map(({ object, problem = '' }) => ({ object, message: problem, remedy: APPLY, severity: 'warning' as const })),
  },
];

function caBundle(facts: Facts): Found[] {
  const { certificates, namespace } = facts;
  const own = ownWebhook(facts);
  if (!own) return [];
  const trusted = splitPem(own.caBundle).filter(isCertificate);
  const object = `mutatingwebhookconfiguration/${own.configuration}`;
  const remedy =
    part(facts, 'signer')?.presence === 'there'
      ? `the signer’s leader writes it within seconds; if not: kubectl -n ${namespace} logs -l app=autocert-signer --tail=50`
      : APPLY;
  const effect = 'the API server does not trust the webhook, and annotated pods are refused';
  if (trusted.length === 0) {
    const lack = own.caBundle === '' ? 'it has no caBundle' : 'its caBundle has no certificate that can be read';
    return [{ object, message: `${lack}: ${effect}`, remedy }];
  }
  if (!certificates || certificates.roots.length === 0) return [];
  const { roots, intermediates } = certificates;
  const known = new Set(trusted.map(fingerprintOf));
  // Of a CA elsewhere the roots alone are known.
  const isRight =
    intermediates.length === 0
      ? roots.some((root) => known.has(fingerprintOf(root)))
      : intermediates.some((issued) => trusted.some((root) => isIssuedByPem(issued, root)));
  if (isRight) return [];
  const message =
    'its caBundle is not the root that signs the webhook’s certificate: annotated pods are refused (x509)';
  return [{ object, message, remedy }];
}

function reportMode({ configuration }: Facts): Found[] {
  if (configuration.config?.mode !== 'report') return [];
  return [
    {
      object: 'configmap/autocert-config',
      message: 'report mode is on: pods that the rules refuse are created, without a certificate',
      remedy:
        'look at autocert_admissions_total{result="reported"} and at the webhook’s log; then leave mode of AutocertWebhook out',
      severity: 'warning',
    },
  ];
}

function webhookDown(facts: Facts): Found[] {
  const { webhooks, services, namespace } = facts;
  if (!webhooks || !hasWebhook(facts)) return [];
  const own = ownWebhook(facts);
  if (!own) {
    const message = 'it is not there, or has no webhook autocert.step.sm: pods are created without a certificate';
    return [
      {
        object: `mutatingwebhookconfiguration/${clusterName('autocert', namespace)}`,
        message,
        remedy: `${APPLY}; then start anew what was not injected`,
      },
    ];
  }
  const object = `mutatingwebhookconfiguration/${own.configuration}`;
  const { service } = own;
  if (!service) return [];
  const name = `service/${service.name}`;
  const state = services.get(`${service.namespace}/${service.name}`);
  const effect = own.refusesOnFailure ? 'annotated pods are refused' : 'annotated pods start without a certificate';
  if (state === null) return [{ object: name, message: `it is not there: ${effect}`, remedy: APPLY }];
  if (!state) return [];
  if (!state.ports.includes(service.port)) {
    const message = `it asks port ${service.port} of ${name}, which has ${state.ports.join(', ') || 'none'}: ${effect}`;
    return [{ object, message, remedy: APPLY }];
  }
  if (service.path !== WebhookPath.mutate) {
    return [
      { object, message: `it asks path ${service.path}, and not ${WebhookPath.mutate}: ${effect}`, remedy: APPLY },
    ];
  }
  if (state.ready !== 0) return [];
  const remedy =
    part(facts, 'webhook')?.wanted === 0
      ? `kubectl -n ${namespace} scale deployment/autocert --replicas=2`
      : `see the findings on its pods; kubectl -n ${namespace} get pods -l app=autocert, and does ${name} select them?`;
  return [{ object: name, message: `the webhook has no ready endpoint: ${effect}`, remedy }];
}

function others(facts: Facts): Found[] {
  const { webhooks = [], services, namespace } = facts;
  return webhooks.flatMap((webhook): Found[] => {
    const { kind, configuration, name, service, refusesOnFailure, asksForPods } = webhook;
    if (!refusesOnFailure || !asksForPods || !service || isOfInstallation(webhook, namespace)) return [];
    const state = services.get(`${service.namespace}/${service.name}`);
    if (state !== null && state?.ready !== 0) return [];
    const concerned = concernedBy(webhook, facts);
    if (concerned.length === 0) return [];
    const where = `${concerned.slice(0, NAMED).join(', ')}${concerned.length > NAMED ? ', …' : ''}`;
    const lack = state === null ? 'is not there' : 'has no ready endpoint';
    const some = webhook.objectSelector && Object.keys(webhook.objectSelector).length > 0 ? 'some pods' : 'pods';
    return [
      {
        object: `${kind}/${configuration}`,
        message: `webhook ${name} (failurePolicy Fail) asks service ${service.namespace}/${service.name}, which ${lack}: ${some} of ${where} cannot be created`,
        remedy: `bring that service back, or, if nobody needs it, kubectl delete ${kind} ${configuration}`,
      },
    ];
  });
}

/** Namespaces that a webhook is about, of those that matter here: Autocert's own, and the labelled ones. */
function concernedBy({ namespaceSelector }: RegisteredWebhook, facts: Facts): string[] {
  const own = ownLabel(facts);
  return [...(facts.namespaces ?? [])]
    .filter(
      ([name, labels]) => (name === facts.namespace || isLabelled(labels, own)) && selects(namespaceSelector, labels),
    )
    .map(([name]) => name);
}
