/**
 * The Job that makes the PKI in the cluster, the CronJob that looks after it, and the rights that both need.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { PkiObject, Program } from '../runtime/contract.ts';
import { digest, metadata } from './objects.ts';
import { type ContainerImage, confined, NON_ROOT, podDefaults, type SchedulingProps, SHORT_LIVED } from './pods.ts';

/** ServiceAccount, roles, and the Job, behind whose name is a digest. */
const NAME = 'autocert-init';
/** The CronJob. */
const UPKEEP = 'autocert-pki';

/** Every night, at a minute at which little else is started; the time is that of the controller manager. */
const SCHEDULE = '17 3 * * *';
/** A cluster that is off at night does it in the morning. */
const STARTING_DEADLINE_SECONDS = 12 * 3600;
/** A run that hangs must not keep the next from starting. */
const ACTIVE_DEADLINE_SECONDS = 3600;
/** A finished Job stays for a day, so that its log can be read; without it nothing is missing. */
const TTL_SECONDS = 24 * 3600;

/**
 * Argo CD runs the Job at each synchronization, and does not miss it when it is gone. Else it would call everything out
 * of sync a day after the Job has finished.
 */
const ARGO_HOOK = { 'argocd.argoproj.io/hook': 'Sync' } as const;

/** Properties of {@link PkiInit}. */
export interface PkiInitProps extends SchedulingProps {
  /** Image with our programs. */
  readonly image: ContainerImage;
  /** Namespace of the PKI's objects. */
  readonly namespace: string;
  /** First words of the certificates' names. */
  readonly caName: string;
}

/**
 * Makes the PKI, then looks after it each day, by the same command: what is missing and can be made is made, an
 * intermediate that has less than half of its life left is replaced. So both may run as often as they like.
 */
export class PkiInit extends Construct {
  /** Makes Job, CronJob and rights. */
  constructor(scope: Construct, id: string, props: PkiInitProps) {
    super(scope, id);
    const { namespace } = props;
    this.#addRights(namespace);
    new NamedJob(this, 'Resource', {
      metadata: { ...metadata(NAME, namespace), annotations: ARGO_HOOK },
      spec: jobSpec(props),
    });
    new k8s.KubeCronJob(this, 'Upkeep', {
      metadata: metadata(UPKEEP, namespace),
      spec: {
        schedule: SCHEDULE,
        startingDeadlineSeconds: STARTING_DEADLINE_SECONDS,
        concurrencyPolicy: 'Forbid',
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 2,
        jobTemplate: { spec: { ...jobSpec(props), activeDeadlineSeconds: ACTIVE_DEADLINE_SECONDS } },
      },
    });
  }

  #addRights(namespace: string): void {
    new k8s.KubeServiceAccount(this, 'Account', { metadata: metadata(NAME, namespace) });
    const { certificates, rootKey, intermediateKey, ...others } = PkiObject;
    const named = (resource: string, resourceNames: string[], verbs: string[]) => {
      return { apiGroups: [''], resources: [resource], resourceNames, verbs };
    };
    new k8s.KubeRole(this, 'Role', {
      metadata: metadata(NAME, namespace),
      rules: [
        // The API cannot tie `create` to names: what it creates has none yet.
        { apiGroups: [''], resources: ['configmaps', 'secrets'], verbs: ['create'] },
        named('configmaps', [certificates], ['get', 'update']),
        named('secrets', [rootKey, intermediateKey], ['get', 'update']),
        // Passwords and provisioners are made once; only people replace them.
        named('secrets', Object.values(others), ['get']),
      ],
    });
    new k8s.KubeRoleBinding(this, 'RoleBinding', {
      metadata: metadata(NAME, namespace),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: NAME },
      subjects: [{ kind: 'ServiceAccount', name: NAME, namespace }],
    });
  }
}

/**
 * A Job with a name of its own for each specification, since the template of a Job cannot be changed. It is taken from
 * the manifest as it is written, so that JSON patches count.
 */
class NamedJob extends k8s.KubeJob {
  override toJson(): object {
    const manifest = super.toJson();
    // A patch may have given it another name.
    if (manifest.metadata.name !== NAME) return manifest;
    return { ...manifest, metadata: { ...manifest.metadata, name: `${NAME}-${digest(manifest.spec)}` } };
  }
}

function jobSpec(props: PkiInitProps): k8s.JobSpec {
  const { namespace, caName } = props;
  return {
    backoffLimit: 10,
    ttlSecondsAfterFinished: TTL_SECONDS,
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
            command: [Program.autocert, 'pki', 'init', '--namespace', namespace, '--ca-name', caName],
            securityContext: confined(),
            resources: SHORT_LIVED,
          },
        ],
      },
    },
  };
}
