/**
 * What step-ca runs with: its configuration, certificates, key and password, as one set that fits together. Pure.
 * @module
 */
import { createHash, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { CaConfigFile, PkiFile } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { composeCaConfig } from '../step-ca/ca-config.ts';
import { canonicalPem, isIssuedByPem, isKeyOf, splitPem } from '../x509/certificate.ts';
import { firstThatOpens, openKey } from '../x509/private-key.ts';
import type { CaInputs } from './inputs.ts';

/** Files that fit together. */
export interface CaSet {
  /** Tells this set from any other; a file name. */
  readonly id: string;
  /** The files, for a folder: the configuration names them by their paths. */
  files(folder: string): ReadonlyMap<string, Secret>;
}

/** @throws AutocertError `INVALID_CONFIG` or `WRONG_PASSWORD` that says what does not fit, in words for an operator. */
export function composeSet(inputs: CaInputs): CaSet {
  const { password, key } = openedKey(inputs);
  const roots = certificates(inputs.roots, PkiFile.root);
  const chain = fittingChain(inputs.chains, key, roots);
  const config = composeCaConfig(inputs.template, inputs.provisioners, {
    dataSource: inputs.dataSource?.reveal(),
    names: inputs.names,
  });
  const files = new Map([
    [PkiFile.root, new Secret(inputs.roots)],
    ...[...inputs.federatedRoots].map(([name, pem]) => [name, new Secret(pem)] as const),
    [PkiFile.intermediate, new Secret(chain)],
    ...(inputs.key ? [[PkiFile.intermediateKey, inputs.key] as const] : []),
    [PkiFile.password, password],
  ]);
  const configured = (folder: string) => ({
    ...config,
    root: join(folder, PkiFile.root),
    federatedRoots: [...inputs.federatedRoots.keys()].map((name) => join(folder, name)),
    crt: join(folder, PkiFile.intermediate),
    key: inputs.template.key || join(folder, PkiFile.intermediateKey),
  });
  const everything = [JSON.stringify(configured('')), ...[...files].flatMap(([name, text]) => [name, text.reveal()])];
  return {
    id: createHash('sha256').update(JSON.stringify(everything)).digest('hex').slice(0, 16),
    files: (folder) =>
      new Map([...files, [CaConfigFile.template, new Secret(`${JSON.stringify(configured(folder), undefined, 2)}\n`)]]),
  };
}

/**
 * The key, and the password that opens it: while one password replaces the other, either may. Of a key in a KMS there is
 * neither, and step-ca reads an empty password.
 */
function openedKey({ key, passwords }: CaInputs): { readonly password: Secret; readonly key: KeyObject | undefined } {
  if (key === undefined) return { password: new Secret(''), key };
  // As step-ca reads it: a line end is none of the password.
  const [first, ...others] = passwords.map((given) => new Secret(given.reveal().trimEnd()));
  if (first === undefined) {
    throw new AutocertError('WRONG_PASSWORD', `there is no password for ${PkiFile.intermediateKey}`);
  }
  return firstThatOpens([first, ...others], (password) => ({
    password,
    key: openKey(key, password, PkiFile.intermediateKey),
  }));
}

/** The first chain that is for the key, where it is known, and was issued by one of the roots, or by the certificate behind it that was. */
function fittingChain(chains: readonly string[], key: KeyObject | undefined, roots: readonly string[]): string {
  const problems: string[] = [];
  for (const chain of chains) {
    try {
      assertFits(certificates(chain, PkiFile.intermediate), key, roots);
      return chain;
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  throw unfit([...new Set(problems)].join('; '));
}

function assertFits(
  [intermediate = '', behind]: readonly string[],
  key: KeyObject | undefined,
  roots: readonly string[],
): void {
  // What is in a KMS only step-ca sees: it answers nobody with a certificate of another key.
  if (key !== undefined && !isKeyOf(key, intermediate)) {
    throw unfit(
      `${PkiFile.intermediate} is not of the key in ${PkiFile.intermediateKey}: one of them is to change yet`,
    );
  }
  const leadsToRoot = (pem: string) => roots.some((root) => isIssuedByPem(pem, root));
  if (leadsToRoot(intermediate)) return;
  if (behind !== undefined && isIssuedByPem(intermediate, behind) && leadsToRoot(behind)) return;
  throw unfit(`${PkiFile.intermediate} was issued by none of the certificates in ${PkiFile.root}`);
}

/** More certificates than these are no chain and no list of roots. */
const MAX_CERTIFICATES = 20;

function certificates(pem: string, file: string): readonly string[] {
  const blocks = splitPem(pem);
  if (blocks.length > 0 && blocks.length <= MAX_CERTIFICATES) return blocks.map((block) => canonicalPem(block, file));
  throw unfit(`${file} has ${blocks.length} certificates in it: it takes 1 to ${MAX_CERTIFICATES}, PEM`);
}

const unfit = (problem: string) => new AutocertError('INVALID_CONFIG', problem);
