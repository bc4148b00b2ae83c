/**
 * Where the CA's keys and certificates come from.
 * @module
 */
import { PkiObject } from '../runtime/contract.ts';
import { checkCaCertificates } from './ca-certificates.ts';
import { checkFlag, checkObjectName, checkString, shown } from './validation.ts';

/** Options of {@link Pki.inCluster}. */
export interface InClusterPkiOptions {
  /** First words of the certificates' names: "… Root CA" and "… Intermediate CA". @default 'Autocert' */
  readonly name?: string;
  /**
   * Whether a CronJob makes again what was lost and renews the intermediate each year. Its account reads the keys of root
   * and intermediate; `false`: none does, and people run `autocert pki init` instead, or `autocert pki intermediate
   * --root-key` where the root's key is kept elsewhere. @default true
   */
  readonly upkeep?: boolean;
}

/** Options of {@link Pki.existing}. All Secrets are in the CA's namespace and yours to make. */
export interface ExistingPkiOptions {
  /** Root certificate, PEM; several while one replaces the other. */
  readonly rootCertificate: string;
  /** Intermediate certificate that step-ca signs with, PEM, issued by one of the roots. */
  readonly intermediateCertificate: string;
  /** Secret with the intermediate's key, encrypted, under `intermediate_ca_key`. @default 'ca-intermediate-key' */
  readonly intermediateKeySecret?: string;
  /** Secret with the password of that key under `password`. @default 'ca-password' */
  readonly passwordSecret?: string;
  /** Secret with a JSON array of step-ca's provisioners under `provisioners.json`. @default 'ca-provisioners' */
  readonly provisionersSecret?: string;
  /** Secret with the password of the provisioner `autocert` under `password`. @default 'autocert-password' */
  readonly autocertPasswordSecret?: string;
}

const checkCaName = checkString(
  'it takes 1 to 40 letters, digits, spaces, ".", "_" or "-"',
  /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,39}$/u,
);

/** The CA's keys and certificates: made in the cluster, or brought along. */
export class Pki {
  /**
   * A Job makes root, intermediate, passwords and provisioners in the cluster, once: what exists it never overwrites.
   * No key leaves the cluster, and none is in the manifests.
   */
  static inCluster(options: InClusterPkiOptions = {}): Pki {
    const upkeep = checkFlag('upkeep', options.upkeep ?? true);
    return new Pki({ caName: checkCaName('name', options.name ?? 'Autocert'), upkeep });
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
    return new Pki({ options });
  }

  /** First words of the certificates that are made in the cluster. Absent: the PKI exists. */
  readonly caName?: string;
  /** Whether a CronJob keeps the PKI that was made in the cluster. */
  readonly upkeep: boolean;
  /** Root certificates, PEM. Absent: they are not known at synth. */
  readonly rootCertificate?: string;
  /** Intermediate certificate, PEM. Absent: not known at synth. */
  readonly intermediateCertificate?: string;
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
    return [...rootKey, intermediateKeySecret, provisionersSecret, passwordSecret, autocertPasswordSecret];
  }

  private constructor(from: { caName?: string; upkeep?: boolean; options?: ExistingPkiOptions }) {
    const { options } = from;
    const secret = (prop: string, name: string | undefined, usual: string) => checkObjectName(prop, name ?? usual);
    if (from.caName !== undefined) this.caName = from.caName;
    this.upkeep = from.upkeep ?? false;
    if (options !== undefined) {
      this.rootCertificate = options.rootCertificate;
      this.intermediateCertificate = options.intermediateCertificate;
    }
    const { intermediateKey, caPassword, provisioners, autocertPassword } = PkiObject;
    this.intermediateKeySecret = secret('intermediateKeySecret', options?.intermediateKeySecret, intermediateKey);
    this.passwordSecret = secret('passwordSecret', options?.passwordSecret, caPassword);
    this.provisionersSecret = secret('provisionersSecret', options?.provisionersSecret, provisioners);
    this.autocertPasswordSecret = secret('autocertPasswordSecret', options?.autocertPasswordSecret, autocertPassword);
  }
}
