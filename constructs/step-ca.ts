/**
 * The certificate authority.
 * @module
 */
import type { Duration } from 'cdk8s';
import { Lazy, Size } from 'cdk8s';
import { k8s } from 'cdk8s-plus-27';
import { Construct } from 'constructs';
import { CaConfigFile, PkiFile, PkiObject, Provisioner } from '../runtime/contract.ts';
import { USUAL_NAMESPACE } from '../runtime/policy/cluster-names.ts';
import { checkAllowedName } from './allowed-name.ts';
import { checkCaCertificates } from './ca-certificates.ts';
import { CaDatabase, mebibytesOf } from './ca-database.ts';
import { caNameRules, unpermitted } from './ca-names.ts';
import { addCaService, type CaServiceOptions, checkService, isOuter } from './ca-service.ts';
import { type CaProvisionerOptions, type CaSettings, checkMoreOfCa } from './ca-settings.ts';
import { type IStepCa, refuseSecondCa, type SignedNames } from './i-step-ca.ts';
import { ImportedStepCa, type StepCaFromUrlProps } from './imported-step-ca.ts';
import { checkLifetimes, goLifetimes, type LifetimeProps } from './lifetimes.ts';
import { checkDestination, checkPeer, type NetworkDestination } from './network-peers.ts';
import {
  anywhere,
  closeCa,
  destination,
  type NetworkProps,
  type SystemNetwork,
  systemNetwork,
  TO_CA,
} from './network-policies.ts';
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
  type PodProps,
  podProps,
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
  checkOptional,
  checkReplicas,
  refuse,
  shown,
} from './validation.ts';
import { servingNames } from './webhook-server.ts';

const checkPki = checkInstance('it takes Pki.inCluster(…) or Pki.existing(…)', Pki);
const checkDatabase = checkInstance(
  'it takes CaDatabase.persistent(…), .ephemeral(), .mysql(…) or .postgresql(…)',
  CaDatabase,
);

/** Properties of {@link StepCa}. */
export interface StepCaProps extends LifetimeProps, PodProps, NetworkProps {
  /**
   * Namespace of the CA; webhook and signer run there too. In another than the usual one, objects that are in no namespace
   * have it behind their names (`autocert.tls`), so that several installations fit into one cluster. @default 'step'
   */
  readonly namespace?: string;
  /** Whether to make the namespace, at the Pod Security level `restricted`. @default true */
  readonly createNamespace?: boolean;
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) refuses to delete the Secrets with the CA's keys, and
   * the namespace if these manifests make it, until they are annotated with `autocert.step.sm/allow-deletion=true`.
   * Argo CD and Helm are told to leave the namespace where it is. Set `false` before Kubernetes 1.30. @default true
   * @see docs/uninstall.md#what-keeps-the-keys
   */
  readonly retain?: boolean;
  /**
   * Whether a ValidatingAdmissionPolicy (Kubernetes 1.30 and later) lets the accounts that make and keep the PKI create its
   * objects alone. Set `false` before Kubernetes 1.30. @default true
   * @see docs/how-it-works.md#accounts-and-what-they-may-do
   */
  readonly guard?: boolean;
  /**
   * Whether the platform says who pods run as, as OpenShift's `restricted-v2` does: then no uid and no group is in the
   * manifests. @default false
   * @see docs/constructs.md#openshift
   */
  readonly userFromPlatform?: boolean;
  /**
   * Where keys and certificates come from: `Pki.inCluster(…)` or `Pki.existing(…)`. @default Pki.inCluster()
   * @see docs/constructs.md#a-pki-made-in-the-cluster
   * @see docs/constructs.md#an-existing-pki
   */
  readonly pki?: Pki;
  /**
   * Where revoked certificates and used tokens are kept. @default CaDatabase.persistent()
   * @see docs/constructs.md#the-database
   */
  readonly database?: CaDatabase;
  /** Number of pods; more than one needs a database that they share. @default 1 */
  readonly replicas?: number;
  /** DNS names and IP addresses of the CA besides those of its Service. @default - none */
  readonly dnsNames?: readonly string[];
  /** DNS domain of the cluster. @default 'cluster.local' */
  readonly clusterDomain?: string;
  /**
   * Names that step-ca signs for the provisioner `autocert` besides those of the cluster and of all `allowedNames`, as
   * patterns of the same kind: for whoever else uses it. Any other it refuses, whoever has the provisioner's password.
   * `'any'`: it signs every name. @default - none; every name where no AutocertWebhook is given this CA
   * @see docs/ca.md#what-step-ca-refuses-by-itself
   */
  readonly autocertNames?: readonly string[] | 'any';
  /**
   * More settings of step-ca, as its `ca.json` has them at the top level, such as `kms`, `logger`, `crl` or `authority.policy`:
   * JSON, and nothing secret, for it is in a ConfigMap. What other props set is refused. @default - none
   * @see docs/constructs.md#more-of-step-ca
   */
  readonly config?: CaSettings;
  /**
   * More provisioners, as step-ca's `ca.json` has them, such as `{ type: 'ACME', name: 'acme' }`, besides those of the PKI.
   * Which names they sign is up to them: `allowedNames` bind the provisioner `autocert` alone. @default - none
   */
  readonly provisioners?: readonly CaProvisionerOptions[];
  /**
   * Root certificates of other PKIs, PEM, that pods trust besides the CA's own. @default - none
   * @see docs/federation.md
   */
  readonly federatedRoots?: readonly string[];
  /** Image of step-ca, by tag or by digest. @default 'smallstep/step-ca:0.30.2' */
  readonly image?: string;
  /** `Always`, `IfNotPresent` or `Never`, for both images. @default 'IfNotPresent' */
  readonly imagePullPolicy?: ImagePullPolicy;
  /**
   * Image with our programs, for the Job and the supervisor of step-ca, by tag or by digest.
   * @default - `autocert:` and the version of this package
   * @see docs/supply-chain.md#images-by-digest
   */
  readonly autocertImage?: string;
  /**
   * The CA's Service, such as `{ type: 'LoadBalancer' }`. Whoever is to reach it from outside is named in `allowFrom`, and
   * the name by which he does in `dnsNames`. @default - a ClusterIP
   */
  readonly service?: CaServiceOptions;
  /**
   * Who may connect to the CA besides Autocert: peers as a NetworkPolicy has them, such as
   * `{ ipBlock: { cidr: '203.0.113.0/24' } }`; an empty list if you see to that yourself, where `service` is reached from
   * outside. @default - nobody; `kubectl port-forward` needs no right of the network
   */
  readonly allowFrom?: readonly k8s.NetworkPolicyPeer[];
  /**
   * What the CA may connect to, with the cluster's DNS: such a peer with ports.
   * @default - the usual port of a shared database, at any address; else nothing
   */
  readonly allowTo?: readonly NetworkDestination[];
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
  readonly network: SystemNetwork | undefined;
  readonly #props: StepCaProps;
  readonly #pki: Pki;
  readonly #database: CaDatabase;
  readonly #autocertImage: ContainerImage;
  readonly #guard: boolean;
  readonly #userFromPlatform: boolean;
  readonly #autocertNames: readonly string[] | 'any';
  #signed: SignedNames | undefined;

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
    this.namespace = checkName('namespace', props.namespace ?? USUAL_NAMESPACE);
    this.clusterDomain = checkClusterDomain('clusterDomain', props.clusterDomain ?? 'cluster.local');
    this.url = `https://${CA_NAME}.${this.namespace}.svc`;
    this.hosts = this.#hosts(checkList('dnsNames', props.dnsNames ?? [], checkHost));
    this.rootCertificate = this.#pki.rootCertificate;
    this.provisionerPasswordSecret = this.#pki.autocertPasswordSecret;
    this.defaultDuration = lifetimes.defaultDuration;
    this.minDuration = lifetimes.minDuration;
    this.maxDuration = lifetimes.maxDuration;
    this.network = systemNetwork(props, this.namespace, TO_CA);

    this.#autocertNames = this.#checkNames('autocertNames', props.autocertNames ?? []);

    this.node.addValidation({ validate: () => this.#constraintFaults() });
    refuseSecondCa(this);
    this.#addNamespace();
    const service = checkService('service', props.service ?? {});
    this.#closeNetwork(service);
    this.#addPki();
    const federatedRoots = this.#addFederatedRoots(checkList('federatedRoots', props.federatedRoots ?? [], checkRoot));
    const config = stepCaConfig({
      ...goLifetimes(lifetimes),
      dnsNames: this.#dnsNames,
      federatedRoots,
      database: this.#database,
      kmsKey: this.#pki.kmsKey,
      more: checkMoreOfCa(props),
    });
    const replicas = this.#replicas();
    const supervisor = supervisorConfig(this.#database, replicas);
    new k8s.KubeConfigMap(this, 'Config', {
      metadata: metadata(CaConfigFile.configMap, this.namespace),
      data: {
        [CaConfigFile.template]: json(config),
        [CaConfigFile.names]: Lazy.any({ produce: () => json(this.#nameRules()) }),
        [CaConfigFile.supervisor]: json(supervisor),
      },
    });
    this.#addVolume();
    this.#addStatefulSet(replicas, supervisor, federatedRoots);
    addCaService(this, CA_NAME, this.namespace, service);
  }

  #checkNames(prop: string, value: unknown): readonly string[] | 'any' {
    const { namespace, clusterDomain, hosts } = this;
    const check = checkAllowedName({ namespace, clusterDomain, reservedNames: hosts });
    return value === 'any' ? value : checkList(prop, value, check);
  }

  /** Says which names the provisioner `autocert` has to sign; it refuses all others. `AutocertWebhook` calls this. */
  limitNames(names: SignedNames): void {
    this.#signed = names;
  }

  /** The last two for the pod itself: anybody may have such a name, for what runs beside him. */
  get #dnsNames(): readonly string[] {
    return [...new Set([...this.hosts, 'localhost', '127.0.0.1'])];
  }

  /** `null`: any name. */
  #nameRules() {
    const [more, signed] = [this.#autocertNames, this.#signed];
    if (more === 'any' || signed === undefined) return null;
    const [policy, permitted] = [signed.policy(), this.#permitted];
    return caNameRules({ ...signed, policy, more, permitted });
  }

  /** Names that the intermediate may sign; `undefined`: any. */
  get #permitted(): readonly string[] | undefined {
    const { permitted } = this.#pki;
    if (permitted === undefined || permitted === 'any') return undefined;
    const domains = ['svc', this.clusterDomain];
    const hosts = [...this.#dnsNames, ...servingNames(this)].filter(
      (host) => !domains.some((one) => host.endsWith(`.${one}`)),
    );
    return [...new Set([...domains, ...hosts, ...permitted])];
  }

  /** At synth, when all namespaces are known. */
  #constraintFaults(): string[] {
    const [permitted, signed] = [this.#permitted, this.#signed];
    if (permitted === undefined || signed === undefined) return [];
    return unpermitted(signed.policy(), permitted).map(
      ([namespace, pattern]) =>
        `allowedNames of namespace "${namespace}": got ${shown(pattern)}, but the intermediate's name constraints permit ` +
        `none of it: add its domain or block to Pki.inCluster({ nameConstraints: { permitted: […] } })`,
    );
  }

  #addNamespace(): void {
    const { namespace } = this;
    const ownsNamespace = checkFlag('createNamespace', this.#props.createNamespace ?? true);
    const retain = checkFlag('retain', this.#props.retain ?? true);
    if (ownsNamespace) systemNamespace(this, namespace, retain ? KEPT : {});
    if (retain) new Retention(this, 'Retention', { namespace, ownsNamespace, secrets: this.#pki.secrets });
  }

  #closeNetwork(service: CaServiceOptions): void {
    if (this.network !== undefined && isOuter(service) && this.#props.allowFrom === undefined) {
      const example = "[{ ipBlock: { cidr: '203.0.113.0/24' } }]";
      refuse(
        'service.type',
        service.type,
        `NetworkPolicies let nobody from outside in: name them in allowFrom: ${example}`,
      );
    }
    const from = checkList('allowFrom', this.#props.allowFrom ?? [], checkPeer);
    const named = checkOptional('allowTo', this.#props.allowTo, (prop, list) =>
      checkList(prop, list, checkDestination),
    );
    const { usualPort } = this.#database;
    const to = named?.map(destination) ?? (usualPort === undefined ? [] : [anywhere(usualPort)]);
    if (this.network !== undefined) closeCa(this, this.network, { from, to });
  }

  #addPki(): void {
    const { caName, rootCertificate, intermediateCertificate, permitted } = this.#pki;
    if (rootCertificate !== undefined && intermediateCertificate !== undefined) {
      new k8s.KubeConfigMap(this, 'Certificates', {
        metadata: metadata(this.rootConfigMap, this.namespace),
        data: { [PkiFile.root]: rootCertificate, [PkiFile.intermediate]: intermediateCertificate },
      });
    }
    if (caName === undefined) return;
    const { namespace, network } = this;
    const { upkeep } = this.#pki;
    const image = this.#autocertImage;
    new PkiInit(this, 'Init', {
      ...podProps(this.#props),
      ...{ image, namespace, network, caName, upkeep, guard: this.#guard, userFromPlatform: this.#userFromPlatform },
      permitted: permitted === 'any' ? [] : this.#permitted,
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
          ...podProps(this.#props),
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
