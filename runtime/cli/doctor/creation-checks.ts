/**
 * Checks of pods that cannot be created, told apart by what the API server answered their controllers.
 * @module
 */
import { DOMAIN } from '../../contract.ts';
import type { Facts, Uncreated } from './facts.ts';
import type { Check, Found } from './finding.ts';

type Cause = 'pod-security' | 'quota' | 'ca-bundle' | 'webhook-down' | 'refused' | 'other-webhook' | 'not-created';

const CALLED = /failed calling webhook "([^"]{1,253})"/;
const DENIED = /admission webhook "([^"]{1,253})" denied/;

/** What an answer of the API server is about. */
export function causeOf(message: string): Cause {
  if (/violates PodSecurity/.test(message)) return 'pod-security';
  if (/exceeded quota|failed quota/.test(message)) return 'quota';
  const [, called] = CALLED.exec(message) ?? [];
  if (called === DOMAIN) return /x509|certificate/.test(message) ? 'ca-bundle' : 'webhook-down';
  if (called !== undefined) return 'other-webhook';
  const [, denied] = DENIED.exec(message) ?? [];
  if (denied === DOMAIN || /ValidatingAdmissionPolicy 'autocert/.test(message)) return 'refused';
  return denied === undefined ? 'not-created' : 'other-webhook';
}

/** What to do. */
function remedyOf(cause: Cause, { namespace, object, message }: Uncreated): string {
  const [, other] = CALLED.exec(message) ?? DENIED.exec(message) ?? [];
  switch (cause) {
    case 'pod-security':
      return `change the pod as the message says; Autocert’s agent keeps to restricted, and delivery native adds no container: autocert explain ${object} -n ${namespace}`;
    case 'quota':
      return `raise the ResourceQuota, or remove pods: kubectl -n ${namespace} describe resourcequota; an agent asks for 10m CPU and 16Mi by default`;
    case 'refused':
      return `autocert explain ${object} -n ${namespace} says which rule, and what would allow it`;
    case 'other-webhook':
      return `webhook ${other} is not Autocert’s: bring it back, or have it leave these pods alone`;
    case 'ca-bundle':
    case 'webhook-down':
      return 'see what is found on the webhook itself; the controller tries again by itself, within minutes';
    default:
      return `kubectl -n ${namespace} describe ${object}`;
  }
}

const TITLES: Readonly<Record<Cause, string>> = {
  'pod-security': 'pods that Pod Security refuses',
  quota: 'pods for which a quota has no room',
  refused: 'pods that Autocert refuses',
  'other-webhook': 'pods that webhooks of others refuse',
  'ca-bundle': 'pods that are refused since the API server does not trust the webhook',
  'webhook-down': 'pods that are refused since the webhook does not answer',
  'not-created': 'pods that cannot be created for another reason',
};

/** The checks. */
export const creationChecks: readonly Check[] = (Object.keys(TITLES) as Cause[]).map((id) => ({
  id,
  looksAt: TITLES[id],
  find: ({ uncreated = [], namespace: system }: Facts) =>
    uncreated
      .filter(({ message }) => causeOf(message) === id)
      .map((one): Found => {
        const { namespace, object, message } = one;
        const where = namespace === system ? object : `${namespace}/${object}`;
        return { object: where, message: `it cannot create a pod: ${message}`, remedy: remedyOf(id, one) };
      }),
}));
