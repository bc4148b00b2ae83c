/**
 * The webhook's own certificate: from the CA by a one-time token of its own, a new key each time, renewed at two thirds of
 * its life and swapped in under open connections. The loop outlives every failure; the certificate in hand stays in
 * use meanwhile.
 * @module
 */
import type { CaClient } from '../step-ca/client.ts';
import { summaryOf, type Validity, verifyChain } from '../x509/certificate.ts';
import { createKeyAndRequest } from '../x509/csr.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { TokenSigner } from '../step-ca/one-time-token.ts';
import { backoffBounds, nextDelay, renewIn } from '../lib/schedule.ts';
import type { ServingPair } from './placeholder-certificate.ts';

/** What the loop needs of the world. */
export interface ServingPorts {
  /** Obtains a new certificate. */
  readonly obtain: () => Promise<ServingPair>;
  /** Takes it into use. */
  readonly install: (pair: ServingPair, validity: Validity) => void;
  readonly now: () => Date;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Resolves after the time, or as soon as `signal` aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
}

/** What is known about the certificate in use. */
export interface ServingState {
  /** Absent: there has been none yet. */
  validity?: Validity;
  /** Why the last attempt failed. */
  problem?: string;
}

/** Obtains and renews until `signal` aborts; keeps `state` current. */
export async function keepServing(ports: ServingPorts, state: ServingState, signal: AbortSignal): Promise<void> {
  let delay: number | undefined;
  while (!signal.aborted) {
    try {
      const pair = await ports.obtain();
      const { serial, names, ...validity } = summaryOf(pair.certificatePem);
      ports.install(pair, validity);
      state.validity = validity;
      delete state.problem;
      delay = undefined;
      ports.log.info({ serial, names, notAfter: validity.notAfter }, 'serving certificate obtained');
      await ports.sleep(renewIn(validity, ports.now(), ports.random()), signal);
    } catch (error) {
      if (signal.aborted) return;
      state.problem = messageOf(error);
      delay = nextDelay(delay, ports.random(), backoffBounds(state.validity));
      ports.log.warn({ reason: state.problem, retryInMs: Math.round(delay) }, 'no serving certificate');
      await ports.sleep(delay, signal);
    }
  }
}

/** Has the CA sign a new key for `names`; the first is the common name. */
export async function obtainServing(
  ca: Pick<CaClient, 'sign' | 'roots' | 'url'>,
  issuer: { readonly signer: Pick<TokenSigner, 'mint'>; readonly rootFingerprint: string },
  names: readonly string[],
): Promise<ServingPair> {
  const [subject] = names;
  if (subject === undefined) throw new AutocertError('INVALID_CONFIG', 'servingNames is empty');
  const { keyPem, csrPem, fingerprint } = await createKeyAndRequest();
  const token = await issuer.signer.mint({
    subject,
    sans: names,
    caUrl: ca.url,
    rootFingerprint: issuer.rootFingerprint,
    csrFingerprint: fingerprint,
  });
  const { chainPem } = await ca.sign({ csrPem, token });
  verifyChain(chainPem, ca.roots, new Date());
  return { certificatePem: chainPem.join(''), keyPem };
}
