/**
 * Where the CA's keys and certificates come from.
 * @module
 */
import { PkiObject } from '../runtime/contract.ts';
import { patternProblem } from '../runtime/policy/patterns.ts';
import { checkCaCertificates } from './ca-certificates.ts';
import { checkKmsKey, type KmsKey } from './kms-key.ts';
import { checkFlag, checkList, checkObject, checkObjectName, checkOptional, checkString, shown } from './validation.ts';

/** Options of {@link Pki.inCluster}. */
export interface InClusterPkiOptions {
  /** First words of the certificates' names: "… Root CA" and "… Intermediate CA". @default 'Autocert' */
  readonly name?: string;
  /**
   * Name constraints of the intermediate (RFC 5280, §4.2.1.10): with `true` whoever verifies a certificate refuses every
   * name but those below `svc`, the cluster's domain, and the hosts of CA and Autocert, even where the CA's key was stolen;
   * `permitted` adds DNS domains (with all below them, and URIs with such hosts), IP addresses and CIDR blocks. The
   * provisioner `admin` is bound by them, too, and `<service>.<namespace>` cannot be had. A change has the intermediate
   * replaced, where the root's key is in the cluster. `false`: any name, from the next intermediate on.
   * @default - as the intermediate has them; a new one has none
   * @see docs/pki.md#name-constraints
   */
  readonly nameConstraints?: boolean | NameConstraints;
  /**
   * Whether a CronJob makes again what was lost and renews the intermediate each year. Its account reads the keys of root
   * and intermediate; `false`: none does, and people run `autocert pki init` instead, or `autocert pki intermediate
   * --root-key` where the root's key is kept elsewhere. @default true
   * @see docs/pki.md#without-the-cronjob
   */
  readonly upkeep?: boolean;
}

/** What an intermediate may sign besides the names of the cluster. */
export interface NameConstraints {
  /** DNS domains, IP addresses and CIDR blocks. */
  readonly permitted: readonly string[];
}

/** Options of {@link Pki.existing}. All Secrets are in the CA's namespace and yours to make. */
export interface ExistingPkiOptions {
  /** Root certificate, PEM; several while one replaces the other. */
  readonly rootCertificate: string;
  /** Intermediate certificate that step-ca signs with, PEM, issued by one of the roots. */
  readonly intermediateCertificate: string;
  /**
   * URI of the intermediate's key in a KMS that step-ca has, such as `awskms:key-id=…`; there is neither the Secret with it nor
   * that with its password then. The image of step-ca and its pod must be able to use the KMS. @default - it is in a Secret
   * @see docs/constructs.md#more-of-step-ca
   */
  readonly intermediateKey?: string;
  /** Secret with the intermediate's key, encrypted PEM, under `intermediate_ca_key`. @default 'ca-intermediate-key' */
  readonly intermediateKeySecret?: string;
  /** Secret with the password of that key under `password`. @default 'ca-password' */
  readonly passwordSecret?: string;
  /**
   * Secret with a JSON array of step-ca's provisioners, as its `ca.json` has them, under `provisioners.json`; one of them is the
   * JWK provisioner `autocert`. @default 'ca-provisioners'
   */
  readonly provisionersSecret?: string;
  /** Secret with the password of the provisioner `autocert` under `password`. @default 'autocert-password' */
  readonly autocertPasswordSecret?: string;
}

const checkCaName = checkString(
  'it takes 1 to 40 letters, digits, spaces, ".", "_" or "-"',
  /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,39}$/u,
);

function checkConstraints(prop: string, value: unknown): readonly string[] | 'any' | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'boolean') return value ? [] : 'any';
  const { permitted } = checkObject(prop, value) as Partial<NameConstraints>;
  return checkList(`${prop}.permitted`, permitted, checkPermitted);
}

const checkPermitted = checkString(
  'it takes a DNS domain such as "example.com", an IP address or a CIDR block such as "10.1.0.0/16"',
  (name) => !/[*:]\/\/|[*]/.test(name) && patternProblem(name) === undefined,
);

/** The CA's keys and certificates: made in the cluster, or brought along. */
export class Pki {
  /**
   * A Job makes root, intermediate, passwords and provisioners in the cluster, once: what exists it never overwrites.
   * No key leaves the cluster, and none is in the manifests.
   */
  static inCluster(options: InClusterPkiOptions = {}): Pki {
    const { name = 'Autocert', nameConstraints, upkeep = true } = options;
    return new Pki({
      caName: checkCaName('name', name),
      permitted: checkConstraints('nameConstraints', nameConstraints),
      upkeep: checkFlag('upkeep', upkeep),
    });
  }

  /** The CA is subordinate to a PKI that exists: its root is a synth input, its keys are in Secrets of yours. */
  static existing(options: ExistingPkiOptions): Pki {
    const roots = checkCaCertificates('rootCertificate', options.rootCertificate);
    const [intermediate] = checkCaCertificates('intermediateCertificate', options.intermediateCertificate);
    if (!roots.some((root) => intermediate?.checkIssued(root) && intermediate.verify(root.publicKey))) {
      throw new Error(
        `intermediateCertificate: got one issued by ${shown(intermediate?.issuer)}, but it must be issued by ` +
          `rootCertificate, ${shown(roots[0]?.subject)}`,
      );
    }
    const { intermediateKey, intermediateKeySecret, passwordSecret } = options;
    if (intermediateKey !== undefined && (intermediateKeySecret ?? passwordSecret) !== undefined) {
      throw new Error('intermediateKey: it is in a KMS, so leave out intermediateKeySecret and passwordSecret');
    }
    return new Pki({ options });
  }

  /** First words of the certificates that are made in the cluster. Absent: the PKI exists. */
  readonly caName?: string;
  /** Names that the intermediate may sign besides those of the cluster; `any`: all. Absent: as they are. */
  readonly permitted?: readonly string[] | 'any';
  /** Whether a CronJob keeps the PKI that was made in the cluster. */
  readonly upkeep: boolean;
  /** Root certificates, PEM. Absent: they are not known at synth. */
  readonly rootCertificate?: string;
  /** Intermediate certificate, PEM. Absent: not known at synth. */
  readonly intermediateCertificate?: string;
  /** The intermediate's key in a KMS. Absent: it is in the two Secrets that follow. */
  readonly kmsKey?: KmsKey;
  /** Secret with the intermediate's key. */
  readonly intermediateKeySecret: string;
  /** Secret with the password of the intermediate's key. */
  readonly passwordSecret: string;
  /** Secret with the provisioners. */
  readonly provisionersSecret: string;
  /** Secret with the password of the provisioner `autocert`. */
  readonly autocertPasswordSecret: string;

  /** Secrets that hold keys, or open them. */
  get secrets(): readonly string[] {
    const rootKey = this.caName === undefined ? [] : [PkiObject.rootKey];
    const { intermediateKeySecret, provisionersSecret, passwordSecret, autocertPasswordSecret } = this;
    if (this.kmsKey !== undefined) return [provisionersSecret, autocertPasswordSecret];
    return [...rootKey, intermediateKeySecret, provisionersSecret, passwordSecret, autocertPasswordSecret];
  }

  private constructor(from: {
    caName?: string;
    permitted?: readonly string[] | 'any' | undefined;
    upkeep?: boolean;
    options?: ExistingPkiOptions;
  }) {
    const { options } = from;
    const secret = (prop: string, name: string | undefined, usual: string) => checkObjectName(prop, name ?? usual);
    if (from.caName !== undefined) this.caName = from.caName;
    if (from.permitted !== undefined) this.permitted = from.permitted;
    this.upkeep = from.upkeep ?? false;
    if (options !== undefined) {
      this.rootCertificate = options.rootCertificate;
      this.intermediateCertificate = options.intermediateCertificate;
    }
    const kmsKey = checkOptional('intermediateKey', options?.intermediateKey, checkKmsKey);
    if (kmsKey !== undefined) this.kmsKey = kmsKey;
    const { intermediateKey, caPassword, provisioners, autocertPassword } = PkiObject;
    this.intermediateKeySecret = secret('intermediateKeySecret', options?.intermediateKeySecret, intermediateKey);
    this.passwordSecret = secret('passwordSecret', options?.passwordSecret, caPassword);
    this.provisionersSecret = secret('provisionersSecret', options?.provisionersSecret, provisioners);
    this.autocertPasswordSecret = secret('autocertPasswordSecret', options?.autocertPasswordSecret, autocertPassword);
  }
}
