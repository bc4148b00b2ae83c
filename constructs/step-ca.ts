/**
 * The certificate authority.
 * @module
 */
import type { Duration } from 'cdk8s';
import { Size } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { CaConfigFile, CONTAINER_PORT, PkiFile, PkiObject, Provisioner } from '../runtime/contract.ts';
import { checkCaCertificates } from './ca-certificates.ts';
import { CaDatabase, mebibytesOf } from './ca-database.ts';
import { type IStepCa, refuseSecondCa } from './i-step-ca.ts';
import { ImportedStepCa, type StepCaFromUrlProps } from './imported-step-ca.ts';
import { checkLifetimes, goLifetimes, type LifetimeProps } from './lifetimes.ts';
import { metadata } from './objects.ts';
import { Pki } from './pki.ts';
import { PkiInit } from './pki-init.ts';
import {
  type ContainerImage,
  type ContainerResources,
  checkedImage,
  checkResources,
  DEFAULT_IMAGE,
  disruptionBudget,
  type ImagePullPolicy,
  type SchedulingProps,
  scheduling,
  serviceAccount,
} from './pods.ts';
import { KEPT, Retention } from './retention.ts';
import { federatedRootFile, stepCaConfig, supervisorConfig } from './step-ca-config.ts';
import { CA_RESOURCES } from './step-ca-containers.ts';
import { CA_NAME, CaObject, stepCaPod } from './step-ca-pod.ts';
import { systemNamespace } from './system-namespace.ts';
import {
  checkClusterDomain,
  checkFlag,
  checkHost,
  checkInstance,
  checkList,
  checkName,
  checkReplicas,
  refuse,
} from './validation.ts';

const checkPki = checkInstance('it takes Pki.inCluster(…) or Pki.existing(…)', Pki);
const checkDatabase = checkInstance(
  'it takes CaDatabase.persistent(…), .ephemeral(), .mysql(…) or .postgresql(…)',
  CaDatabase,
);

/** Properties of {@link StepCa}. */
export interface StepCaProps extends LifetimeProps, SchedulingProps {
  /** Namespace of the CA; webhook and signer run there too. @default 'step' */
  readonly namespace?: string;
  /** Whether to make the namespace, at the Pod Security level `restricted`. @default true */
  readonly createNamespace?: boolean;
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) refuses to delete the Secrets with the CA's keys, and
   * the namespace if these manifests make it, until they are annotated with `autocert.step.sm/allow-deletion=true`.
   * Argo CD and Helm are told to leave the namespace where it is. @default true
   */
  readonly retain?: boolean;
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) lets the accounts that make and keep the PKI create its
   * objects alone. @default true
   */
  readonly guard?: boolean;
  /**
   * Whether the platform says who pods run as, as OpenShift's `restricted-v2` does: then no uid and no group is in the
   * manifests. @default false
   */
  readonly userFromPlatform?: boolean;
  /** Where keys and certificates come from. @default Pki.inCluster() */
  readonly pki?: Pki;
  /** Where revoked certificates and used tokens are kept. @default CaDatabase.persistent() */
  readonly database?: CaDatabase;
  /** Number of pods; more than one needs a database that they share. @default 1 */
  readonly replicas?: number;
  /** DNS names and IP addresses of the CA besides those of its Service. @default - none */
  readonly dnsNames?: readonly string[];
  /** DNS domain of the cluster. @default 'cluster.local' */
  readonly clusterDomain?: string;
  /** Root certificates of other PKIs, PEM, that pods trust besides the CA's own. @default - none */
  readonly federatedRoots?: readonly string[];
  /** Image of step-ca. @default 'smallstep/step-ca:0.30.2' */
  readonly image?: string;
  /** `Always`, `IfNotPresent` or `Never`, for both images. @default 'IfNotPresent' */
  readonly imagePullPolicy?: ImagePullPolicy;
  /** Image with our programs, for the Job and the supervisor of step-ca. @default - `autocert:` and the version of this package */
  readonly autocertImage?: string;
  /** CPU and memory of step-ca. @default - requests 100m and 64Mi, at most 1 CPU and 512Mi */
  readonly resources?: ContainerResources;
}

/**
 * A step-ca in the cluster, and the PKI that it signs with.
 *
 * It is a StatefulSet because Kubernetes then never runs a second pod on the volume of the first, not even when a node
 * is lost: two writers would destroy the database. The volume is a claim of its own and not one of the StatefulSet's
 * templates, which can never be changed again: this way a larger `size` is applied like anything else.
 *
 * @example
 * const ca = new StepCa(chart, 'ca', { maxDuration: Duration.days(7) });
 */
export class StepCa extends Construct implements IStepCa {
  /** A step-ca that runs elsewhere: outside the cluster, or not made by this package. */
  static fromUrl(scope: Construct, id: string, props: StepCaFromUrlProps): IStepCa {
    return new ImportedStepCa(scope, id, props);
  }

  readonly url: string;
  readonly namespace: string;
  readonly clusterDomain: string;
  readonly hosts: readonly string[];
  readonly rootConfigMap = PkiObject.certificates;
  readonly provisioner = Provisioner.autocert;
  readonly provisionerPasswordSecret: string;
  readonly defaultDuration: Duration;
  readonly minDuration: Duration;
  readonly maxDuration: Duration;
  readonly rootCertificate: string | undefined;
  readonly #props: StepCaProps;
  readonly #pki: Pki;
  readonly #database: CaDatabase;
  readonly #autocertImage: ContainerImage;
  readonly #guard: boolean;
  readonly #userFromPlatform: boolean;

  /** Makes the CA's objects; none of them is named after `id`. */
  constructor(scope: Construct, id: string, props: StepCaProps = {}) {
    super(scope, id);
    const lifetimes = checkLifetimes(props);
    this.#props = props;
    this.#pki = checkPki('pki', props.pki ?? Pki.inCluster());
    this.#database = checkDatabase('database', props.database ?? CaDatabase.persistent());
    this.#autocertImage = checkedImage('autocertImage', props.autocertImage ?? DEFAULT_IMAGE, props.imagePullPolicy);
    this.#guard = checkFlag('guard', props.guard ?? true);
    this.#userFromPlatform = checkFlag('userFromPlatform', props.userFromPlatform ?? false);
    this.namespace = checkName('namespace', props.namespace ?? 'step');
    this.clusterDomain = checkClusterDomain('clusterDomain', props.clusterDomain ?? 'cluster.local');
    this.url = `https://${CA_NAME}.${this.namespace}.svc`;
    this.hosts = this.#hosts(checkList('dnsNames', props.dnsNames ?? [], checkHost));
    this.rootCertificate = this.#pki.rootCertificate;
    this.provisionerPasswordSecret = this.#pki.autocertPasswordSecret;
    this.defaultDuration = lifetimes.defaultDuration;
    this.minDuration = lifetimes.minDuration;
    this.maxDuration = lifetimes.maxDuration;

    refuseSecondCa(this);
    this.#addNamespace();
    this.#addPki();
    const federatedRoots = this.#addFederatedRoots(checkList('federatedRoots', props.federatedRoots ?? [], checkRoot));
    const config = stepCaConfig({
      ...goLifetimes(lifetimes),
      // The last two for the pod itself: anybody may have such a name, for what runs beside him.
      dnsNames: [...new Set([...this.hosts, 'localhost', '127.0.0.1'])],
      federatedRoots,
      database: this.#database,
    });
    const replicas = this.#replicas();
    const supervisor = supervisorConfig(this.#database, replicas);
    new k8s.KubeConfigMap(this, 'Config', {
      metadata: metadata(CaConfigFile.configMap, this.namespace),
      data: { [CaConfigFile.template]: json(config), [CaConfigFile.supervisor]: json(supervisor) },
    });
    this.#addVolume();
    this.#addStatefulSet(replicas, supervisor, federatedRoots);
    new k8s.KubeService(this, 'Service', {
      metadata: metadata(CA_NAME, this.namespace, { app: CA_NAME }),
      spec: {
        selector: { app: CA_NAME },
        ports: [{ name: 'https', port: 443, targetPort: k8s.IntOrString.fromNumber(CONTAINER_PORT) }],
      },
    });
  }

  #addNamespace(): void {
    const { namespace } = this;
    const ownsNamespace = checkFlag('createNamespace', this.#props.createNamespace ?? true);
    const retain = checkFlag('retain', this.#props.retain ?? true);
    if (ownsNamespace) systemNamespace(this, namespace, retain ? KEPT : {});
    if (retain) new Retention(this, 'Retention', { namespace, ownsNamespace, secrets: this.#pki.secrets });
  }

  #addPki(): void {
    const { caName, rootCertificate, intermediateCertificate } = this.#pki;
    if (rootCertificate !== undefined && intermediateCertificate !== undefined) {
      new k8s.KubeConfigMap(this, 'Certificates', {
        metadata: metadata(this.rootConfigMap, this.namespace),
        data: { [PkiFile.root]: rootCertificate, [PkiFile.intermediate]: intermediateCertificate },
      });
    }
    if (caName === undefined) return;
    const { namespace } = this;
    const { upkeep } = this.#pki;
    const image = this.#autocertImage;
    new PkiInit(this, 'Init', {
      ...scheduling(this.#props),
      ...{ image, namespace, caName, upkeep, guard: this.#guard, userFromPlatform: this.#userFromPlatform },
    });
  }

  #hosts(more: readonly string[]): readonly string[] {
    const service = `${CA_NAME}.${this.namespace}`;
    const own = [`${service}.svc`, `${service}.svc.${this.clusterDomain}`, service];
    return [...new Set([...own, ...more])];
  }

  #addFederatedRoots(roots: readonly string[]): number {
    if (roots.length === 0) return 0;
    new k8s.KubeConfigMap(this, 'FederatedRoots', {
      metadata: metadata(CaObject.federatedRoots, this.namespace),
      data: Object.fromEntries(roots.map((pem, index) => [federatedRootFile(index + 1), pem])),
    });
    return roots.length;
  }

  #addVolume(): void {
    const { kind } = this.#database;
    if (kind.type !== 'bbolt' || kind.volume === undefined) return;
    const { size = Size.gibibytes(1), storageClass } = kind.volume;
    new k8s.KubePersistentVolumeClaim(this, 'Volume', {
      metadata: metadata(CaObject.volume, this.namespace),
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: storageQuantity(size) } },
        ...(storageClass && { storageClassName: storageClass }),
      },
    });
  }

  #replicas(): number {
    const replicas = checkReplicas('replicas', this.#props.replicas ?? 1);
    if (replicas === 1 || this.#database.shared) return replicas;
    const wanted = 'set database to CaDatabase.mysql(…) or CaDatabase.postgresql(…), which several replicas share';
    return refuse('replicas', replicas, `this database works with 1 only; ${wanted}`);
  }

  #addStatefulSet(replicas: number, supervisor: object, federatedRoots: number): void {
    const { image = 'smallstep/step-ca:0.30.2', imagePullPolicy, resources = CA_RESOURCES } = this.#props;
    if (replicas > 1) disruptionBudget(this, CA_NAME, this.namespace, CA_NAME);
    serviceAccount(this, 'Account', CA_NAME, this.namespace);
    new k8s.KubeStatefulSet(this, 'Resource', {
      metadata: metadata(CA_NAME, this.namespace, { app: CA_NAME }),
      spec: {
        replicas,
        serviceName: CA_NAME,
        // In order, a StatefulSet whose pod never got ready would not replace it by one with a better configuration.
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: CA_NAME } },
        template: stepCaPod({
          ...scheduling(this.#props),
          resources: checkResources('resources', resources),
          image: checkedImage('image', image, imagePullPolicy),
          autocertImage: this.#autocertImage,
          userFromPlatform: this.#userFromPlatform,
          pki: this.#pki,
          certificates: [this.rootConfigMap, ...(federatedRoots > 0 ? [CaObject.federatedRoots] : [])],
          database: this.#database,
          supervisor,
        }),
      },
    });
  }
}

function checkRoot(prop: string, pem: unknown): string {
  checkCaCertificates(prop, pem);
  return pem as string;
}

const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;

/** In gibibytes where they are whole, as people and `kubectl get pvc` write it. */
function storageQuantity(size: Size): k8s.Quantity {
  const mebibytes = mebibytesOf(size);
  return k8s.Quantity.fromString(mebibytes % 1024 === 0 ? `${mebibytes / 1024}Gi` : `${mebibytes}Mi`);
}
