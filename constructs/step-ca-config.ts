/**
 * step-ca's configuration as far as it is known at synth: all but the provisioners and the database's password, which
 * the pod's init container adds from Secrets. Pure.
 * @module
 */
import { CONTAINER_PORT, PkiFile, STEP_PATH } from '../runtime/contract.ts';
import type { CaDatabase } from './ca-database.ts';

/** What goes into the template; durations in Go's syntax. */
export interface StepCaConfigInput {
  readonly dnsNames: readonly string[];
  readonly defaultDuration: string;
  readonly minDuration: string;
  readonly maxDuration: string;
  readonly federatedRoots: number;
  readonly database: CaDatabase;
}

/** File name of a federated root; the first is number 1. */
export function federatedRootFile(number: number): string {
  return `federated_root_${number}.crt`;
}

/** `ca.json` without its provisioners. */
export function stepCaConfig(input: StepCaConfigInput) {
  const file = (folder: string, name: string) => `${STEP_PATH}/${folder}/${name}`;
  return {
    root: file('certs', PkiFile.root),
    federatedRoots: Array.from({ length: input.federatedRoots }, (_, i) => file('certs', federatedRootFile(i + 1))),
    crt: file('certs', PkiFile.intermediate),
    key: file('secrets', PkiFile.intermediateKey),
    address: `:${CONTAINER_PORT}`,
    dnsNames: input.dnsNames,
    logger: { format: 'json' },
    db: databaseConfig(input.database),
    authority: {
      claims: {
        minTLSCertDuration: input.minDuration,
        maxTLSCertDuration: input.maxDuration,
        defaultTLSCertDuration: input.defaultDuration,
      },
    },
  };
}

function databaseConfig({ kind }: CaDatabase) {
  if (kind.type === 'badgerv2') return { type: kind.type, dataSource: `${STEP_PATH}/db` };
  // The data source has a password in it: the init container puts it in.
  return { type: kind.type, dataSource: '', database: kind.database };
}
