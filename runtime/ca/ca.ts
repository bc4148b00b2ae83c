/**
 * An embedded CA that speaks step-ca's protocol: for `autocert start`, for trying things out, and for tests. In a
 * cluster step-ca itself runs. Used tokens are forgotten when it ends.
 * @module
 */
import type { FastifyInstance } from 'fastify';
import type { Log } from '../lib/log.ts';
import { repeat, sleep } from '../lib/loops.ts';
import { BACKDATE_MS } from '../policy/lifetimes.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import { createKey } from '../x509/private-key.ts';
import { createLeaf, type SigningCertificate } from '../x509/signing.ts';
import { buildApp } from './app.ts';
import { Authority } from './authority.ts';
import { type Claims, DEFAULT_CLAIMS } from './lifetimes.ts';

/** Options of {@link createCa}. */
export interface CaOptions {
  /** Root certificates, each PEM. */
  readonly roots: readonly string[];
  /** Roots of federated CAs, each PEM. @default [] */
  readonly federatedRoots?: readonly string[];
  /** The intermediate, which signs. */
  readonly issuer: SigningCertificate;
  readonly provisioners: readonly JwkProvisioner[];
  /** Names and addresses at which the CA is reached. */
  readonly dnsNames: readonly string[];
  /** @default - step-ca's: 24 h, at least 5 m */
  readonly claims?: Claims;
  readonly log: Log;
  /** @default - the clock's time */
  readonly now?: () => Date;
}

/** A CA that is ready to listen. */
export interface Ca {
  readonly app: FastifyInstance;
  /** Starts to serve; the URL of the address. */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  /** Lets requests end, then stops. */
  close(): Promise<void>;
}

/** The CA's own serving certificate lives a day and is replaced each hour, so that a laptop may sleep in between. */
const SERVING_LIFETIME_MS = 24 * 3_600_000;
const SERVING_RENEWAL_MS = 3_600_000;
const SERVING_NAME = 'Autocert CA';

/** Makes the CA: issues its serving certificate, and keeps that fresh. */
export async function createCa(options: CaOptions): Promise<Ca> {
  const { issuer, dnsNames, provisioners, roots, log, now = () => new Date() } = options;
  const claims = options.claims ?? DEFAULT_CLAIMS;
  const serving = () => servingCertificate(issuer, dnsNames, now());
  const app = buildApp({
    authority: new Authority({ issuer, provisioners, claims, dnsNames, now }),
    roots,
    federatedRoots: options.federatedRoots ?? [],
    intermediatePem: issuer.certificatePem,
    provisioners,
    log,
    tls: {
      minVersion: 'TLSv1.2',
      // Everybody may ask; whoever shows a certificate has it checked by the authority when it matters.
      requestCert: true,
      rejectUnauthorized: false,
      ...(await serving()),
    },
  });
  const closing = new AbortController();
  app.addHook('onClose', async () => closing.abort());
  // Connections that are open keep their certificate.
  const replace = async () =>
    (app.server as unknown as { setSecureContext(context: object): void }).setSecureContext(await serving());
  const what = 'replacing the serving certificate';
  void sleep(SERVING_RENEWAL_MS, closing.signal).then(() =>
    repeat(replace, { what, everyMs: SERVING_RENEWAL_MS, log, signal: closing.signal }),
  );
  return { app, listen: (address) => app.listen(address), close: () => app.close() };
}

async function servingCertificate(issuer: SigningCertificate, dnsNames: readonly string[], now: Date) {
  const key = await createKey();
  const leaf = await createLeaf({
    commonName: SERVING_NAME,
    sans: dnsNames,
    publicKey: key,
    issuer,
    notBefore: new Date(+now - BACKDATE_MS),
    notAfter: new Date(+now + SERVING_LIFETIME_MS),
  });
  return {
    cert: `${leaf}${issuer.certificatePem}`,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
