/**
 * Certificates of CAs for tests.
 * @module
 */

import { createIntermediate, createRoot } from '../../runtime/pki/authorities.ts';
import { createKey } from '../../runtime/x509/private-key.ts';

/** A root and an intermediate of its own, PEM. */
export async function createAuthorities(
  name = 'Test',
): Promise<{ readonly root: string; readonly intermediate: string }> {
  const now = new Date();
  const key = await createKey();
  const root = await createRoot({ name, key, now });
  const intermediate = await createIntermediate({ name, key: await createKey(), now }, { certificatePem: root, key });
  return { root, intermediate };
}
