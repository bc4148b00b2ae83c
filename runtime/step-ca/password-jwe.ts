/**
 * Texts under a password: JSON Web Encryption (RFC 7516, compact) with PBES2 (RFC 7518, §4.8), which `step crypto jwe`
 * opens as well. Provisioners' keys and backups are such texts. With `one-time-token.ts` all that imports `jose`.
 * @module
 */
import { CompactEncrypt, compactDecrypt, errors } from 'jose';
import type { Secret } from '../lib/secret.ts';

/** PBKDF2 rounds of what is encrypted here, as current step-ca has it: anybody may hold the text, and a person may have thought of the password. */
const ROUNDS = 600_000;
/** A foreign text with more rounds than this is refused: opening it would occupy a processor for seconds. */
const MAX_ROUNDS = 1_000_000;

/** How the key that encrypts is derived from the password. */
export type PasswordAlgorithm = 'PBES2-HS256+A128KW' | 'PBES2-HS384+A192KW' | 'PBES2-HS512+A256KW';

/** What a {@link encryptWithPassword} says of its content, unencrypted. */
export interface JweHeader {
  readonly alg: PasswordAlgorithm;
  /** Media type of the content, without `application/`. */
  readonly cty: string;
}

/** Encrypts a text (A256GCM). */
export function encryptWithPassword(text: string, password: Secret, header: JweHeader): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ ...header, enc: 'A256GCM' })
    .setKeyManagementParameters({ p2c: ROUNDS })
    .encrypt(new TextEncoder().encode(password.reveal()));
}

/**
 * Decrypts a text; `undefined`: the password does not open it, or the text was changed.
 * @throws what `jose` says of something that is no such text
 */
export async function decryptWithPassword(
  jwe: string,
  password: Secret,
  algorithms: readonly PasswordAlgorithm[],
): Promise<string | undefined> {
  try {
    const { plaintext } = await compactDecrypt(jwe, new TextEncoder().encode(password.reveal()), {
      keyManagementAlgorithms: [...algorithms],
      maxPBES2Count: MAX_ROUNDS,
    });
    return new TextDecoder().decode(plaintext);
  } catch (error) {
    if (error instanceof errors.JWEDecryptionFailed) return undefined;
    throw error;
  }
}
