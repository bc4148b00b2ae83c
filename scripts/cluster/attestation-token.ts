/**
 * Service-account tokens as kubelet projects them into pods; nobody has signed them.
 * @module
 */
import { AttestationToken } from '../../runtime/contract.ts';

/** Claims of a token for the certificate endpoint, of pod `web-0` in namespace `shop`, for an hour from now. */
export function claims(overrides: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    aud: [AttestationToken.audience],
    exp: Math.floor(Date.now() / 1000) + 3600,
    sub: 'system:serviceaccount:shop:web',
    'kubernetes.io': { namespace: 'shop', pod: { name: 'web-0', uid: 'uid-1' }, serviceaccount: { name: 'web' } },
    ...overrides,
  };
}

/** A token with these claims; `signature` tells it from others. */
export function tokenOf(overrides: Readonly<Record<string, unknown>> = {}, signature = 'good'): string {
  const payload = Buffer.from(JSON.stringify(claims(overrides))).toString('base64url');
  return `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${payload}.${signature}`;
}
