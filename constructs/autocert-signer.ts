/**
 * The signer of native delivery.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { type PolicyConfig, SIGNER_NAME, type SignerConfig, TRUST_BUNDLE_NAME } from '../runtime/contract.ts';
import type { IStepCa } from './i-step-ca.ts';
import { metadata } from './objects.ts';
import type { ContainerImage, ContainerResources, SchedulingProps } from './pods.ts';
import { addProgram, caConfig } from './program.ts';
import { checkShare } from './validation.ts';

/** Name of every object, and the label `app` of the pods. */
const NAME = 'autocert-signer';

/** Port of health and metrics, plain HTTP. */
const PORT = 9402;

/** Properties of {@link AutocertSigner}. */
export interface AutocertSignerProps extends SchedulingProps {
  /** CA that signs. */
  readonly ca: IStepCa;
  /** Names and lifetimes that pods may have; asked for at synth. */
  readonly policy: () => PolicyConfig;
  /** Image with our programs. */
  readonly image: ContainerImage;
  /** Number of pods; one leads, the others take over within seconds. */
  readonly replicas: number;
  /** CPU and memory. */
  readonly resources: ContainerResources;
  /** Share of the lifetime, between 0 and 1, after which kubelet renews. @default 2/3 */
  readonly renewAt?: number;
}

/**
 * Answers kubelet's PodCertificateRequests on Kubernetes 1.37 and later, and keeps the ClusterTrustBundle with the CA's
 * roots. On older clusters it idles, so that the same manifests fit both. `AutocertWebhook` makes it.
 */
export class AutocertSigner extends Construct {
  /** Makes the signer's objects; none of them is named after `id`. */
  constructor(scope: Construct, id: string, props: AutocertSignerProps) {
    super(scope, id);
    const { namespace } = props.ca;
    if (props.renewAt !== undefined) checkShare('signerRenewAt', props.renewAt);
    const config = (): SignerConfig => ({
      ...props.policy(),
      ...caConfig(props.ca),
      lease: { namespace, name: NAME },
      port: PORT,
      ...(props.renewAt !== undefined && { renewAt: props.renewAt }),
    });
    this.#addLeaseRights(namespace);
    addProgram(this, {
      ...props,
      name: NAME,
      subcommand: 'signer',
      config,
      configMap: `${NAME}-config`,
      resources: { prop: 'signerResources', values: props.resources },
      port: { name: 'http', number: PORT, scheme: 'HTTP' },
      healthz: '/healthz',
      readyz: '/readyz',
      rules: RULES,
    });
  }

  #addLeaseRights(namespace: string): void {
    new k8s.KubeRole(this, 'Role', {
      metadata: metadata(NAME, namespace),
      rules: [
        // The API cannot tie `create` to names: what it creates has none yet.
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
        { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [NAME], verbs: ['get', 'update'] },
      ],
    });
    new k8s.KubeRoleBinding(this, 'RoleBinding', {
      metadata: metadata(NAME, namespace),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: NAME },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace }],
    });
  }
}

const CERTIFICATES = ['certificates.k8s.io'];

/** What `runtime/signer` asks of the API server, and no more. */
const RULES: readonly k8s.PolicyRule[] = [
  { apiGroups: CERTIFICATES, resources: ['podcertificaterequests'], verbs: ['list', 'watch'] },
  { apiGroups: CERTIFICATES, resources: ['podcertificaterequests/status'], verbs: ['update'] },
  // Two rights that the API server asks for beyond those on the objects: to answer for this signer, and to publish its roots.
  { apiGroups: CERTIFICATES, resources: ['signers'], resourceNames: [SIGNER_NAME], verbs: ['sign', 'attest'] },
  {
    apiGroups: CERTIFICATES,
    resources: ['clustertrustbundles'],
    resourceNames: [TRUST_BUNDLE_NAME],
    // It applies, so the name is known before the object is, and even `create` can be tied to it.
    verbs: ['create', 'patch'],
  },
  { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['get'] },
];
