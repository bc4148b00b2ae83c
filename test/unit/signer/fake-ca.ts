/** A CA of two levels for the signer's tests: signs any key at once, dated as step-ca does it. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { IssuedCertificate, Order } from '../../../runtime/step-ca/issuer.ts';
import { validityOf } from '../../../runtime/x509/certificate.ts';
import { createAuthority, createLeaf } from '../../../runtime/x509/signing.ts';

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export interface FakeCa {
  readonly root: string;
  /** As an issuer does it, at `now`. */
  issue(order: Order, now: Date, changes?: { backdateMs?: number }): Promise<IssuedCertificate>;
}

/** Its own certificates are valid from an hour before `now` on, for years. */
export async function fakeCa(now: Date): Promise<FakeCa> {
  const validity = { notBefore: new Date(now.getTime() - 3_600_000), notAfter: new Date(now.getTime() + 1e11) };
  const rootKey = newKey();
  const key = newKey();
  const authority = { ...validity, organization: 'T' };
  const root = await createAuthority({ ...authority, commonName: 'Root', pathLength: 1, key: rootKey });
  const intermediate = await createAuthority({
    ...authority,
    commonName: 'Intermediate',
    pathLength: 0,
    key,
    issuer: { certificatePem: root, key: rootKey },
  });
  return {
    root,
    issue: async ({ request, commonName, sans, lifetimeMs = 0 }, at, { backdateMs = 60_000 } = {}) => {
      const leaf = await createLeaf({
        ...(commonName !== undefined && { commonName }),
        sans,
        publicKey: request.publicKey,
        issuer: { certificatePem: intermediate, key },
        notBefore: new Date(at.getTime() - backdateMs),
        notAfter: new Date(at.getTime() + lifetimeMs),
      });
      return {
        chainPem: [leaf, intermediate],
        validity: validityOf(leaf),
        serial: new X509Certificate(leaf).serialNumber,
      };
    },
  };
}
