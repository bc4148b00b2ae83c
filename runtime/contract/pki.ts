/**
 * The PKI's objects and files, and the configuration of the CA's pod.
 * @module
 */

/** Objects of the PKI: made by the init Job, or brought along with an existing PKI. */
export const PkiObject = {
  /** ConfigMap: `root_ca.crt`, `intermediate_ca.crt`. What everybody may read; it can be made again from the Secrets. */
  certificates: 'ca-certs',
  /** Secret: `root_ca_key`, encrypted with the password in `ca-password`, and its certificate. No running pod mounts it. */
  rootKey: 'ca-root-key',
  /**
   * Secret: `intermediate_ca_key`, encrypted with the password in `ca-password`, and `intermediate_ca.crt`, what step-ca
   * sends with each leaf. One object, so that the CA never sees a key without its certificate.
   */
  intermediateKey: 'ca-intermediate-key',
  /** Secret: `provisioners.json`, the provisioners as step-ca's configuration has them, their keys encrypted. */
  provisioners: 'ca-provisioners',
  /** Secret: `password`, of the CA's keys and of the provisioner `admin`; `next-password` while one replaces the other. */
  caPassword: 'ca-password',
  /** Secret: `password`, of the provisioner `autocert`; `next-password` while one replaces the other. */
  autocertPassword: 'autocert-password',
  /** Secret, there only while one root replaces the other: the new root, its key, and its cross certificate. */
  nextRoot: 'ca-next-root',
} as const;

/**
 * Secret, there only while the PKI is being made: all of it in one piece, so that whoever is killed over it can be gone on
 * from. It is the one with a key that the init Job's account may read, and it is gone when the PKI is there.
 */
export const PKI_DRAFT = 'ca-draft';

/** Keys of the objects in {@link PkiObject}, which are file names once mounted. */
export const PkiFile = {
  /** One root, or the old and the new one while one replaces the other. */
  root: 'root_ca.crt',
  /** The intermediate; behind it, while one root replaces the other, the cross certificate of the new root. */
  intermediate: 'intermediate_ca.crt',
  rootKey: 'root_ca_key',
  intermediateKey: 'intermediate_ca_key',
  provisioners: 'provisioners.json',
  password: 'password',
  nextPassword: 'next-password',
  /** The new root's key, signed by the old root (RFC 4210, §4.4): who knows the old root only trusts the new one by it. */
  cross: 'cross.crt',
} as const;

/** Names of the two JWK provisioners. */
export const Provisioner = { admin: 'admin', autocert: 'autocert' } as const;

/** Where the CA's container keeps its files (`STEPPATH`), as the tutorial's commands expect it. */
export const STEP_PATH = '/home/step/.step';

/** The ConfigMap with the CA's configuration, and its keys. */
export const CaConfigFile = {
  configMap: 'ca-config',
  /** step-ca's configuration as far as it is known at synth; under this name step-ca is given the whole of it. */
  template: 'ca.json',
  /** A {@link SupervisorConfig}. */
  supervisor: 'supervisor.json',
  /** {@link CaNameRules}; `null`: the provisioner `autocert` signs any name. */
  names: 'names.json',
} as const;

/**
 * Which names step-ca signs for the provisioner `autocert`: what holds when whoever has its password is an attacker. The
 * regular expressions are in RE2's syntax and match whole names in the one spelling that `runtime/policy/names.ts` allows.
 */
export interface CaNameRules {
  /** DNS names that are signed whatever the others say: Autocert's own. */
  readonly own: readonly string[];
  /** DNS names that are never signed else. */
  readonly neverDns: readonly string[];
  /**
   * DNS names that are signed, as patterns of `allowedNames` whose only wildcard is in front: each between two spaces, since
   * step-ca reads a regular expression anew for each request, and looks thousands of patterns through in no time.
   */
  readonly patterns: string;
  /** DNS names that are signed besides. */
  readonly dns: readonly string[];
  /** DNS names that are signed unless one of `notClusterDns` matches. */
  readonly clusterDns: readonly string[];
  readonly notClusterDns: readonly string[];
  /** As `clusterDns`, unless one of `notShortDns` matches, or the last label is in `topLevel`, each between two spaces. */
  readonly shortDns: readonly string[];
  readonly notShortDns: readonly string[];
  readonly topLevel: string;
  /** Addresses that are never signed, and those that are: as hexadecimal digits, 8 (IPv4) or 32 (IPv6) of them. */
  readonly neverIp: readonly string[];
  readonly ip: readonly string[];
  /** URIs that are never signed, and those that are. */
  readonly neverUri: readonly string[];
  readonly uri: readonly string[];
}

/** The supervisor's configuration: a JSON file in the ConfigMap `ca-config`, synthesized by `StepCa`. */
export interface SupervisorConfig {
  /** Files of ConfigMaps and Secrets; what is in them is followed. */
  readonly inputs: {
    /** step-ca's `ca.json` without its provisioners. */
    readonly template: string;
    /** List of provisioners, JSON. */
    readonly provisioners: string;
    /** {@link CaNameRules} or `null`, JSON. Absent, or `null`: the provisioner `autocert` signs any name. */
    readonly names?: string;
    /** Folder with the files of {@link PkiObject.certificates}, and the federated roots. */
    readonly certificates: string;
    /** Folder with the files of {@link PkiObject.intermediateKey} and {@link PkiObject.caPassword}. */
    readonly secrets: string;
    /** File with the data source of a shared database. Absent: the database is a file. */
    readonly dataSource?: string;
  };
  /** Folder where it puts what step-ca runs with. */
  readonly out: string;
  /** Folder in which it talks with `ca.sh`. */
  readonly control: string;
  /** The database's file, and a folder on another volume for when its own is full. Absent: the database is shared. */
  readonly database?: { readonly file: string; readonly scratch: string };
  /** Base URL of step-ca in the same pod. */
  readonly caUrl: string;
  /** Port of `/healthz`, `/readyz` and `/metrics` (plain HTTP). */
  readonly port: number;
  /** A changed configuration has step-ca restarted after a random time up to this, so that replicas take turns. */
  readonly restartSpreadSeconds: number;
}

/** Ports of the CA's pod for kubelet and Prometheus, plain HTTP: of step-ca, and of its supervisor. */
export const CaPort = { metrics: 9403, supervisor: 9404 } as const;
