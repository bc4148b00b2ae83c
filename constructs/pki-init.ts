/**
 * The Job that makes the PKI in the cluster, with the rights that it needs.
 * @module
 */
import { Lazy } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { PkiObject, Program } from '../runtime/contract.ts';
import { digest, metadata } from './objects.ts';
import { type ContainerImage, confined, NON_ROOT, podDefaults, type SchedulingProps, SHORT_LIVED } from './pods.ts';

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
}

/** Makes the PKI once; what exists it never overwrites, so that it may run as often as it likes. */
export class PkiInit extends Construct {
  readonly #account: k8s.Subject;
  readonly #job: k8s.KubeJob;
  #webhookConfiguration: string | undefined;

  /** Makes the Job and its rights. */
  constructor(scope: Construct, id: string, props: PkiInitProps) {
    super(scope, id);
    const { namespace } = props;
    this.#account = { kind: 'ServiceAccount', name: NAME, namespace };
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
      subjects: [this.#account],
    });
    const spec = () => jobSpec(props, this.#webhookConfiguration);
    // The template of a Job cannot be changed, so each template has a Job of its own name.
    const name: unknown = Lazy.any({ produce: () => `${NAME}-${digest(spec())}` });
    this.#job = new k8s.KubeJob(this, 'Resource', {
      metadata: metadata(name as string, namespace),
      spec: Lazy.any({ produce: spec }),
    });
  }

  /** Has the Job put the root into the `caBundle` of that MutatingWebhookConfiguration, and allows it to. */
  fillCaBundle(webhookConfiguration: string): void {
    if (this.#webhookConfiguration === webhookConfiguration) return;
    if (this.#webhookConfiguration !== undefined) {
      throw new Error(`the root goes into one caBundle, and ${this.#webhookConfiguration} has it already`);
    }
    this.#webhookConfiguration = webhookConfiguration;
    const role = new k8s.KubeClusterRole(this, 'ClusterRole', {
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
    const binding = new k8s.KubeClusterRoleBinding(this, 'ClusterRoleBinding', {
      metadata: metadata(NAME),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
      subjects: [this.#account],
    });
    // In the manifest rights come before the Job that needs them.
    this.#job.addDependency(role, binding);
  }
}

function jobSpec(props: PkiInitProps, webhookConfiguration: string | undefined): k8s.JobSpec {
  const { namespace, caName } = props;
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
            resources: SHORT_LIVED,
          },
        ],
      },
    },
  };
}
