/**
 * The configuration of step-ca as far as it is known at synth, and that of its supervisor, which adds what exists in the
 * cluster only: provisioners, certificates, keys, and the password of a shared database. Pure.
 * @module
 */
import {
  CaConfigFile,
  CaPort,
  CONTAINER_PORT,
  PkiFile,
  STEP_PATH,
  type SupervisorConfig,
} from '../runtime/contract.ts';
import { type CaDatabase, DATA_SOURCE_FILE, DATABASE_FILE } from './ca-database.ts';
import type { MoreOfCa } from './ca-settings.ts';
import type { KmsKey } from './kms-key.ts';

/** What goes into the template; durations in Go's syntax. */
export interface StepCaConfigInput {
  readonly dnsNames: readonly string[];
  readonly defaultDuration: string;
  readonly minDuration: string;
  readonly maxDuration: string;
  readonly federatedRoots: number;
  readonly database: CaDatabase;
  /** The intermediate's key in a KMS. Absent: it is in a Secret. */
  readonly kmsKey: KmsKey | undefined;
  /** What the user adds; none of it is set here but `logger` and `kms`. */
  readonly more: MoreOfCa;
}

/** Folders of the CA's pod, each a volume. */
export const CaFolder = {
  /** What the supervisor reads: ConfigMaps and Secrets. */
  template: '/etc/autocert/template',
  provisioners: '/etc/autocert/provisioners',
  dataSource: '/etc/autocert/data-source',
  certificates: `${STEP_PATH}/certs`,
  secrets: `${STEP_PATH}/secrets`,
  /** What it writes for step-ca. */
  config: `${STEP_PATH}/config`,
  database: `${STEP_PATH}/db`,
  /** The shell, and the script that starts step-ca in it. */
  programs: '/run/autocert/programs',
  /** Where that script and the supervisor talk. */
  control: '/run/autocert/control',
  /** Room for a database that does not fit its volume twice. */
  scratch: '/run/autocert/scratch',
} as const;

/** File name of a federated root; the first is number 1. */
export function federatedRootFile(number: number): string {
  return `federated_root_${number}.crt`;
}

/** `ca.json` without its provisioners, and without the paths of certificates and key, of which the supervisor makes a set; that of a key in a KMS it has. */
export function stepCaConfig(input: StepCaConfigInput) {
  const { kmsKey, more } = input;
  return {
    federatedRoots: Array.from(
      { length: input.federatedRoots },
      (_, i) => `${CaFolder.certificates}/${federatedRootFile(i + 1)}`,
    ),
    address: `:${CONTAINER_PORT}`,
    metricsAddress: `:${CaPort.metrics}`,
    dnsNames: input.dnsNames,
    logger: { format: 'json' },
    ...(kmsKey && { key: kmsKey.uri, kms: { type: kmsKey.type } }),
    ...more.config,
    db: databaseConfig(input.database),
    authority: {
      ...(more.config.authority as object | undefined),
      ...(more.provisioners.length > 0 && { provisioners: more.provisioners }),
      claims: {
        minTLSCertDuration: input.minDuration,
        maxTLSCertDuration: input.maxDuration,
        defaultTLSCertDuration: input.defaultDuration,
      },
    },
  };
}

function databaseConfig({ kind }: CaDatabase) {
  if (kind.type === 'bbolt') return { type: kind.type, dataSource: `${CaFolder.database}/${DATABASE_FILE}` };
  // The data source has a password in it: the supervisor puts it in.
  return { type: kind.type, dataSource: '', database: kind.database };
}

/** With several replicas a changed configuration has each of them restarted at a time of its own within this. */
const RESTART_SPREAD_SECONDS = 20;

/** What the supervisor reads at its start. */
export function supervisorConfig({ shared }: CaDatabase, replicas: number): SupervisorConfig {
  const { template, provisioners, certificates, secrets, dataSource, config, control, database, scratch } = CaFolder;
  return {
    inputs: {
      template: `${template}/${CaConfigFile.template}`,
      provisioners: `${provisioners}/${PkiFile.provisioners}`,
      names: `${template}/${CaConfigFile.names}`,
      certificates,
      secrets,
      ...(shared && { dataSource: `${dataSource}/${DATA_SOURCE_FILE}` }),
    },
    out: config,
    control,
    ...(!shared && { database: { file: `${database}/${DATABASE_FILE}`, scratch } }),
    caUrl: `https://127.0.0.1:${CONTAINER_PORT}`,
    port: CaPort.supervisor,
    restartSpreadSeconds: replicas > 1 ? RESTART_SPREAD_SECONDS : 0,
  };
}
