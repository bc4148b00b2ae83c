/**
 * A CA and a certificate endpoint on loopback, with real TLS, that answer as a test tells them to.
 * @module
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { CertificatePath, type RenewalInfo } from '../../runtime/contract.ts';
import { fingerprintOf } from '../../runtime/x509/certificate.ts';
import { hierarchy, type IssueOptions, issue, type TestCertificate } from './tiny-ca.ts';

/** A request as the server saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly authorization: string | undefined;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

/** An answer: status, body (a string is sent as it is) and headers. */
export type Answer = readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>>];

/** Answers by path, without its query; a function may look at the request. What is missing is 404. */
export type Routes = Record<string, Answer | ((request: Seen) => Answer | Promise<Answer>)>;

/** A running server. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  /** TLS connections so far. */
  readonly connections: () => number;
  /** May be changed while it runs. */
  readonly routes: Routes;
}

/** Serves `routes` over TLS with this certificate; `clientRoots`: asks for client certificates of these roots. */
export async function serve(
  identity: { chain: readonly string[]; keyPem: string },
  routes: Routes,
  clientRoots?: readonly string[],
): Promise<TestServer> {
  const seen: Seen[] = [];
  const tls = { cert: identity.chain.join(''), key: identity.keyPem };
  const mtls = clientRoots ? { requestCert: true, rejectUnauthorized: false, ca: [...clientRoots] } : {};
  const server = https.createServer({ ...tls, ...mtls }, async (request, response) => {
    const call = await readCall(request);
    seen.push(call);
    const route = routes[call.path.replace(/\?.*/, '')] ?? [404, { status: 404, message: 'Not Found' }];
    const [status, body, headers] = typeof route === 'function' ? await route(call) : route;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  let connections = 0;
  server.on('secureConnection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return {
    url: `https://localhost:${port}`,
    port,
    seen,
    connections: () => connections,
    routes,
    [Symbol.asyncDispose]: close,
  };
}

/** A CA that signs what it is asked to sign, for `localhost`. */
export interface FakeCa extends TestServer {
  readonly root: TestCertificate;
  readonly intermediate: TestCertificate;
  readonly fingerprint: string;
  /** What the next leaves look like. */
  leaf: IssueOptions;
}

/** Starts a {@link FakeCa}. */
export async function startFakeCa(): Promise<FakeCa> {
  const { root, intermediate, leaf, chain } = hierarchy();
  const fingerprint = fingerprintOf(root.certificatePem);
  const signed = (csr: string): Answer => {
    const issued = issue('localhost', {
      issuer: intermediate,
      names: ['localhost'],
      publicKey: keyOfRequest(csr),
      ...ca.leaf,
    });
    const pems = [issued.certificatePem, intermediate.certificatePem];
    return [201, { crt: pems[0], ca: pems[1], certChain: pems }];
  };
  const routes: Routes = {
    '/health': [200, { status: 'ok' }],
    [`/root/${fingerprint}`]: [200, { ca: root.certificatePem }],
    '/1.0/roots': [201, { crts: [root.certificatePem] }],
    '/1.0/federation': [201, { crts: [root.certificatePem] }],
    '/1.0/sign': ({ body }) => signed(csrOf(body)),
    '/1.0/rekey': ({ body, client }) =>
      client === undefined ? [400, { status: 400, message: 'missing client certificate' }] : signed(csrOf(body)),
  };
  const server = await serve({ chain, keyPem: leaf.keyPem }, routes, [root.certificatePem]);
  const ca: FakeCa = Object.assign(server, { root, intermediate, fingerprint, leaf: {} });
  return ca;
}

/** A certificate endpoint that issues to everyone. */
export interface FakeEndpoint extends TestServer {
  /** What it says about renewal. */
  renewal: RenewalInfo;
  /** What the next leaves look like. */
  leaf: IssueOptions;
  /** Signs what was asked for, as the route `/certificate` does. */
  readonly issue: (request: Seen) => Answer;
}

/** Starts a {@link FakeEndpoint} whose own certificate and whose leaves are of this authority. */
export async function startEndpoint({ root, intermediate }: Authority): Promise<FakeEndpoint> {
  const serving = issue('localhost', { issuer: intermediate, names: ['localhost'] });
  const routes: Routes = {
    [CertificatePath.certificate]: (request) => endpoint.issue(request),
    [CertificatePath.renewalInfo]: () => [200, endpoint.renewal],
  };
  const server = await serve(
    { chain: [serving.certificatePem, intermediate.certificatePem], keyPem: serving.keyPem },
    routes,
  );
  const endpoint: FakeEndpoint = Object.assign(server, {
    leaf: {},
    renewal: {
      suggestedWindow: { start: 1 / 2, end: 2 / 3 },
      roots: root.certificatePem,
      anchors: root.certificatePem,
      askAgainSeconds: 240,
    },
    issue: ({ body }: Seen): Answer => {
      const options = { issuer: intermediate, names: ['localhost'], publicKey: keyOfRequest(csrOf(body)) };
      const leaf = issue('localhost', { ...options, ...endpoint.leaf });
      const certificate = leaf.certificatePem + intermediate.certificatePem;
      return [200, { certificate, renewal: endpoint.renewal }];
    },
  });
  return endpoint;
}

/** A root and an intermediate. */
export type Authority = Pick<FakeCa, 'root' | 'intermediate'>;

/** Public key of a certificate request with an empty name: its place in the DER is then fixed. */
export function keyOfRequest(csrPem: string): KeyObject {
  const der = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ''), 'base64');
  const start = der.indexOf(Buffer.from('3059301306072a8648ce3d0201', 'hex'));
  return createPublicKey({ key: der.subarray(start, start + 91), format: 'der', type: 'spki' });
}

function csrOf(body: unknown): string {
  return String((body as { csr?: unknown }).csr);
}

async function readCall(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const client = (request.socket as TLSSocket).getPeerCertificate().subject?.CN;
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    body: text === '' ? undefined : JSON.parse(text),
    authorization: request.headers.authorization,
    client: typeof client === 'string' ? client : undefined,
  };
}
