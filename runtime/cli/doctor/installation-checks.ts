/**
 * Checks of Autocert itself: there, once, of a configuration that can be read, all parts at work.
 * @module
 */
import { clusterName } from '../../policy/cluster-names.ts';
import { labelText } from '../../policy/namespace-label.ts';
import type { Part } from '../observed/installation.ts';
import { goesBy, otherWebhooks, sharedNamespaces } from '../observed/other-installations.ts';
import { ownLabel, type RegisteredWebhook } from '../observed/webhooks.ts';
import type { Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { hasCa, hasSigner, hasWebhook, part } from './ours.ts';

/** How long a Lease may be without a sign of life: three times what it holds. */
const STALE_TIMES = 3;

/** The checks. */
export const installationChecks: readonly Check[] = [
  { id: 'installation', looksAt: 'whether Autocert is in its namespace, with all its parts', find: installation },
  {
    id: 'configuration',
    looksAt: 'the configuration of webhook or signer',
    find: ({ configuration: { state, problem } }) =>
      state !== 'wrong'
        ? []
        : [
            {
              object: 'configmap/autocert-config',
              message: `it cannot be used: ${problem}`,
              remedy:
                'apply the manifests again, or mend what is named: running replicas go on with what they have read',
            },
          ],
  },
  { id: 'two-installations', looksAt: 'other webhooks and policies that go by the same label', find: others },
  { id: 'leader', looksAt: 'the Lease of the signer', find: leader },
];

function installation(facts: Facts): Found[] {
  const { namespace, configuration } = facts;
  if (configuration.state === 'missing') {
    const elsewhere = otherWebhooks(facts).find(
      ({ service }) => service !== undefined && service.namespace !== namespace,
    )?.service?.namespace;
    return [
      {
        object: `namespace/${namespace}`,
        message: 'Autocert is not installed here: there is no configmap/autocert-config',
        remedy: elsewhere
          ? `it seems to be in namespace ${elsewhere}: autocert doctor -n ${elsewhere}`
          : "name Autocert's namespace by --autocert-namespace, or apply its manifests: kubectl apply -f dist/",
      },
    ];
  }
  const wanted = { CA: hasCa(facts), webhook: hasWebhook(facts), signer: hasSigner(facts) };
  return facts.installation.parts.flatMap((one): Found[] => {
    const told = wanted[one.name] ? incomplete(one, namespace) : undefined;
    return told ? [told] : [];
  });
}

function incomplete({ name, object, presence, ready = 0, wanted = 0 }: Part, namespace: string): Found | undefined {
  if (presence === 'unknown') return undefined;
  const of = `the ${name}`;
  if (presence === 'missing') {
    return { object, message: `${of} is not there`, remedy: 'apply the manifests again: kubectl apply -f dist/' };
  }
  if (wanted === 0) {
    const remedy = `kubectl -n ${namespace} scale ${object} --replicas=${name === 'CA' ? 1 : 2}`;
    return { object, message: `${of} is scaled to 0 replicas`, remedy };
  }
  if (ready >= wanted) return undefined;
  const remedy = `see the findings on its pods, and kubectl -n ${namespace} describe ${object}`;
  const severity = ready === 0 ? 'error' : 'warning';
  return { object, message: `${of} has ${ready} of ${wanted} replicas ready`, remedy, severity };
}

function others(facts: Facts): Found[] {
  const { namespace } = facts;
  if (facts.configuration.state === 'missing') return [];
  const label = ownLabel(facts);
  const byPolicy = facts.installation.registrations.some(
    ({ object, presence }) => object.startsWith('mutatingadmissionpolicy/') && presence === 'there',
  );
  return [
    ...otherWebhooks(facts).flatMap((other) => {
      if (goesBy(other.namespaceSelector, label)) return [sameLabel(other, labelText(label))];
      // Two side by side are no fault, as long as each namespace belongs to one.
      return sharedNamespaces(facts.namespaces, other, label).map((name) => bothLabels(other, name, label.key));
    }),
    ...(byPolicy && hasWebhook(facts)
      ? [
          {
            object: `mutatingadmissionpolicy/${clusterName('autocert', namespace)}`,
            message: 'a second installation: a policy injects besides the webhook',
            remedy: `keep one: kubectl delete mutatingadmissionpolicybinding ${clusterName('autocert', namespace)}`,
          },
        ]
      : []),
  ];
}

const whereOf = ({ service }: RegisteredWebhook) =>
  service ? `service ${service.namespace}/${service.name}` : 'another address';

function sameLabel(other: RegisteredWebhook, label: string): Found {
  const { kind, configuration } = other;
  return {
    object: `${kind}/${configuration}`,
    message: `a second installation: it asks ${whereOf(other)} about the pods of namespaces with the label ${label}, as well`,
    remedy: `keep one: kubectl delete ${kind} ${configuration}, and what belongs to it; or give one of them another namespaceLabel (docs/migration.md)`,
  };
}

function bothLabels(other: RegisteredWebhook, name: string, key: string): Found {
  return {
    object: `namespace/${name}`,
    message: `it has the labels of two installations, this one and that of ${other.kind}/${other.configuration} (${whereOf(other)}): a pod is injected by the first that is asked`,
    remedy: `take one of its labels away, such as kubectl label namespace ${name} ${key}-, then restart what is in it`,
  };
}

function leader(facts: Facts): Found[] {
  const { lease, clock, namespace } = facts;
  const signer = part(facts, 'signer');
  if (lease === undefined || !hasSigner(facts) || signer?.presence !== 'there') return [];
  const object = 'lease/autocert-signer';
  const effect = 'natively served pods wait, and nobody keeps caBundle';
  const remedy =
    signer.wanted === 0
      ? `kubectl -n ${namespace} scale deployment/autocert-signer --replicas=2`
      : `kubectl -n ${namespace} logs -l app=autocert-signer --tail=50: it says why it cannot write the Lease`;
  if (lease === null || lease.holder === '') {
    return [{ object, message: `no replica of the signer leads: ${effect}`, remedy }];
  }
  const now = clock.server ?? clock.local;
  const silentMs = now.getTime() - Date.parse(lease.renewTime);
  if (!(silentMs > STALE_TIMES * lease.seconds * 1000)) return [];
  const seconds = Math.round(silentMs / 1000);
  return [{ object, message: `its holder ${lease.holder} has been silent for ${seconds} s: ${effect}`, remedy }];
}
