/**
 * An embedded CA that speaks step-ca's protocol: for `autocert start`, for trying things out, and for tests. In a
 * cluster step-ca itself runs.
 * @module
 */

import type { FastifyInstance } from 'fastify';
import type { Log } from '../lib/log.ts';
import type { JwkProvisioner } from '../step-ca/one-time-token.ts';
import { createKey } from '../x509/private-key.ts';
import { renewIn } from '../lib/schedule.ts';
import { createLeaf, type Issuer } from '../x509/signing.ts';
import { buildApp } from './app.ts';
import { Authority } from './authority.ts';
import { Ledger } from './ledger.ts';
import { BACKDATE_MS, type Claims, DEFAULT_CLAIMS } from './lifetimes.ts';

/** Options of {@link createCa}. */
export interface CaOptions {
  /** Root certificates, each PEM. */
  readonly roots: readonly string[];
  /** Roots of federated CAs, each PEM. @default [] */
  readonly federatedRoots?: readonly string[];
  /** The intermediate, which signs. */
  readonly issuer: Issuer;
  readonly provisioners: readonly JwkProvisioner[];
  /** Names and addresses at which the CA is reached. */
  readonly dnsNames: readonly string[];
  /** @default - step-ca's: 24 h, at least 5 m */
  readonly claims?: Claims;
  /** File that remembers used tokens and revocations. */
  readonly ledgerFile: string;
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

/** The CA's own serving certificate lives this long. */
const SERVING_LIFETIME_MS = 24 * 3_600_000;
const SERVING_NAME = 'Autocert CA';

/** Makes the CA: opens its ledger, issues its serving certificate, and keeps that fresh. */
export async function createCa(options: CaOptions): Promise<Ca> {
  const { issuer, dnsNames, provisioners, roots, log, now = () => new Date() } = options;
  const ledger = Ledger.open(options.ledgerFile, now());
  const claims = options.claims ?? DEFAULT_CLAIMS;
  const authority = new Authority({ issuer, provisioners, claims, dnsNames, ledger, now });
  const app = buildApp({
    authority,
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
      ...(await servingCertificate(issuer, dnsNames, now())),
    },
  });
  const stopRenewals = keepServing(app, issuer, dnsNames, now);
  app.addHook('onClose', async () => {
    stopRenewals();
    ledger.close();
  });
  return { app, listen: (address) => app.listen(address), close: () => app.close() };
}

function servingPeriod(now: Date) {
  return { notBefore: new Date(+now - BACKDATE_MS), notAfter: new Date(+now + SERVING_LIFETIME_MS) };
}

async function servingCertificate(issuer: Issuer, dnsNames: readonly string[], now: Date) {
  const key = await createKey();
  const leaf = await createLeaf({
    commonName: SERVING_NAME,
    sans: dnsNames,
    publicKey: key,
    issuer,
    ...servingPeriod(now),
  });
  return {
    cert: `${leaf}${issuer.certificatePem}`,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Replaces the serving certificate at two thirds of its life; connections that are open keep theirs. */
function keepServing(app: FastifyInstance, issuer: Issuer, dnsNames: readonly string[], now: () => Date): () => void {
  let timer: NodeJS.Timeout;
  const schedule = () => {
    timer = setTimeout(replace, renewIn(servingPeriod(now()), now(), 0)).unref();
  };
  const replace = async () => {
    const { cert, key } = await servingCertificate(issuer, dnsNames, now());
    (app.server as unknown as { setSecureContext(context: object): void }).setSecureContext({ cert, key });
    schedule();
  };
  schedule();
  return () => clearTimeout(timer);
}
