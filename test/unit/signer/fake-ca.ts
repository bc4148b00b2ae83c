/** A CA of two levels for the signer's tests: signs any key at once, dated as step-ca does it. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createAuthority, createLeaf } from '../../../runtime/x509/signing.ts';
import type { SignOrder } from '../../../runtime/signer/ca-session.ts';
import { readStubRequest } from '../../../runtime/signer/stub-request.ts';

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export interface FakeCa {
  readonly root: string;
  /** Leaf, then intermediate. */
  sign(order: SignOrder, changes?: { backdateMs?: number; publicKey?: KeyObject }): Promise<readonly string[]>;
}

export async function fakeCa(now: Date): Promise<FakeCa> {
  const validity = { notBefore: new Date(now.getTime() - 3_600_000), notAfter: new Date(now.getTime() + 1e11) };
  const rootKey = newKey();
  const key = newKey();
  const root = await createAuthority({
    ...validity,
    organization: 'T',
    commonName: 'Root',
    pathLength: 1,
    key: rootKey,
  });
  const intermediate = await createAuthority({
    ...validity,
    organization: 'T',
    commonName: 'Intermediate',
    pathLength: 0,
    key,
    issuer: { certificatePem: root, key: rootKey },
  });
  return {
    root,
    sign: async (order, { backdateMs = 60_000, publicKey } = {}) => {
      const stub = order.csrPem.replace(/-----[A-Z ]+-----|\s/g, '');
      const leaf = await createLeaf({
        commonName: order.commonName,
        sans: order.sans,
        publicKey: publicKey ?? readStubRequest(stub).publicKey,
        issuer: { certificatePem: intermediate, key },
        notBefore: new Date(now.getTime() - backdateMs),
        notAfter: new Date(now.getTime() + order.durationMs),
      });
      return [leaf, intermediate];
    },
  };
}

export const otherKey = (): KeyObject => createPublicKey(newKey());
