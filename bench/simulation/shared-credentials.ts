/**
 * What all simulated agents share: one key request, one certificate for it that outlives every simulation, and a CA that
 * answers with it. So that signatures, which are real, cost the simulation little.
 * @module
 */

import { Secret } from '../../runtime/lib/secret.ts';
import { createIntermediate, createRoot } from '../../runtime/pki/authorities.ts';
import type { CaSession } from '../../runtime/step-ca/issuer.ts';
import { readKeyRequestPem } from '../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { createKey } from '../../runtime/x509/private-key.ts';
import { createLeaf } from '../../runtime/x509/signing.ts';

/** See the module's header. */
export interface Credentials {
  readonly csrPem: string;
  /** A session with the CA; `ask` is called for each answer, and throws when there is none. */
  readonly session: (ask: () => void) => CaSession;
}

const BEFORE_ALL = new Date('2025-12-01T00:00:00Z');
const AFTER_ALL = new Date('2030-01-01T00:00:00Z');

/** Makes them; every simulation may use the same. */
export async function sharedCredentials(): Promise<Credentials> {
  const { csrPem } = await createKeyAndRequest();
  const { publicKey } = readKeyRequestPem(csrPem, 'csr');
  const [rootKey, intermediateKey] = await Promise.all([createKey(), createKey()]);
  const rootPem = await createRoot({ name: 'Simulated', key: rootKey, now: BEFORE_ALL });
  const root = { certificatePem: rootPem, key: rootKey };
  const intermediatePem = await createIntermediate({ name: 'Simulated', key: intermediateKey, now: BEFORE_ALL }, root);
  const leaf = await createLeaf({
    commonName: 'a.simulated.svc',
    sans: ['a.simulated.svc'],
    publicKey,
    issuer: { certificatePem: intermediatePem, key: intermediateKey },
    notBefore: BEFORE_ALL,
    notAfter: AFTER_ALL,
  });
  const signed = { certificatePem: leaf, chainPem: [leaf, intermediatePem] };
  const tokens = { mint: async () => new Secret('one-time token') };
  return {
    csrPem,
    session: (ask) => {
      const answer = async <T>(value: T): Promise<T> => {
        ask();
        return value;
      };
      const ca = {
        url: 'https://ca',
        roots: [rootPem],
        close: () => undefined,
        health: () => answer(undefined),
        fetchRoots: () => answer([rootPem]),
        fetchFederation: () => answer([rootPem]),
        sign: () => answer(signed),
      };
      return { ca, tokens };
    },
  };
}
