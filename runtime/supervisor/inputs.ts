/**
 * Reads what is mounted of the CA's ConfigMaps and Secrets. Each of them changes at a time of its own.
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CaNameRules, PkiFile, type SupervisorConfig } from '../contract.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import { readJsonFile } from '../lib/validator.ts';
import { type CaTemplate, orNull, PROVISIONERS, TEMPLATE } from '../step-ca/ca-config.ts';
import { NAME_RULES } from '../step-ca/name-rules.ts';
import type { ConfiguredProvisioner } from '../step-ca/provisioner.ts';

/** What a configuration is composed of. */
export interface CaInputs {
  readonly template: CaTemplate;
  readonly provisioners: readonly ConfiguredProvisioner[];
  /** Which names the provisioner `autocert` signs; `undefined`: any. */
  readonly names: CaNameRules | undefined;
  /** Root certificates, PEM. */
  readonly roots: string;
  /** Files that the template names as `federatedRoots`, by name. */
  readonly federatedRoots: ReadonlyMap<string, string>;
  /** The intermediate and what is behind it, PEM: as the key's Secret has it, if it does, then as the ConfigMap has it. */
  readonly chains: readonly string[];
  /** The intermediate's key, PEM; `undefined`: it is in a KMS, and the template names it. */
  readonly key: Secret | undefined;
  /** Passwords that may open it. */
  readonly passwords: readonly Secret[];
  readonly dataSource: Secret | undefined;
}

/** More of them than this are no list of roots. */
const MAX_FEDERATED_ROOTS = 100;

/** @throws AutocertError `INVALID_CONFIG` that names the file that is missing, too large or wrong. */
export function readInputs(from: SupervisorConfig['inputs']): CaInputs {
  const certificate = (name: string) => readTextFile(join(from.certificates, name));
  const secret = (name: string) => new Secret(readTextFile(join(from.secrets, name)));
  const template = readJsonFile(from.template, TEMPLATE) as CaTemplate;
  const federated = (template.federatedRoots ?? []).slice(0, MAX_FEDERATED_ROOTS).map((path) => basename(path));
  const isThere = (name: string) => existsSync(join(from.secrets, name));
  const ownChain = isThere(PkiFile.intermediate) ? [secret(PkiFile.intermediate).reveal()] : [];
  return {
    template,
    provisioners: readJsonFile(from.provisioners, PROVISIONERS) as ConfiguredProvisioner[],
    names:
      from.names === undefined
        ? undefined
        : ((readJsonFile(from.names, orNull(NAME_RULES)) as CaNameRules | null) ?? undefined),
    roots: certificate(PkiFile.root),
    federatedRoots: new Map(federated.map((name) => [name, certificate(name)])),
    chains: [...ownChain, certificate(PkiFile.intermediate)],
    key: template.key ? undefined : secret(PkiFile.intermediateKey),
    passwords: [PkiFile.password, PkiFile.nextPassword].filter(isThere).map(secret),
    dataSource: from.dataSource === undefined ? undefined : new Secret(readTextFile(from.dataSource).trim()),
  };
}

/** Tells these contents from any others. */
export function digestOf(inputs: CaInputs): string {
  const { key, passwords, dataSource, federatedRoots, ...open } = inputs;
  const hidden = [key, ...passwords, dataSource].map((secret) => secret?.reveal() ?? null);
  return createHash('sha256')
    .update(JSON.stringify([open, [...federatedRoots], hidden]))
    .digest('base64');
}
