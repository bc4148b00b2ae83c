/**
 * A whole PKI: root, intermediate, their encrypted keys, passwords and provisioners.
 * @module
 */
import { PkiFile, Provisioner } from '../contract.ts';
import type { Secret } from '../lib/secret.ts';
import { createProvisioner, type JwkProvisioner } from '../step-ca/one-time-token.ts';
import { fingerprintOf } from '../x509/certificate.ts';
import { createKey, encryptKey } from '../x509/private-key.ts';
import { createIntermediate, createPassword, createRoot } from './authorities.ts';
import type { Files } from './cluster-objects.ts';
import { type PermittedNames, wantedConstraints } from './intermediate.ts';

/** What {@link createPki} makes. Private keys are encrypted with {@link Pki.caPassword}. */
export interface Pki {
  readonly rootPem: string;
  readonly rootKeyPem: Secret;
  readonly intermediatePem: string;
  readonly intermediateKeyPem: Secret;
  /** Of both keys and of the provisioner `admin`. */
  readonly caPassword: Secret;
  /** Of the provisioner `autocert`. */
  readonly autocertPassword: Secret;
  readonly provisioners: readonly JwkProvisioner[];
  /** SHA-256 of the root, lower-case hex. */
  readonly fingerprint: string;
}

/**
 * Makes a PKI called `name`.
 * @param permitted names that the intermediate may sign
 * @throws AutocertError `INVALID_INPUT` for what is no name
 */
export async function createPki(name: string, now: Date = new Date(), permitted: PermittedNames = 'any'): Promise<Pki> {
  const nameConstraints = wantedConstraints(permitted, undefined);
  const [caPassword, autocertPassword] = [createPassword(), createPassword()];
  const [rootKey, intermediateKey] = await Promise.all([createKey(), createKey()]);
  const rootPem = await createRoot({ name, key: rootKey, now });
  const root = { certificatePem: rootPem, key: rootKey };
  return {
    rootPem,
    rootKeyPem: encryptKey(rootKey, caPassword),
    intermediatePem: await createIntermediate({ name, key: intermediateKey, now }, root, nameConstraints),
    intermediateKeyPem: encryptKey(intermediateKey, caPassword),
    caPassword,
    autocertPassword,
    provisioners: await createProvisioners(caPassword, autocertPassword),
    fingerprint: fingerprintOf(rootPem),
  };
}

/** The provisioner for people and the one for the webhook and the signer. */
export function createProvisioners(caPassword: Secret, autocertPassword: Secret): Promise<JwkProvisioner[]> {
  return Promise.all([
    createProvisioner(Provisioner.admin, caPassword),
    createProvisioner(Provisioner.autocert, autocertPassword),
  ]);
}

/** The files of Secret `ca-provisioners`. */
export function provisionerFiles(provisioners: readonly JwkProvisioner[]): Files {
  return { [PkiFile.provisioners]: JSON.stringify(provisioners, null, 2) };
}
