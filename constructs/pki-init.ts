/**
 * The Job that makes the PKI in the cluster, with the rights that it needs.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { PkiObject, Program } from '../runtime/contract.ts';
import { digest, metadata } from './objects.ts';
import { type ContainerImage, confined, NON_ROOT, podDefaults, quantities, type SchedulingProps } from './pods.ts';

/** ServiceAccount, roles, and the field manager under which the Job writes. */
const NAME = 'autocert-init';

/** Properties of {@link PkiInit}. */
export interface PkiInitProps extends SchedulingProps {
  /** Image with our programs. */
  readonly image: ContainerImage;
  /** Namespace of the PKI's objects. */
  readonly namespace: string;
  /** First words of the certificates' names. */
  readonly caName: string;
  /** MutatingWebhookConfiguration whose `caBundle` the Job fills in. @default - none */
  readonly webhookConfiguration?: string;
}

/** Makes the PKI once; what exists it never overwrites, so that it may run as often as it likes. */
export class PkiInit extends Construct {
  /** Makes the Job and its rights. */
  constructor(scope: Construct, id: string, props: PkiInitProps) {
    super(scope, id);
    const { namespace, webhookConfiguration } = props;
    const account = { kind: 'ServiceAccount', name: NAME, namespace };
    new k8s.KubeServiceAccount(this, 'Account', { metadata: metadata(NAME, namespace) });
    const { certificates, ...secrets } = PkiObject;
    new k8s.KubeRole(this, 'Role', {
      metadata: metadata(NAME, namespace),
      rules: [
        // The API cannot tie `create` to names: what it creates has none yet.
        { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['create'] },
        { apiGroups: [''], resources: ['configmaps'], resourceNames: [certificates], verbs: ['get'] },
        { apiGroups: [''], resources: ['secrets'], resourceNames: Object.values(secrets), verbs: ['get'] },
      ],
    });
    new k8s.KubeRoleBinding(this, 'RoleBinding', {
      metadata: metadata(NAME, namespace),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: NAME },
      subjects: [account],
    });
    if (webhookConfiguration !== undefined) this.#allowCaBundle(webhookConfiguration, account);
    const spec = jobSpec(props);
    // The template of a Job cannot be changed, so each template has a Job of its own name.
    new k8s.KubeJob(this, 'Resource', { metadata: metadata(`${NAME}-${digest(spec)}`, namespace), spec });
  }

  #allowCaBundle(webhookConfiguration: string, account: k8s.Subject): void {
    new k8s.KubeClusterRole(this, 'ClusterRole', {
      metadata: metadata(NAME),
      rules: [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations'],
          resourceNames: [webhookConfiguration],
          verbs: ['get', 'patch'],
        },
      ],
    });
    new k8s.KubeClusterRoleBinding(this, 'ClusterRoleBinding', {
      metadata: metadata(NAME),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
      subjects: [account],
    });
  }
}

function jobSpec(props: PkiInitProps): k8s.JobSpec {
  const { namespace, caName, webhookConfiguration } = props;
  const webhook = webhookConfiguration === undefined ? [] : ['--webhook', webhookConfiguration];
  return {
    backoffLimit: 10,
    template: {
      metadata: { labels: { app: NAME } },
      spec: {
        ...podDefaults(NON_ROOT, props),
        restartPolicy: 'OnFailure',
        serviceAccountName: NAME,
        containers: [
          {
            name: 'init',
            ...props.image,
            command: [Program.autocert, 'pki', 'init', '--namespace', namespace, ...webhook, '--ca-name', caName],
            securityContext: confined(),
            resources: quantities('resources', {
              requests: { cpu: '10m', memory: '64Mi' },
              limits: { cpu: '1', memory: '256Mi' },
            }),
          },
        ],
      },
    },
  };
}
