/**
 * The token endpoint: how many one-time tokens a second, beside how often the API server alone answers the two questions
 * that each of them takes.
 * @module
 */
import { readFileSync } from 'node:fs';
import { AttestationToken, WebhookPath } from '../runtime/contract.ts';
import { createKeyAndRequest } from '../runtime/x509/csr.ts';
import type { Figure } from './figure.ts';
import { inTurn, load } from './load.ts';
import type { Peers } from './peers.ts';
import { POD } from './pod.ts';

const CONNECTIONS = 16;

/** Runs all of it. */
export async function tokens({ webhook, kubeconfig }: Peers): Promise<Figure[]> {
  const json = { 'content-type': 'application/json' };
  const { csrPem } = await createKeyAndRequest();
  const ours = {
    url: `${webhook}${WebhookPath.token}`,
    method: 'POST',
    headers: { ...json, authorization: 'Bearer header.claims.signature' },
    body: JSON.stringify({ csr: csrPem }),
    connections: CONNECTIONS,
    duration: 3,
  };
  const review = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token: 'header.claims.signature', audiences: [AttestationToken.audience] },
  };
  const { clusters } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { clusters: [{ cluster: { server: string } }] };
  const pair = {
    url: clusters[0].cluster.server,
    requests: [
      {
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        headers: json,
        body: JSON.stringify(review),
      },
      { method: 'GET', path: `/api/v1/namespaces/${POD.namespace}/pods/${POD.name}` },
    ],
    connections: CONNECTIONS,
    duration: 3,
  };
  await load({ ...ours, duration: 2 });
  const [token, question] = await inTurn(3, [ours, pair]);
  if (!token || !question) throw new Error('nothing was measured');
  const name = `token endpoint, ${CONNECTIONS} connections`;
  const alone = 'its two API requests alone';
  return [
    {
      name: `${name}, rate`,
      value: token.rate,
      unit: '/s',
      baseline: { name: alone, value: question.rate / 2 },
      aim: 'half of it',
    },
    { name: `${name}, p99`, value: token.p99, unit: 'ms', baseline: { name: alone, value: question.p99 * 2 } },
  ];
}
