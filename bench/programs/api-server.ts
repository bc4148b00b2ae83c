/**
 * A Kubernetes API server that answers the webhook's questions, in a process of its own; prints its URL. Every answer takes
 * as long, whatever is asked, so that what differs between two measurements is not its. Each TokenReview finds another pod,
 * for one alone is given few certificates.
 * `node api-server.ts <certificate> <key> <milliseconds an answer takes>`
 * @module
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Annotation, AttestationToken, NAMESPACE_LABEL } from '../../runtime/contract.ts';
import { POD } from '../pod.ts';

const [certFile = '', keyFile = '', answerMs] = process.argv.slice(2);

const { name, namespace } = POD;
/** Stands in an answer for what tells one pod from another. */
const WHICH = '{which}';
const ANSWERS: Readonly<Record<string, object>> = {
  '/version': { major: '1', minor: '34', gitVersion: 'v1.34.0' },
  '/apis/authentication.k8s.io/v1/tokenreviews': {
    status: {
      authenticated: true,
      audiences: [AttestationToken.audience],
      user: {
        username: `system:serviceaccount:${namespace}:default`,
        extra: {
          'authentication.kubernetes.io/pod-name': [`${name}-${WHICH}`],
          'authentication.kubernetes.io/pod-uid': [WHICH],
        },
      },
    },
  },
  [`/api/v1/namespaces/${namespace}`]: { metadata: { labels: { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value } } },
  [`/api/v1/namespaces/${namespace}/pods/${name}`]: {
    metadata: { name: `${name}-${WHICH}`, namespace, uid: WHICH, annotations: { [Annotation.name]: POD.dns } },
    spec: { serviceAccountName: 'default', containers: [{ name: 'main', image: 'alpine' }] },
  },
};
const TEXTS = new Map(Object.entries(ANSWERS).map(([path, answer]) => [path, JSON.stringify(answer)]));
/** For what is asked besides, such as the ConfigMap of forced renewals. */
const NOT_FOUND = JSON.stringify({ kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404 });

let pods = 0;
const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
const server = createServer(tls, (request, response) => {
  pods += 1;
  const [, path = '', which = String(pods)] = /^(.*?)(?:-(\d+))?$/.exec(request.url ?? '') ?? [];
  const answer = TEXTS.get(path)?.replaceAll(WHICH, which);
  request.resume().once('end', () => {
    setTimeout(() => {
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(answer ?? NOT_FOUND);
    }, Number(answerMs));
  });
});
server.listen(0, '127.0.0.1', () => console.log(`https://127.0.0.1:${(server.address() as AddressInfo).port}`));
