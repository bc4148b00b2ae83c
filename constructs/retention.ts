/**
 * Keeps the CA's keys from being deleted unasked, since nobody can make them again: by `kubectl delete -f dist/`, by the
 * removal of an Argo CD Application, a Flux Kustomization or a Helm release, by a slip of the hand.
 *
 * No Secret with a key is in the manifests, but the namespace that holds them is. A ValidatingAdmissionPolicy (Kubernetes
 * 1.30 and later) refuses to delete it, or one of the Secrets, until that object is annotated.
 * @module
 */
import { Construct } from 'constructs';
import { ALLOW_DELETION } from '../runtime/contract.ts';
import { addAdmissionPolicy } from './admission-policy.ts';
import { celList, celText } from './cel.ts';

/** Flux leaves an object alone when it prunes, and when its Kustomization goes. */
export const NOT_PRUNED_BY_FLUX = { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' } as const;

/** For the namespace: Argo CD, Flux and Helm leave it where it is when what they installed goes. */
export const KEPT = {
  'argocd.argoproj.io/sync-options': 'Delete=false,Prune=false',
  ...NOT_PRUNED_BY_FLUX,
  'helm.sh/resource-policy': 'keep',
} as const;

/** What is kept. */
export interface RetentionProps {
  /** Namespace of the Secrets. */
  readonly namespace: string;
  /** Whether the namespace is these manifests' own; if not, only the Secrets are kept. */
  readonly ownsNamespace: boolean;
  /** Names of the Secrets with keys, and with the passwords that open them. */
  readonly secrets: readonly string[];
}

/** The policy stays when an Argo CD Application or a Flux Kustomization is removed, as the namespace does. */
const ANNOTATIONS = { 'argocd.argoproj.io/sync-options': 'Delete=false', ...NOT_PRUNED_BY_FLUX } as const;

/** It may go: it is annotated, it is going already, or it is in a namespace that is going, which must become empty. */
const MAY_GO = [
  `oldObject.metadata.?annotations[?${celText(ALLOW_DELETION)}].orValue("") == "true"`,
  'has(oldObject.metadata.deletionTimestamp)',
  '(request.resource.resource == "secrets" && has(namespaceObject.metadata.deletionTimestamp))',
].join(' || ');

/** The policy and its binding. */
export class Retention extends Construct {
  /** Makes both. A cluster may have several CAs, so both are named after the namespace. */
  constructor(scope: Construct, id: string, props: RetentionProps) {
    super(scope, id);
    const { namespace, ownsNamespace, secrets } = props;
    addAdmissionPolicy(this, {
      name: `autocert-pki-${namespace}`,
      annotations: ANNOTATIONS,
      namespace,
      rules: [
        { apiGroups: [''], operations: ['DELETE'], resources: ownsNamespace ? ['secrets', 'namespaces'] : ['secrets'] },
      ],
      // Not by `resourceNames` of the rule: who deletes a collection names none.
      conditions: {
        'holds-keys': `request.resource.resource == "namespaces" || oldObject.metadata.name in ${celList(secrets)}`,
      },
      validations: [
        {
          expression: MAY_GO,
          messageExpression: messageOf(namespace),
          message: `the keys of Autocert's CA are kept until they are annotated with ${ALLOW_DELETION}=true`,
          reason: 'Forbidden',
        },
      ],
    });
  }
}

/** CEL: why not, and what to do. */
function messageOf(namespace: string): string {
  const object = `(request.resource.resource == "namespaces" ? ${celText(`namespace ${namespace}`)} : ${celText(`-n ${namespace} secret `)} + oldObject.metadata.name)`;
  const what = celText(
    "it holds keys of Autocert's CA, which nobody can make again. Save them first (autocert pki backup). Then: kubectl annotate ",
  );
  return `${what} + ${object} + ${celText(` ${ALLOW_DELETION}=true, and delete it again`)}`;
}
