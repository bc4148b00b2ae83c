/**
 * The set of files in hand: whether it is of use, how an answer becomes the next one, and how it takes over new roots.
 * @module
 */
import { createHash } from 'node:crypto';
import type { CertificateAnswer, RenewalInfo } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Secret } from '../lib/secret.ts';
import { isForKey, leadsTo, splitPem, summaryOf, verifyChain } from '../x509/certificate.ts';
import { type CertificateSet, readCertificateFiles } from './certificate-files.ts';
import { type Holding, isValid } from './next-step.ts';

/** What is on disk. */
export interface CurrentSet {
  /** A set that can be used now. */
  readonly set?: CertificateSet | undefined;
  /** Why there is none; absent: there is. */
  readonly problem?: string | undefined;
  /** Its place in the schedule; also of a set that is of no use only for the time. */
  readonly holding?: Holding | undefined;
  /** Roots by which to trust the certificate endpoint, PEM, in an expired set as well; empty: there are none. */
  readonly anchors: string;
}

/** Reads the set in `dir`: complete, for its key, leading to its own roots, valid at `now`. Never throws. */
export function readCurrentSet(dir: string, now: Date): CurrentSet {
  let anchors = '';
  let holding: Holding | undefined;
  try {
    const set = readCertificateFiles(dir);
    if (set === undefined) return { problem: 'there are no files yet', anchors };
    ({ anchors } = set);
    if (!isForKey(set.certificate, set.key)) return { problem: 'the certificate is for another key', anchors };
    const { serial, notBefore, notAfter } = summaryOf(set.certificate);
    const { obtainedAt, replaces } = set;
    holding = { validity: { notBefore, notAfter }, obtainedAt, position: positionOf(serial), replaces };
    verifyChain(splitPem(set.certificate), splitPem(set.roots), now);
    return { set, holding, anchors };
  } catch (error) {
    const isOutOfTime = holding !== undefined && !isValid(holding.validity, now);
    return { problem: messageOf(error), anchors, holding: isOutOfTime ? holding : undefined };
  }
}

/**
 * Makes the next set of an answer, verified.
 * @param trusted roots known before, each PEM; the chain may lead to one of the answer as well, which came from a trusted peer
 * @throws AutocertError `UNTRUSTED`
 */
export function verifiedSet(
  { certificate, renewal }: CertificateAnswer,
  key: Secret,
  trusted: readonly string[],
  now: Date,
  replacesAtLeast: Date | undefined,
): CertificateSet {
  const chain = splitPem(certificate);
  const roots = distinct(renewal.roots);
  if (!isForKey(certificate, key)) {
    throw new AutocertError('UNTRUSTED', 'the certificate is for another key than the one in the request');
  }
  // To a root that is trusted, and that is among those by which others will verify it.
  const known = [...trusted, ...splitPem(renewal.anchors)];
  verifyChain(
    chain,
    roots.filter((pem) => known.includes(pem)),
    now,
  );
  return {
    certificate: chain.join(''),
    key,
    roots: roots.join(''),
    anchors: distinct(renewal.anchors).join(''),
    notAfter: summaryOf(certificate).notAfter,
    obtainedAt: now,
    replaces: latest(replacesAtLeast, replacedBefore(renewal)),
  };
}

/**
 * The set with the roots and anchors that the control plane has now; `undefined`: it has them already. Where its own chain
 * leads to none of the new roots, the old ones stay beside them until renewal.
 */
export function withRoots(set: CertificateSet, info: RenewalInfo, now: Date): CertificateSet | undefined {
  const wanted = distinct(info.roots);
  const roots = leadsTo(splitPem(set.certificate), wanted, now) ? wanted : distinct(wanted.join('') + set.roots);
  const anchors = distinct(info.anchors);
  if (isSame(roots, distinct(set.roots)) && isSame(anchors, distinct(set.anchors))) return undefined;
  return { ...set, roots: roots.join(''), anchors: anchors.join('') };
}

/** The time before which issued certificates are to be replaced. */
export function replacedBefore({ replace }: RenewalInfo): Date | undefined {
  return replace && new Date(replace.issuedBefore);
}

/** A place in [0, 1) that is the certificate's own: pods spread over the window, and none has to remember anything. */
function positionOf(serial: string): number {
  return createHash('sha256').update(serial).digest().readUInt32BE() / 2 ** 32;
}

function distinct(bundle: string): readonly string[] {
  return [...new Set(splitPem(bundle))];
}

/** Whatever their order: replicas of the control plane may give another one. */
function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((pem) => other.includes(pem));
}

function latest(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one && other ? new Date(Math.max(one.getTime(), other.getTime())) : (one ?? other);
}
