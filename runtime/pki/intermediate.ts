/**
 * The intermediate: made anew, written in one piece, and published.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { encodeNameConstraints } from '../x509/name-constraints.ts';
import { createKey, encryptKey } from '../x509/private-key.ts';
import { authorityNameOf, nameConstraintsOf, type SigningCertificate } from '../x509/signing.ts';
import { createIntermediate, MAX_NAME } from './authorities.ts';
import type { ClusterObjects, Files, Stored, Written } from './cluster-objects.ts';
import { bundle, type ClusterPki, type ObjectNames, type StoredObjects } from './cluster-pki.ts';

/** DNS domains, IP addresses and CIDR blocks that an intermediate may sign, or `any`: it has no name constraints. */
export type PermittedNames = readonly string[] | 'any';

/**
 * The name constraints that an intermediate is to have: as asked, else as the one before.
 * @throws AutocertError `INVALID_INPUT` for what is no name
 */
export function wantedConstraints(
  permitted: PermittedNames | undefined,
  before: string | undefined,
): Uint8Array | undefined {
  if (permitted === undefined) return before === undefined ? undefined : nameConstraintsOf(before);
  return permitted === 'any' ? undefined : encodeNameConstraints(permitted);
}

/** What a new intermediate is made from. */
export interface IntermediateOptions {
  readonly signer: SigningCertificate;
  /** Roots to trust, PEM. */
  readonly roots: readonly string[];
  /** Certificates to send behind it, PEM: the cross certificate, during a rotation. */
  readonly others: readonly string[];
  /** First words of its name. @default - the root's organization */
  readonly name?: string;
  /** Names that it may sign; `undefined`: any. */
  readonly nameConstraints: Uint8Array | undefined;
  /** Of its key. */
  readonly password: Secret;
  readonly now: Date;
}

/** Files of the Secret `ca-intermediate-key` with a new key and its certificate. */
export async function newIntermediate(options: IntermediateOptions): Promise<Files> {
  const { signer, roots, others, password, now } = options;
  const key = await createKey();
  const name = options.name ?? authorityNameOf(signer.certificatePem).organization;
  const identity = { name: (name || 'Autocert').slice(0, MAX_NAME), key, now };
  const intermediate = await createIntermediate(identity, signer, options.nameConstraints);
  return {
    [PkiFile.intermediateKey]: encryptKey(key, password).reveal(),
    [PkiFile.intermediate]: bundle([intermediate, ...others]),
    [PkiFile.root]: bundle(roots),
  };
}

/**
 * Writes the Secret, then the ConfigMap; whoever is killed in between leaves a ConfigMap that the next run brings up to
 * date. What is as it should be is not written.
 * @throws AutocertError with status 409 when somebody else has changed the Secret since it was read
 */
export async function putIntermediate(objects: ClusterObjects, stored: StoredObjects, files: Files): Promise<void> {
  await objects.write('intermediateKey', files, stored.get('intermediateKey'));
  await publish(objects, stored.get('certificates'), files);
}

/** Brings ConfigMap `ca-certs` up to date with the Secret. */
export function publish(objects: ClusterObjects, seen: Stored | undefined, secret: Files): Promise<Written> {
  const { [PkiFile.root]: root = '', [PkiFile.intermediate]: intermediate = '' } = secret;
  return objects.write('certificates', { [PkiFile.root]: root, [PkiFile.intermediate]: intermediate }, seen);
}

/**
 * The Secret's files with other certificates beside the same key.
 * @throws AutocertError `INVALID_CONFIG` when the key is not there
 */
export function withCertificates(
  objects: ObjectNames,
  { stored }: ClusterPki,
  roots: readonly string[],
  chain: readonly string[],
): Files {
  const key = stored.get('intermediateKey')?.files[PkiFile.intermediateKey];
  if (key === undefined) {
    throw new AutocertError(
      'INVALID_CONFIG',
      `${objects.nameOf('intermediateKey')} has no ${PkiFile.intermediateKey}: have a new one made by autocert pki intermediate, or restore it (autocert pki restore)`,
    );
  }
  return { [PkiFile.intermediateKey]: key, [PkiFile.intermediate]: bundle(chain), [PkiFile.root]: bundle(roots) };
}
