/** What has been read of a service-account token. @module */
import { Secret } from '../../runtime/lib/secret.ts';
import type { Attestation } from '../../runtime/webhook/attestation.ts';

/** What has been read of a token. */
export function attestationOf(token: string, namespace = 'shop'): Attestation {
  return { token: new Secret(token), namespace };
}
