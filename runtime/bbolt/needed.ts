/**
 * Which entries of step-ca's database are still needed. It knows step-ca's tables by name and nothing of files.
 * Source: github.com/smallstep/certificates, db/db.go, authority/authorize.go, authority/provisioners.go.
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';

/**
 * Says whether an entry stays. Key and value are valid during the call only.
 * @param table name of the bucket; of nested ones the names joined with `/`
 */
export type Keep = (table: string, key: Buffer, value: Buffer) => boolean;

/** Clocks may differ by so much. step-ca tolerates one minute, but may come up on another machine. */
const MARGIN_MS = 600_000;
/** step-ca takes no larger one over the network. */
const MAX_TOKEN_BYTES = 16_384;
/** DER of the object identifier 1.3.6.1.4.1.37476.9000.64.1, by which a certificate names its provisioner. */
const PROVISIONER_EXTENSION = Buffer.from('060c2b0601040182a464c6284001', 'hex');

/**
 * What step-ca still needs at a time. Dropped are issued certificates (`x509_certs`, `x509_certs_data`, `ssh_certs`)
 * and one-time tokens that have expired ten minutes ago. Everything else stays, and so does what cannot be read.
 *
 * A renewal finds its provisioner by an extension of the certificate. Certificates that are valid and lack it (of
 * provisioners with `disableSmallstepExtensions`) stay: without their entries step-ca would renew them for anybody.
 * Revocations stay for good: a provisioner with `allowRenewalAfterExpiry` would renew a revoked certificate that has
 * expired.
 *
 * The answer depends on earlier ones: ask in the order of the tables and keys, once each, as `rewriteFile` does.
 */
export function neededBy(now: Date): Keep {
  const expired = now.getTime() - MARGIN_MS;
  const kept = new Set<string>();
  return (table, key, value) => {
    switch (table) {
      case 'x509_certs':
        if (value.includes(PROVISIONER_EXTENSION) || notAfter(value) < expired) return false;
        kept.add(key.toString('latin1'));
        return true;
      // Comes after `x509_certs`, under the same serial numbers.
      case 'x509_certs_data':
        return kept.has(key.toString('latin1'));
      case 'ssh_certs':
        return false;
      case 'used_ott':
        return !(tokenExpiry(key.toString(), value) < expired);
      default:
        return true;
    }
  };
}

/** When a certificate expires, in milliseconds; not a number if it is none. */
function notAfter(der: Buffer): number {
  try {
    return new X509Certificate(der).validToDate.getTime();
  } catch {
    return Number.NaN;
  }
}

/**
 * When a one-time token expires, in milliseconds; not a number if it cannot be told, or does not matter: provisioners
 * of clouds (AWS, Azure, GCP) keep the identity of a machine here, which gets a certificate once and never again,
 * whatever token it has.
 */
function tokenExpiry(key: string, token: Buffer): number {
  if (token.length > MAX_TOKEN_BYTES) return Number.NaN;
  try {
    const claims: unknown = JSON.parse(
      Buffer.from(token.toString('latin1').split('.')[1] ?? '', 'base64url').toString(),
    );
    const { exp, jti, nonce } = claims as { exp?: unknown; jti?: unknown; nonce?: unknown };
    const isOneTime = key === jti || key === nonce || key === createHash('sha256').update(token).digest('hex');
    return isOneTime && typeof exp === 'number' ? exp * 1000 : Number.NaN;
  } catch {
    return Number.NaN;
  }
}
