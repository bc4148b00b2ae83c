/**
 * What RBAC cannot say of the accounts that make and keep the PKI: it cannot tie `create` to names, for what is created has
 * none yet. So they may create objects of the PKI and no others: where these are there already, nothing.
 * @module
 */
import { Construct } from 'constructs';
import { PKI_DRAFT, PkiObject } from '../runtime/contract.ts';
import { addAdmissionPolicy, celIsAccount } from './admission-policy.ts';
import { celList } from './cel.ts';

/** Properties of {@link PkiLimits}. */
export interface PkiLimitsProps {
  /** Namespace of the accounts. */
  readonly namespace: string;
  /** Account of the Job. */
  readonly init: string;
  /** Account of the CronJob. */
  readonly upkeep: string;
}

const { certificates, rootKey, intermediateKey, provisioners, caPassword, autocertPassword } = PkiObject;

/** What a first run makes. */
const FIRST = {
  secrets: [PKI_DRAFT, rootKey, intermediateKey, provisioners, caPassword, autocertPassword],
  configmaps: [certificates],
};
/** What can be made again. */
const HEALED = { secrets: [intermediateKey, provisioners, autocertPassword], configmaps: [certificates] };

/** The policy and its binding. */
export class PkiLimits extends Construct {
  /** Makes both. A cluster may have several CAs, so both are named after the namespace. */
  constructor(scope: Construct, id: string, { namespace, init, upkeep }: PkiLimitsProps) {
    super(scope, id);
    const names = ({ secrets, configmaps }: typeof FIRST) =>
      `(request.resource.resource == "secrets" ? ${celList(secrets)} : ${celList(configmaps)})`;
    addAdmissionPolicy(this, {
      name: `${init}-${namespace}`,
      namespace,
      rules: [{ apiGroups: [''], operations: ['CREATE'], resources: ['secrets', 'configmaps'] }],
      conditions: { 'is-for-the-pki': celIsAccount(namespace, init, upkeep) },
      validations: [
        {
          expression: `object.metadata.name in (${celIsAccount(namespace, init)} ? ${names(FIRST)} : ${names(HEALED)})`,
          message: `the accounts ${init} and ${upkeep} may create objects of Autocert's PKI only`,
          reason: 'Forbidden',
        },
        {
          // One of another type has the API server put a token of any account into it.
          expression: 'request.resource.resource != "secrets" || dyn(object).?type.orValue("Opaque") == "Opaque"',
          message: `the accounts ${init} and ${upkeep} may create Secrets of type Opaque only`,
          reason: 'Forbidden',
        },
      ],
    });
  }
}
