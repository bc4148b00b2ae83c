/**
 * Requests that `step` sends to a CA and Autocert does not: those that prove by a certificate who asks.
 * @module
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { SignJWT } from 'jose';
import { type HttpsAnswer, httpsJson } from '../../runtime/lib/https.ts';
import type { Secret } from '../../runtime/lib/secret.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';

/** Where a CA is, and what it is trusted by. */
export interface CaAddress {
  readonly url: string;
  readonly rootPem: string;
}

/** A certificate and its key. */
export interface Identity {
  /** Leaf, then intermediates, PEM. */
  readonly chainPem: readonly string[];
  readonly keyPem: Secret;
}

/** Posts JSON; with `identity`, over a connection that shows this certificate. */
export function postTo(ca: CaAddress, path: string, json: unknown, identity?: Identity): Promise<HttpsAnswer> {
  const credentials = identity && { cert: identity.chainPem.join(''), key: identity.keyPem.reveal() };
  return httpsJson({ url: `${ca.url}${path}`, method: 'POST', json, ca: ca.rootPem, ...credentials });
}

/** Asks for the same certificate again, for the same key. */
export function renew(ca: CaAddress, identity: Identity): Promise<HttpsAnswer> {
  return postTo(ca, '/1.0/renew', {}, identity);
}

/** As {@link renew}, by a token signed with the certificate's key: so `step` asks when the certificate has expired. */
export async function renewByToken(ca: CaAddress, { chainPem, keyPem }: Identity): Promise<HttpsAnswer> {
  const certificates = chainPem.map((pem) => new X509Certificate(pem));
  const now = Math.floor(Date.now() / 1000);
  const token = await new SignJWT({ sub: /CN=(.*)/.exec(certificates[0]?.subject ?? '')?.[1] ?? '' })
    .setProtectedHeader({ alg: 'ES256', x5cInsecure: certificates.map(({ raw }) => raw.toString('base64')) })
    .setAudience(`${ca.url}/1.0/renew`)
    .setIssuer('step-ca-client/1.0')
    .setNotBefore(now)
    .setExpirationTime(now + 300)
    .sign(createPrivateKey(keyPem.reveal()));
  const headers = { authorization: `Bearer ${token}` };
  return httpsJson({ url: `${ca.url}/1.0/renew`, method: 'POST', json: {}, ca: ca.rootPem, headers });
}

/** Asks for the same certificate again, for a new key. */
export async function rekey(ca: CaAddress, identity: Identity): Promise<HttpsAnswer & { readonly keyPem: Secret }> {
  const { csrPem, keyPem } = await createKeyAndRequest();
  return { ...(await postTo(ca, '/1.0/rekey', { csr: csrPem }, identity)), keyPem };
}
