/**
 * The two ways to a new set of files: enrolling (attestation, one-time token) and renewing (the set in hand, a new key).
 * Neither writes anything: what comes back is verified and complete.
 * @module
 */
import { CaClient, type CaConnection, type SignedCertificate } from '../step-ca/client.ts';
import { fingerprintOf, isForKey, splitPem, verifyChain } from '../x509/certificate.ts';
import type { CertificateSet } from './certificate-files.ts';
import { createKeyAndRequest } from '../x509/csr.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Secret } from '../lib/secret.ts';
import { readAttestationToken, requestGrant } from './attest.ts';
import type { AgentSettings } from './settings.ts';

/** What both ways need. */
export interface IssueContext {
  readonly settings: AgentSettings;
  readonly now: () => Date;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A first set: nothing is trusted but the pinned fingerprints. */
export async function enroll(context: IssueContext): Promise<CertificateSet> {
  const { settings, signal } = context;
  const attestation = readAttestationToken(settings.tokenFile);
  const [ca, { keyPem, csrPem }] = await Promise.all([pinnedCa(context), createKeyAndRequest()]);
  try {
    const transport = { ca: ca.roots.join('\n'), hostAliases: settings.hostAliases, signal };
    const [grant, roots] = await Promise.all([
      requestGrant(settings.autocertUrl, attestation, csrPem, transport),
      allRoots(ca, ca.roots, context),
    ]);
    const signed = await ca.sign({ csrPem, ...grant });
    return verified(signed, keyPem, ca.roots, roots, context);
  } finally {
    ca.close();
  }
}

/** The next set, by the strength of the one in hand. Its roots are trusted: they came from the CA they lead to. */
export async function renew(context: IssueContext, inHand: CertificateSet): Promise<CertificateSet> {
  const known = splitPem(inHand.roots);
  const ca = new CaClient({ ...connection(context), roots: known });
  try {
    const { keyPem, csrPem } = await createKeyAndRequest();
    const [signed, roots] = await Promise.all([
      ca.rekey({ certificatePem: inHand.certificate, keyPem: inHand.key }, csrPem),
      allRoots(ca, known, context),
    ]);
    return verified(signed, keyPem, [...known, ...roots.roots], roots, context);
  } finally {
    ca.close();
  }
}

/** The CA behind the pinned roots, which the injector may have sent along: that saves asking for them. */
async function pinnedCa(context: IssueContext): Promise<CaClient> {
  const { roots, fingerprints } = context.settings;
  if (roots.length > 0) return new CaClient({ ...connection(context), roots });
  return CaClient.bootstrap({ ...connection(context), fingerprints });
}

function connection({ settings, signal }: IssueContext): CaConnection {
  return { url: settings.caUrl, hostAliases: settings.hostAliases, signal };
}

/** What goes into `root.crt`, and why it is only what was known before. */
interface Roots {
  readonly roots: readonly string[];
  readonly problem?: string;
}

/**
 * The pinned roots, those the CA has now (two during a rotation), and those of federated CAs. A certificate is worth
 * having even when this list cannot be had: then those known before stay.
 */
async function allRoots(ca: CaClient, known: readonly string[], { settings }: IssueContext): Promise<Roots> {
  const pinned = known.filter((pem) => settings.fingerprints.includes(fingerprintOf(pem)));
  try {
    // One after the other: over one connection, which signing then finds open.
    const served = [...(await ca.fetchRoots()), ...(await ca.fetchFederation())];
    return { roots: [...new Map([...pinned, ...served].map((pem) => [fingerprintOf(pem), pem])).values()] };
  } catch (error) {
    return { roots: known, problem: messageOf(error) };
  }
}

function verified(
  { certificatePem, chainPem }: SignedCertificate,
  key: Secret,
  anchors: readonly string[],
  { roots, problem }: Roots,
  { now, log }: IssueContext,
): CertificateSet {
  if (!isForKey(certificatePem, key)) {
    throw new AutocertError(
      'UNTRUSTED',
      'the CA answered with a certificate for another key than the one in the request',
    );
  }
  verifyChain(chainPem, anchors, now());
  if (problem !== undefined) log.warn({ reason: problem }, 'the roots could not be refreshed; keeping those known');
  return { certificate: chainPem.join(''), key, roots: roots.join('') };
}
