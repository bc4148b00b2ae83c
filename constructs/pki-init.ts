/**
 * The Job that makes the PKI in the cluster, and the CronJob that looks after it: two accounts, of which the first may read
 * no key, and both may create nothing but objects of the PKI.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { Program } from '../runtime/contract.ts';
import { closeInit, type SystemNetwork } from './network-policies.ts';
import { digest, metadata } from './objects.ts';
import { PkiLimits } from './pki-limits.ts';
import {
  apiAccess,
  type ContainerImage,
  confined,
  NON_ROOT,
  type PodProps,
  podDefaults,
  podMetadata,
  SHORT_LIVED,
  serviceAccount,
} from './pods.ts';
import { INIT_RIGHTS, UPKEEP_RIGHTS } from './rights.ts';

/** The Job, behind whose name is a digest, and its account and role. */
const NAME = 'autocert-init';
/** The CronJob, its account and role. */
const UPKEEP = 'autocert-pki';

/** Every night, at a minute at which little else is started; the time is that of the controller manager. */
const SCHEDULE = '17 3 * * *';
/** A cluster that is off at night does it in the morning. */
const STARTING_DEADLINE_SECONDS = 12 * 3600;
/** A run that hangs must not keep the next from starting. */
const ACTIVE_DEADLINE_SECONDS = 3600;
/** A finished Job stays for a day, so that its log can be read; without it nothing is missing. */
const TTL_SECONDS = 24 * 3600;

/** The API's least: soon after a Job has ended, nobody can use its token. */
const API_ACCESS = apiAccess(600);

/**
 * Argo CD runs the Job at each synchronization, and does not miss it when it is gone. Else it would call everything out
 * of sync a day after the Job has finished.
 */
const ARGO_HOOK = { 'argocd.argoproj.io/hook': 'Sync' } as const;

/** Properties of {@link PkiInit}. */
export interface PkiInitProps extends PodProps {
  /** Image with our programs. */
  readonly image: ContainerImage;
  /** Namespace of the PKI's objects. */
  readonly namespace: string;
  /** Whether and how it is closed. */
  readonly network: SystemNetwork | undefined;
  /** First words of the certificates' names. */
  readonly caName: string;
  /** Whether there is a CronJob. */
  readonly upkeep: boolean;
  /** Whether a policy says what the accounts may create. */
  readonly guard: boolean;
  /** Whether the platform says who the pods run as. */
  readonly userFromPlatform: boolean;
  /** Names that the intermediate may sign; empty: any; `undefined`: as it has them. */
  readonly permitted: readonly string[] | undefined;
}

/**
 * The Job makes the PKI where there is none (`autocert pki create`); each night the CronJob makes again what was lost, and
 * replaces an intermediate that has less than half of its life left (`autocert pki upkeep`). Both may run as often as they
 * like.
 */
export class PkiInit extends Construct {
  /** Makes Job, CronJob and their rights. */
  constructor(scope: Construct, id: string, props: PkiInitProps) {
    super(scope, id);
    const { namespace, network, upkeep, guard, permitted } = props;
    const permit = permitted === undefined ? [] : ['--permit', permitted.join(',') || 'any'];
    addRights(this, NAME, namespace, INIT_RIGHTS);
    if (upkeep) addRights(new Construct(this, 'UpkeepRights'), UPKEEP, namespace, UPKEEP_RIGHTS);
    if (network !== undefined) closeInit(this, network);
    if (guard) new PkiLimits(this, 'Limits', { namespace, init: NAME, upkeep: UPKEEP });
    new NamedJob(this, 'Resource', {
      metadata: { ...metadata(NAME, namespace), annotations: ARGO_HOOK },
      spec: jobSpec(props, NAME, ['create', '--namespace', namespace, '--ca-name', props.caName, ...permit]),
    });
    if (!upkeep) return;
    new k8s.KubeCronJob(this, 'Upkeep', {
      metadata: metadata(UPKEEP, namespace),
      spec: {
        schedule: SCHEDULE,
        startingDeadlineSeconds: STARTING_DEADLINE_SECONDS,
        concurrencyPolicy: 'Forbid',
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 2,
        jobTemplate: {
          spec: {
            ...jobSpec(props, UPKEEP, ['upkeep', '--namespace', namespace, ...permit]),
            activeDeadlineSeconds: ACTIVE_DEADLINE_SECONDS,
          },
        },
      },
    });
  }
}

function addRights(scope: Construct, name: string, namespace: string, rules: readonly k8s.PolicyRule[]): void {
  serviceAccount(scope, 'Account', name, namespace);
  new k8s.KubeRole(scope, 'Role', { metadata: metadata(name, namespace), rules: [...rules] });
  new k8s.KubeRoleBinding(scope, 'RoleBinding', {
    metadata: metadata(name, namespace),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
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

/** A run of `autocert pki …` by the account `name`. */
function jobSpec(props: PkiInitProps, name: string, args: readonly string[]): k8s.JobSpec {
  return {
    backoffLimit: 10,
    ttlSecondsAfterFinished: TTL_SECONDS,
    template: {
      metadata: podMetadata({ labels: { app: name } }, props),
      spec: {
        ...podDefaults(props.userFromPlatform ? undefined : NON_ROOT, props),
        restartPolicy: 'OnFailure',
        serviceAccountName: name,
        containers: [
          {
            name: 'init',
            ...props.image,
            command: [Program.autocert, 'pki', ...args],
            securityContext: confined(),
            resources: SHORT_LIVED,
            volumeMounts: [API_ACCESS.mount],
          },
        ],
        volumes: [API_ACCESS.volume],
      },
    },
  };
}
