/**
 * The CA's decisions, without HTTP: who gets which certificate, and who gets none.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { BACKDATE_MS, MAX_COMMON_NAME } from '../policy/lifetimes.ts';
import { type JwkProvisioner, type TokenClaims, verifyToken } from '../step-ca/one-time-token.ts';
import { describeCertificate } from '../x509/certificate-description.ts';
import { readNamedRequestPem } from '../x509/certificate-request.ts';
import { createLeaf, renewLeaf, type SigningCertificate } from '../x509/signing.ts';
import { type AskedValidity, type Claims, overrideClaims, validityFor } from './lifetimes.ts';
import { forbidden, unauthorized } from './refusal.ts';
import { UsedTokens } from './used-tokens.ts';

/** What an {@link Authority} is made of. */
export interface AuthorityOptions {
  /** The intermediate. */
  readonly issuer: SigningCertificate;
  readonly provisioners: readonly JwkProvisioner[];
  /** Limits for provisioners that have none of their own. */
  readonly claims: Claims;
  /** Names and addresses of the CA: what a token's audience may be. */
  readonly dnsNames: readonly string[];
  readonly now: () => Date;
}

/** `POST /sign`. */
export interface SignRequest extends AskedValidity {
  readonly csr: string;
  readonly ott: string;
}

/** Issues and renews. */
export class Authority {
  readonly #options: AuthorityOptions;
  readonly #claims: ReadonlyMap<JwkProvisioner, Claims>;
  readonly #intermediate: X509Certificate;
  readonly #audience: RegExp;
  readonly #used = new UsedTokens();

  constructor(options: AuthorityOptions) {
    this.#options = options;
    this.#intermediate = new X509Certificate(options.issuer.certificatePem);
    this.#audience = audienceOf(options.dnsNames);
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
    const { publicKey, fingerprint } = readNamedRequestPem(request.csr, 'csr');
    const { provisioner, subject, sans, csrFingerprint } = await this.#useToken(request.ott);
    if (csrFingerprint !== undefined && csrFingerprint !== fingerprint) {
      throw forbidden('the one-time token is bound to another certificate request');
    }
    // Of templates this CA knows that of the provisioner `autocert` alone.
    const leavesOut = provisioner.options?.x509?.template !== undefined && subject.length > MAX_COMMON_NAME;
    return createLeaf({
      ...(leavesOut ? {} : { commonName: subject }),
      sans,
      publicKey,
      issuer,
      provisioner: { name: provisioner.name, credentialId: provisioner.key.kid },
      ...validityFor(request, this.#claimsOf(provisioner), now()),
    });
  }

  /** The same certificate for as long again, from now; for the key of `csr`, if given. */
  async renew(certificate: X509Certificate, csr?: string): Promise<string> {
    this.#checkRenewal(certificate);
    const lifetime = +certificate.validToDate - +certificate.validFromDate;
    const notBefore = new Date(+this.#options.now() - BACKDATE_MS);
    return renewLeaf(certificate.toString(), {
      issuer: this.#options.issuer,
      notBefore,
      notAfter: new Date(+notBefore + lifetime),
      ...(csr !== undefined && { publicKey: readNamedRequestPem(csr, 'csr').publicKey }),
    });
  }

  #claimsOf(provisioner: JwkProvisioner): Claims {
    return this.#claims.get(provisioner) ?? this.#options.claims;
  }

  /** Verifies the token and notes that it was used, whatever becomes of the rest of the request. */
  async #useToken(token: string): Promise<TokenClaims> {
    const now = this.#options.now();
    const claims = await verifyToken(token, this.#options.provisioners, { audience: this.#audience, now });
    if (!this.#used.add(claims.id, claims.expiresAt, now)) throw unauthorized('one-time token: already used');
    return claims;
  }

  #checkRenewal(certificate: X509Certificate): void {
    const issued = certificate.checkIssued(this.#intermediate) && certificate.verify(this.#intermediate.publicKey);
    if (!issued) throw unauthorized('the client certificate was not issued by this CA');
    const { now, provisioners } = this.#options;
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

/** What the CA may be called in a token: any of its names, on any port, with or without the version. */
function audienceOf(dnsNames: readonly string[]): RegExp {
  const hosts = dnsNames.map((name) => escaped(name.includes(':') ? `[${name}]` : name));
  return new RegExp(`^https://(?:${hosts.join('|')})(?::\\d+)?/(?:1\\.0/)?sign$`);
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
