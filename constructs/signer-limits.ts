/**
 * What RBAC cannot say of the signer's account. It may change the webhook's registration, and whoever may do that could
 * have every Secret of the cluster sent to a server of his own: so of the registration it changes `caBundle` alone. And
 * it may create Leases, but only its own.
 * @module
 */
import { Construct } from 'constructs';
import { DOMAIN } from '../runtime/contract.ts';
import { clusterName } from '../runtime/policy/cluster-names.ts';
import { addAdmissionPolicy, celIsAccount, celSameBut } from './admission-policy.ts';
import { celText } from './cel.ts';

/** Properties of {@link SignerLimits}. */
export interface SignerLimitsProps {
  /** Namespace of the account. */
  readonly namespace: string;
  /** Name of the account and of its Lease; policy and binding are named after it. */
  readonly name: string;
}

/** What the API server itself changes with each write. */
const BOOKKEEPING = ['resourceVersion', 'generation', 'managedFields'];

const [NEW, OLD] = ['dyn(object)', 'dyn(oldObject)'];

/** CEL: the registration is as it was, but for our webhook's `caBundle`. Field by field, also those of later versions. */
const ONLY_CA_BUNDLE = [
  celSameBut(NEW, OLD, ['metadata', 'webhooks']),
  celSameBut(`${NEW}.metadata`, `${OLD}.metadata`, BOOKKEEPING),
  `${NEW}.?webhooks.orValue([]).size() == ${OLD}.?webhooks.orValue([]).size()`,
  `${NEW}.?webhooks.orValue([]).all(new, ${OLD}.?webhooks.orValue([]).exists_one(old, old == new || ` +
    `(new.name == ${celText(DOMAIN)} && ${celSameBut('new', 'old', ['clientConfig'])} && ` +
    `${celSameBut('new.clientConfig', 'old.clientConfig', ['caBundle'])})))`,
].join(' && ');

/** The policy and its binding. */
export class SignerLimits extends Construct {
  /** Makes both. */
  constructor(scope: Construct, id: string, { namespace, name }: SignerLimitsProps) {
    super(scope, id);
    const isNotOf = (resource: string) => `request.resource.resource != ${celText(resource)}`;
    addAdmissionPolicy(this, {
      name: clusterName(name, namespace),
      rules: [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          operations: ['UPDATE'],
          resources: ['mutatingwebhookconfigurations'],
        },
        { apiGroups: ['coordination.k8s.io'], operations: ['CREATE'], resources: ['leases'] },
      ],
      conditions: { 'is-the-signer': celIsAccount(namespace, name) },
      validations: [
        {
          expression: `${isNotOf('mutatingwebhookconfigurations')} || (${ONLY_CA_BUNDLE})`,
          message: `of a MutatingWebhookConfiguration Autocert's signer may change the caBundle of webhook ${DOMAIN} only`,
          reason: 'Forbidden',
        },
        {
          expression: `${isNotOf('leases')} || object.metadata.name == ${celText(name)}`,
          message: `Autocert's signer may create the Lease ${name} only`,
          reason: 'Forbidden',
        },
      ],
    });
  }
}
