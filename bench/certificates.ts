/**
 * The certificate endpoint: how many certificates a second, beside how often the API server alone answers the two
 * questions that each of them takes, and how often the CA alone signs.
 * @module
 */
import { AttestationToken, CertificatePath } from '../runtime/contract.ts';
import { createKeyAndRequest } from '../runtime/x509/csr.ts';
import type { Effort } from './effort.ts';
import type { Figure } from './figure.ts';
import { inTurn, load } from './load.ts';
import { mintTokens, type Peers } from './peers.ts';
import { POD, TOKEN } from './pod.ts';

const CONNECTIONS = 16;
const SECONDS = 3;
const ROUNDS = 3;
/** Signatures in one round of the CA alone: each takes a token of its own, minted before. */
const SIGNATURES = 3_000;

const JSON_BODY = { 'content-type': 'application/json' };

/** Runs all of it. */
export async function certificates(peers: Peers, effort: Effort): Promise<Figure[]> {
  const [seconds, rounds, signatures] = [effort(SECONDS), effort(ROUNDS), effort(SIGNATURES)];
  const { autocertUrl, apiServer, pki } = peers;
  const request = await createKeyAndRequest();
  const ours = {
    url: `${autocertUrl}${CertificatePath.certificate}`,
    method: 'POST',
    headers: { ...JSON_BODY, authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ csr: request.csrPem }),
    connections: CONNECTIONS,
    duration: seconds,
  };
  const review = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: TOKEN, audiences: [AttestationToken.audience] },
  };
  const questions = {
    url: apiServer,
    requests: [
      {
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        headers: JSON_BODY,
        body: JSON.stringify(review),
      },
      { method: 'GET', path: `/api/v1/namespaces/${POD.namespace}/pods/${POD.name}` },
    ],
    connections: CONNECTIONS,
    duration: seconds,
  };
  // Some more: each connection prepares its next request before it knows that there will be none.
  const count = rounds * (signatures + 10 * CONNECTIONS);
  const claims = { subject: POD.dns, sans: [POD.dns], csrFingerprint: request.fingerprint };
  const tokens = (await mintTokens(pki, claims, count)).map((token) => token.reveal());
  const signing = {
    url: pki.caUrl,
    requests: [
      {
        method: 'POST',
        path: '/1.0/sign',
        headers: JSON_BODY,
        setupRequest: (next: object) => ({
          ...next,
          body: JSON.stringify({ csr: request.csrPem, ott: tokens.pop() }),
        }),
      },
    ],
    connections: CONNECTIONS,
    amount: signatures,
  };
  await load({ ...ours, duration: effort(2) }); // until the compiler has seen it all
  const [endpoint, question, signature] = await inTurn(rounds, [ours, questions, signing]);
  if (!endpoint || !question || !signature) throw new Error('nothing was measured');
  const name = `certificate endpoint, ${CONNECTIONS} connections`;
  const alone = { name: 'its two API requests alone', value: question.rate / 2 };
  const sign = { name: `signatures of ${peers.caName} alone`, value: signature.rate };
  const wait = { name: 'these three alone, one after the other', value: 2 * question.p99 + signature.p99 };
  return [
    { name: `${name}, rate`, value: endpoint.rate, unit: '/s', baseline: alone, aim: 'half of it' },
    { name: `${name}, rate`, value: endpoint.rate, unit: '/s', baseline: sign },
    { name: `${name}, p99`, value: endpoint.p99, unit: 'ms', baseline: wait },
  ];
}
