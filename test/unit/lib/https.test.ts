import { once } from 'node:events';
import https from 'node:https';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { type HttpsRequest, httpsJson } from '../../../runtime/lib/https.ts';
import { type Routes, serve, type TestServer } from '../../support/fake-ca.ts';
import { hierarchy, issue } from '../../support/tiny-ca.ts';

const { root, intermediate, leaf, chain } = hierarchy(['localhost']);
const ca = root.certificatePem;
let server: TestServer;

beforeAll(async () => {
  const routes: Routes = {
    '/echo': ({ body, method, authorization, client }) => [200, { body, method, authorization, client }],
    '/refused': [403, { message: 'no' }],
    '/html': [200, '<html>hello</html>'],
    '/proxy': [502, '<html>bad gateway</html>'],
    '/empty': [204, ''],
    '/large': [200, JSON.stringify('x'.repeat(2 * 1024 * 1024))],
    '/never': () => new Promise(() => undefined),
  };
  server = await serve({ chain, keyPem: leaf.keyPem }, routes, [ca]);
});
afterAll(() => server[Symbol.asyncDispose]());

const get = (path: string, more: Partial<HttpsRequest> = {}) => httpsJson({ url: `${server.url}${path}`, ca, ...more });

describe('an answer', () => {
  test('is status and JSON, whatever the status', async () => {
    expect(await get('/refused')).toEqual({ status: 403, body: { message: 'no' } });
    expect(await get('/missing')).toMatchObject({ status: 404 });
  });

  test('comes to what was sent: method, headers, JSON', async () => {
    const answer = await get('/echo', { method: 'POST', json: { a: 'ä' }, headers: { authorization: 'Bearer x' } });
    expect(answer.body).toEqual({ body: { a: 'ä' }, method: 'POST', authorization: 'Bearer x' });
  });

  test('may be empty, or an error page that is not JSON', async () => {
    expect(await get('/empty')).toEqual({ status: 204, body: undefined });
    expect(await get('/proxy')).toEqual({ status: 502, body: undefined });
  });

  test('of success that is not JSON is UNAVAILABLE and shows how it begins', async () => {
    const failure = get('/html');
    await expect(failure).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(failure).rejects.toHaveProperty('cause.message', expect.stringContaining('<html>hello'));
  });

  test('is bounded in size', async () => {
    await expect(get('/large')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { message: 'its answer is larger than 1048576 bytes' },
    });
  });

  test('is bounded in time', async () => {
    await expect(get('/never', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { message: 'it took longer than 50 ms' },
    });
  });

  test('is not waited for after a stop', async () => {
    const stop = new AbortController();
    const pending = get('/never', { signal: stop.signal });
    stop.abort();
    await expect(pending).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('the time that a server wants to be left alone', () => {
  test.each([
    ['0', 0],
    ['7', 7_000],
    ['3600', 3_600_000],
    // Nobody is left alone for longer than an hour.
    ['86400', 3_600_000],
    ['999999999', 3_600_000],
    ['99999999999999999999', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    // It wants clocks that agree.
    ['Fri, 31 Dec 2049 23:59:59 GMT', undefined],
  ])('is the seconds of Retry-After: %s', async (header, ms) => {
    server.routes['/busy'] = [503, {}, { 'retry-after': header }];
    expect((await get('/busy')).retryAfterMs).toBe(ms);
  });

  test('is not known where it says nothing', async () => {
    expect(await get('/refused')).toMatchObject({ retryAfterMs: undefined });
  });
});

describe('trust', () => {
  test('is in the given roots only', async () => {
    const other = issue('Other Root', { ca: true }).certificatePem;
    await expect(get('/echo', { ca: other })).rejects.toMatchObject({ code: 'UNTRUSTED' });
    expect(await get('/echo', { ca: `${other}${ca}` })).toMatchObject({ status: 200 });
  });

  test('is in a server of the right name only', async () => {
    const url = `https://127.0.0.1:${server.port}/echo`;
    await expect(httpsJson({ url, ca })).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });

  test('goes both ways with a client certificate', async () => {
    const client = issue('client.example', { issuer: intermediate });
    const cert = client.certificatePem + intermediate.certificatePem;
    const { body } = await get('/echo', { cert, key: client.keyPem });
    expect(body).toMatchObject({ client: 'client.example' });
  });
});

describe('reaching the server', () => {
  test('host aliases come before DNS', async () => {
    const named = hierarchy(['ca.step.svc.cluster.local']);
    await using other = await serve({ chain: named.chain, keyPem: named.leaf.keyPem }, { '/': [200, {}] });
    const answer = await httpsJson({
      url: `https://CA.step.svc.cluster.local:${other.port}/`,
      ca: named.root.certificatePem,
      hostAliases: new Map([['ca.step.svc.cluster.local', '127.0.0.1']]),
    });
    expect(answer.status).toBe(200);
  });

  test('nobody there is UNAVAILABLE, and the error names the URL', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    closed.close();
    const failure = httpsJson({ url: `https://127.0.0.1:${port}/x`, ca });
    await expect(failure).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `no answer from https://127.0.0.1:${port}/x`,
      cause: { message: expect.stringContaining('ECONNREFUSED') },
    });
  });

  test('plain HTTP is refused before anything is sent', async () => {
    await expect(httpsJson({ url: 'http://localhost/' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(httpsJson({ url: 'nonsense' })).rejects.toThrow('"nonsense" is not an https:// URL');
  });

  test('a kept connection that the server has closed meanwhile is replaced by a new one', async () => {
    const agent = new https.Agent({ keepAlive: true });
    const open = new Set<Duplex>();
    let answered = 0;
    const dropping = https.createServer({ cert: chain.join(''), key: leaf.keyPem }, (request, response) => {
      answered += 1;
      // The second request on the first connection finds it dead.
      if (answered === 2) request.socket.destroy();
      else response.end('{}');
    });
    dropping.on('connection', (socket) => open.add(socket)).listen(0, '127.0.0.1');
    await once(dropping, 'listening');
    const address = dropping.address();
    const url = `https://localhost:${typeof address === 'object' ? address?.port : 0}/`;
    expect(await httpsJson({ url, ca, agent })).toMatchObject({ status: 200 });
    expect(await httpsJson({ url, ca, agent })).toMatchObject({ status: 200 });
    expect(open.size).toBe(2);
    agent.destroy();
    dropping.closeAllConnections();
    dropping.close();
  });
});
