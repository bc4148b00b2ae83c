/**
 * Service-account tokens as kubelet projects them into pods; nobody has signed them.
 * @module
 */
import { AttestationToken } from '../../runtime/contract.ts';

/**
 * A token for the certificate endpoint, of pod `web-0` in namespace `shop`, for an hour from now, where no other claims are
 * given; `signature` tells it from others.
 */
export function tokenOf(claims: Readonly<Record<string, unknown>> = {}, signature = 'good'): string {
  const payload = {
    aud: [AttestationToken.audience],
    exp: Math.floor(Date.now() / 1000) + 3600,
    sub: 'system:serviceaccount:shop:web',
    'kubernetes.io': { namespace: 'shop', pod: { name: 'web-0', uid: 'uid-1' }, serviceaccount: { name: 'web' } },
    ...claims,
  };
  const encoded = [{ alg: 'RS256' }, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  return [...encoded, signature].join('.');
}
