/**
 * A key that a key management service keeps, by its URI.
 * @module
 */

/** The URI of a key, and the type of KMS that it is in. */
export interface KmsKey {
  readonly uri: string;
  /** As `kms.type` of step-ca's `ca.json` has it. */
  readonly type: string;
}

const TYPES = ['awskms', 'azurekms', 'cloudkms', 'pkcs11', 'softkms', 'tpmkms', 'yubikey'];

/** Checks the URI. It is not shown when it is wrong: it may be a key. */
export function checkKmsKey(prop: string, value: unknown): KmsKey {
  const wanted = `it takes the URI of a key in a KMS, such as "awskms:key-id=…", of ${TYPES.join(', ')}`;
  const uri = typeof value === 'string' && value.length <= 1000 ? value : '';
  const [, type = ''] = /^([a-z0-9]+):[\x21-\x7e]+$/.exec(uri) ?? [];
  if (!TYPES.includes(type)) throw new Error(`${prop}: ${wanted}`);
  if (/pin-value=/i.test(uri))
    throw new Error(`${prop}: its pin would be in a ConfigMap: take pin-source, with a file`);
  return { uri, type };
}
