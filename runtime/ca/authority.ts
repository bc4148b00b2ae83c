/**
 * The CA's decisions, without HTTP: who gets which certificate, and who gets none.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { describeCertificate } from '../x509/certificate-description.ts';
import { AutocertError } from '../lib/errors.ts';
import { type JwkProvisioner, type TokenClaims, verifyToken } from '../step-ca/one-time-token.ts';
import { type SanList, splitSans } from '../x509/sans.ts';
import { type CertificateRequest, createLeaf, type Issuer, readCertificateRequest, renewLeaf } from '../x509/signing.ts';
import type { Ledger } from './ledger.ts';
import { BACKDATE_MS, type Claims, overrideClaims, validityFor } from './lifetimes.ts';
import { badRequest, forbidden, Refusal, unauthorized } from './refusal.ts';

/** What an {@link Authority} is made of. */
export interface AuthorityOptions {
  /** The intermediate. */
  readonly issuer: Issuer;
  readonly provisioners: readonly JwkProvisioner[];
  /** Limits for provisioners that have none of their own. */
  readonly claims: Claims;
  /** Names and addresses of the CA: what a token's audience may be. */
  readonly dnsNames: readonly string[];
  readonly ledger: Ledger;
  readonly now: () => Date;
}

/** `POST /sign`. */
export interface SignRequest {
  readonly csr: string;
  readonly ott: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
}

/** `POST /revoke`. */
export interface RevokeRequest {
  /** Decimal, or hex after `0x`. */
  readonly serial: string;
  /** Absent: the certificate of the connection revokes itself. */
  readonly ott?: string;
}

/** Issues, renews and revokes. */
export class Authority {
  readonly #options: AuthorityOptions;
  readonly #claims: ReadonlyMap<JwkProvisioner, Claims>;
  readonly #intermediate: X509Certificate;

  constructor(options: AuthorityOptions) {
    this.#options = options;
    this.#intermediate = new X509Certificate(options.issuer.certificatePem);
    this.#claims = new Map(
      options.provisioners.map((provisioner) => [
        provisioner,
        overrideClaims(
          options.claims,
          { ...provisioner.claims },
          `provisioner ${JSON.stringify(provisioner.name)}: claims`,
        ),
      ]),
    );
  }

  /** A certificate for the names of a one-time token. */
  async sign(request: SignRequest): Promise<string> {
    const { issuer, now } = this.#options;
    const csr = await asBadRequest(readCertificateRequest(request.csr));
    const token = await this.#useToken(request.ott, 'sign');
    checkRequest(csr, token);
    const { provisioner, subject, sans } = token;
    return createLeaf({
      commonName: subject,
      sans,
      publicKey: csr.publicKey,
      issuer,
      provisioner: { name: provisioner.name, credentialId: provisioner.key.kid },
      ...validityFor(request, this.#claimsOf(provisioner), now()),
    });
  }

  /** The same certificate for as long again, from now; for the key of `csr`, if given. */
  async renew(certificate: X509Certificate, csr?: string): Promise<string> {
    this.#checkRenewal(certificate);
    const publicKey = csr === undefined ? undefined : (await asBadRequest(readCertificateRequest(csr))).publicKey;
    const lifetime = +certificate.validToDate - +certificate.validFromDate;
    const notBefore = new Date(+this.#options.now() - BACKDATE_MS);
    return renewLeaf(certificate.toString(), {
      issuer: this.#options.issuer,
      notBefore,
      notAfter: new Date(+notBefore + lifetime),
      ...(publicKey ? { publicKey } : {}),
    });
  }

  /** The certificate with this serial number is not renewed any more. Its serial number, decimal. */
  async revoke({ serial, ott }: RevokeRequest, certificate?: X509Certificate): Promise<string> {
    const number = serialNumber(serial);
    if (ott) {
      const { subject } = await this.#useToken(ott, 'revoke');
      if (serialNumber(subject) !== number)
        throw forbidden(`the token is for serial number ${subject}, not for ${number}`);
    } else {
      if (!certificate) throw badRequest('ott is missing, and so is a client certificate');
      this.#checkIssued(certificate);
      const own = serialNumber(`0x${certificate.serialNumber}`);
      if (own !== number) throw forbidden(`the client certificate has serial number ${own}, not ${number}`);
    }
    const { ledger, now } = this.#options;
    if (!ledger.add(revoked(number), now()))
      throw badRequest(`the certificate with serial number ${number} is revoked already`);
    return number;
  }

  #claimsOf(provisioner: JwkProvisioner): Claims {
    return this.#claims.get(provisioner) ?? this.#options.claims;
  }

  /** Verifies the token and notes that it was used, whatever becomes of the rest of the request. */
  async #useToken(token: string, operation: 'sign' | 'revoke'): Promise<TokenClaims> {
    const { provisioners, dnsNames, ledger, now } = this.#options;
    const audience = audienceOf(dnsNames, operation);
    const claims = await verifyToken(token, provisioners, { audience, now: now() }).catch((error: unknown) => {
      throw error instanceof AutocertError ? unauthorized(error.message) : error;
    });
    // Twice the tolerance for clocks: nothing may be forgotten before it is refused for its age.
    const until = new Date(+claims.expiresAt + 2 * 60_000);
    if (!ledger.add(`token ${claims.id}`, now(), until)) throw unauthorized('one-time token: already used');
    return claims;
  }

  #checkIssued(certificate: X509Certificate): void {
    const issued = certificate.checkIssued(this.#intermediate) && certificate.verify(this.#intermediate.publicKey);
    if (!issued) throw unauthorized('the client certificate was not issued by this CA');
  }

  #checkRenewal(certificate: X509Certificate): void {
    this.#checkIssued(certificate);
    const { ledger, now, provisioners } = this.#options;
    if (ledger.has(revoked(serialNumber(`0x${certificate.serialNumber}`)), now())) {
      throw unauthorized('the certificate has been revoked');
    }
    const { extensions } = describeCertificate(certificate.toString());
    const reference = extensions.find((extension) => extension.provisioner)?.provisioner;
    const provisioner = provisioners.find(
      ({ name, key }) => name === reference?.name && key.kid === reference.credentialId,
    );
    if (!provisioner) throw unauthorized("the certificate's provisioner is not known to this CA");
    const { disableRenewal, allowRenewalAfterExpiry } = this.#claimsOf(provisioner);
    if (disableRenewal) throw unauthorized(`provisioner ${JSON.stringify(provisioner.name)} does not allow renewals`);
    if (now() < certificate.validFromDate) {
      throw unauthorized(`the certificate is not valid before ${certificate.validFromDate.toISOString()}`);
    }
    if (now() > certificate.validToDate && !allowRenewalAfterExpiry) {
      throw unauthorized(`the certificate expired at ${certificate.validToDate.toISOString()}`);
    }
  }
}

const revoked = (serial: string) => `revoked ${serial}`;

/** What the CA may be called in a token: any of its names, on any port, with or without the version. */
function audienceOf(dnsNames: readonly string[], operation: string): RegExp {
  const hosts = dnsNames.map((name) => escaped(name.includes(':') ? `[${name}]` : name));
  return new RegExp(`^https://(?:${hosts.join('|')})(?::\\d+)?/(?:1\\.0/)?${operation}$`);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Names in the request, if it has any, have to be those of the token: nobody gets others than they think. */
function checkRequest(csr: CertificateRequest, token: TokenClaims): void {
  const { subject, csrFingerprint } = token;
  if (csrFingerprint !== undefined && csrFingerprint !== csr.fingerprint) {
    throw forbidden('the one-time token is bound to another certificate request');
  }
  if (csr.commonName !== '' && csr.commonName !== subject && !token.sans.includes(csr.commonName)) {
    throw forbidden(`the request's common name ${JSON.stringify(csr.commonName)} is none of the token's names`);
  }
  let wanted: SanList;
  try {
    wanted = splitSans(token.sans);
  } catch (error) {
    throw error instanceof AutocertError ? forbidden(error.message) : error;
  }
  for (const kind of ['dns', 'email', 'ip', 'url'] as const) {
    const asked = new Set(csr.sans[kind]);
    const allowed = new Set(wanted[kind]);
    if (asked.size > 0 && !(asked.size === allowed.size && [...asked].every((name) => allowed.has(name)))) {
      throw forbidden(
        `the request asks for ${[...asked].join(', ')}, the token allows ${wanted[kind].join(', ') || 'none of that kind'}`,
      );
    }
  }
}

function serialNumber(text: string): string {
  if (/^(\d{1,60}|0x[0-9a-f]{1,50})$/i.test(text)) return BigInt(text).toString();
  throw badRequest(`serial ${JSON.stringify(text.slice(0, 64))} has to be a decimal number, or hex after 0x`);
}

/** What our own checks call invalid input is the client's fault. */
async function asBadRequest<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw error instanceof AutocertError && !(error instanceof Refusal) ? badRequest(error.message) : error;
  }
}
