import { writeFileSync } from 'node:fs';
import { enroll, type IssueContext, renew } from '../../../runtime/agent/issue.ts';
import { readSettings } from '../../../runtime/agent/settings.ts';
import { fingerprintOf, isForKey, splitPem, summaryOf } from '../../../runtime/x509/certificate.ts';
import { agentEnvironment, agentFolder, keptLog } from '../../support/agent.ts';
import {
  type Answer,
  type FakeCa,
  keyOfRequest,
  type Seen,
  startFakeCa,
  startTokenEndpoint,
  type TestServer,
} from '../../support/fake-ca.ts';
import { issue } from '../../support/tiny-ca.ts';

let ca: FakeCa;
let endpoint: TestServer;
let folder: ReturnType<typeof agentFolder>;
let context: IssueContext;
let log: ReturnType<typeof keptLog>;

beforeEach(async () => {
  ca = await startFakeCa();
  endpoint = await startTokenEndpoint(ca);
  folder = agentFolder();
  log = keptLog();
  const settings = readSettings(agentEnvironment(ca, endpoint, folder));
  context = { settings, now: () => new Date(), log, signal: new AbortController().signal };
});
afterEach(async () => {
  folder[Symbol.dispose]();
  await endpoint[Symbol.asyncDispose]();
  await ca[Symbol.asyncDispose]();
});

describe('enrolling', () => {
  test('trades the attestation token for a one-time token, and that for a verified set', async () => {
    const set = await enroll(context);
    expect(splitPem(set.certificate)).toHaveLength(2);
    expect(splitPem(set.certificate)[1]).toBe(ca.intermediate.certificatePem);
    expect(isForKey(set.certificate, set.key)).toBe(true);
    expect(set.roots).toBe(ca.root.certificatePem);
    expect(endpoint.seen[0]).toMatchObject({ method: 'POST', authorization: 'Bearer header.claims.signature' });
  });

  test('the request that the webhook binds the token to is the one that the CA signs', async () => {
    await enroll(context);
    const atWebhook = endpoint.seen[0]?.body as { csr: string };
    const atCa = ca.seen.find(({ path }) => path === '/1.0/sign')?.body as { csr: string; ott: string };
    expect(atCa).toEqual({ csr: atWebhook.csr, ott: 'one.time.token' });
  });

  test('the lifetime that the webhook grants is what the CA is asked for', async () => {
    endpoint.routes['/token'] = [200, { token: 'one.time.token', duration: '1h30m' }];
    await enroll(context);
    expect(ca.seen.find(({ path }) => path === '/1.0/sign')?.body).toMatchObject({ notAfter: '5400s' });
  });

  test('roots that are known already are not asked for', async () => {
    const roots = [ca.root.certificatePem];
    context = { ...context, settings: { ...context.settings, roots } };
    expect((await enroll(context)).roots).toBe(roots[0]);
    expect(ca.seen.map(({ path }) => path)).toEqual(['/1.0/roots', '/1.0/federation', '/1.0/sign']);
  });

  test('the token is read anew each time', async () => {
    await enroll(context);
    writeFileSync(folder.tokenFile, 'another.claims.signature');
    await enroll(context);
    expect(endpoint.seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer header.claims.signature',
      'Bearer another.claims.signature',
    ]);
  });

  test('root.crt holds the pinned root, those of the CA, and those of federated CAs, each once', async () => {
    const next = issue('Next Root', { ca: true }).certificatePem;
    const federated = issue('Federated Root', { ca: true }).certificatePem;
    ca.routes['/1.0/roots'] = [201, { crts: [ca.root.certificatePem, next] }];
    ca.routes['/1.0/federation'] = [201, { crts: [ca.root.certificatePem, next, federated] }];
    const { roots } = await enroll(context);
    expect(splitPem(roots)).toEqual([ca.root.certificatePem, next, federated]);
  });

  test('a CA that does not give its roots still gives a certificate', async () => {
    ca.routes['/1.0/roots'] = [403, { message: 'no' }];
    expect((await enroll(context)).roots).toBe(ca.root.certificatePem);
    expect(log.lines.map(({ line }) => line)).toEqual(['warn the roots could not be refreshed; keeping those known']);
  });
});

describe('enrolling fails, and says why, when', () => {
  const failure = () => enroll(context).then(String, (error: unknown) => error);

  test.each([
    ['is empty', '', /the attestation token .* is empty; kubelet/],
    ['has a line break in it', 'a\nb', /is not a JSON Web Token/],
    ['is absurdly large', 'x'.repeat(65 * 1024), /is larger than 65536 bytes/],
  ])('the attestation token %s', async (_, content, message) => {
    writeFileSync(folder.tokenFile, content);
    expect(await failure()).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(message) });
  });

  test('the attestation token is missing', async () => {
    folder[Symbol.dispose]();
    expect(await failure()).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/token cannot be read/),
    });
  });

  test('the CA has another root: nothing is sent to the webhook', async () => {
    const settings = { ...context.settings, fingerprints: ['0'.repeat(64)] };
    context = { ...context, settings };
    expect(await failure()).toMatchObject({ code: 'UNTRUSTED' });
    expect(endpoint.seen).toEqual([]);
  });

  test('the webhook presents a certificate of another root: the token is not shown to it', async () => {
    const other = await startFakeCa();
    const impostor = await startTokenEndpoint(other);
    context = { ...context, settings: { ...context.settings, autocertUrl: impostor.url } };
    expect(await failure()).toMatchObject({ code: 'UNTRUSTED' });
    expect(impostor.seen).toEqual([]);
    await impostor[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  test.each([
    [410, 'GONE', 'refuses: "a.example" is not a name of the namespace shop'],
    [403, 'FORBIDDEN', 'refuses: "a.example" is not a name of the namespace shop'],
    [401, 'UNAUTHENTICATED', 'refuses: "a.example"'],
    [400, 'INVALID_INPUT', 'refuses: "a.example"'],
    [429, 'UNAVAILABLE', 'is not ready: "a.example"'],
    [503, 'UNAVAILABLE', 'is not ready: "a.example"'],
  ])('the token endpoint answers %i', async (status, code, message) => {
    const error = { code: 'ANY', message: '"a.example" is not a name of the namespace shop' };
    endpoint.routes['/token'] = [status, { error }];
    expect(await failure()).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(ca.seen.filter(({ path }) => path === '/1.0/sign')).toEqual([]);
  });

  test.each([
    ['no token', {}],
    ['nonsense', 'hello'],
    ['a list', []],
    ['a lifetime that is none', { token: 'x', duration: '5 parsecs' }],
  ])('the token endpoint answers with %s', async (_, body) => {
    endpoint.routes['/token'] = [200, body];
    expect(await failure()).toHaveProperty('code');
  });

  test('the certificate is for another key', async () => {
    const other = issue('localhost', { issuer: ca.intermediate });
    ca.routes['/1.0/sign'] = [201, { certChain: [other.certificatePem, ca.intermediate.certificatePem] }];
    expect(await failure()).toMatchObject({ code: 'UNTRUSTED', message: expect.stringMatching(/for another key/) });
  });

  test('the certificate has expired already', async () => {
    ca.leaf = { notAfter: new Date(Date.now() - 1_000) };
    expect(await failure()).toMatchObject({ code: 'UNTRUSTED', message: expect.stringMatching(/expired at/) });
  });

  test('the chain does not lead to the pinned root', async () => {
    ca.leaf = { issuer: issue('Test Intermediate CA', { ca: true }) };
    expect(await failure()).toMatchObject({ code: 'UNTRUSTED', message: expect.stringMatching(/was not issued by/) });
  });

  test('the agent is told to stop', async () => {
    const stop = new AbortController();
    endpoint.routes['/token'] = () => {
      stop.abort();
      return new Promise(() => undefined);
    };
    context = { ...context, signal: stop.signal };
    expect(await failure()).toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('no error shows a token', async () => {
    ca.routes['/1.0/sign'] = [401, { message: 'no' }];
    expect(JSON.stringify(await failure())).not.toMatch(/header\.claims|one\.time/);
  });
});

describe('renewing', () => {
  test('gives the same names a new key, over mTLS, and never asks the webhook', async () => {
    const first = await enroll(context);
    const second = await renew(context, first);
    expect(second.key.reveal()).not.toBe(first.key.reveal());
    expect(isForKey(second.certificate, second.key)).toBe(true);
    expect(summaryOf(second.certificate).serial).not.toBe(summaryOf(first.certificate).serial);
    expect(ca.seen.find(({ path }) => path === '/1.0/rekey')?.client).toBe('localhost');
    expect(endpoint.seen).toHaveLength(1);
  });

  test('takes over new roots, and drops those that are gone but for the pinned ones', async () => {
    const first = await enroll(context);
    const old = issue('Old Root', { ca: true }).certificatePem;
    const next = issue('Next Root', { ca: true }).certificatePem;
    ca.routes['/1.0/roots'] = [201, { crts: [next] }];
    ca.routes['/1.0/federation'] = [201, { crts: [next] }];
    const second = await renew(context, { ...first, roots: ca.root.certificatePem + old });
    expect(splitPem(second.roots).map(fingerprintOf)).toEqual([ca.root.certificatePem, next].map(fingerprintOf));
  });

  test('keeps all known roots when the CA does not give them', async () => {
    const first = await enroll(context);
    const roots = first.roots + issue('Next Root', { ca: true }).certificatePem;
    ca.routes['/1.0/federation'] = [500, {}];
    expect((await renew(context, { ...first, roots })).roots).toBe(roots);
  });

  test('survives a root rotation: a chain to the new root is good as soon as the CA lists it', async () => {
    const first = await enroll(context);
    const next = issue('Next Root', { ca: true });
    const leafOf = ({ body }: Seen): Answer => {
      const publicKey = keyOfRequest((body as { csr: string }).csr);
      return [201, { certChain: [issue('localhost', { issuer: next, publicKey }).certificatePem] }];
    };
    ca.routes['/1.0/rekey'] = leafOf;
    await expect(renew(context, first)).rejects.toMatchObject({ code: 'UNTRUSTED' });
    ca.routes['/1.0/roots'] = [201, { crts: [ca.root.certificatePem, next.certificatePem] }];
    const second = await renew(context, first);
    expect(splitPem(second.roots)).toEqual([ca.root.certificatePem, next.certificatePem]);
  });

  test('is CA_REJECTED when the CA wants nothing of the certificate', async () => {
    const first = await enroll(context);
    ca.routes['/1.0/rekey'] = [401, { message: 'revoked' }];
    await expect(renew(context, first)).rejects.toMatchObject({ code: 'CA_REJECTED' });
  });
});
