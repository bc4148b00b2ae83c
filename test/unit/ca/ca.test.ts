import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { DEFAULT_CLAIMS } from '../../../runtime/ca/lifetimes.ts';
import { CaClient } from '../../../runtime/step-ca/client.ts';
import { isForKey, verifyChain } from '../../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../../runtime/x509/certificate-description.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { httpsJson } from '../../../runtime/lib/https.ts';
import type { MintOptions } from '../../../runtime/step-ca/one-time-token.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { requestWithNames } from '../../support/certificate-requests.ts';
import { startTestCa, type TestCa } from '../../support/embedded-ca.ts';

let ca: TestCa;
let time: Date | undefined;
beforeAll(async () => {
  const claims = { ...DEFAULT_CLAIMS, minMs: 60_000 };
  ca = await startTestCa({ now: () => time ?? new Date(), claims });
});
afterAll(() => ca.close());
afterEach(() => {
  time = undefined;
});

const sign = async (
  names: readonly string[],
  options: Partial<MintOptions> & { csr?: string; duration?: number } = {},
) => {
  const { csr, duration, ...mint } = options;
  const own = await createKeyAndRequest();
  const signed = await ca.client.sign({
    csrPem: csr ?? own.csrPem,
    token: await ca.token(names, mint),
    ...(duration === undefined ? {} : { duration }),
  });
  return { ...signed, keyPem: own.keyPem };
};

const identity = async () => {
  const { certificatePem, chainPem, keyPem } = await sign(['web.shop.svc']);
  return { leaf: certificatePem, certificatePem: chainPem.join(''), keyPem };
};

const rejected = (message: string | RegExp) => ({
  code: 'CA_REJECTED',
  message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
});

const post = async (path: string, json: unknown, identity?: { certificatePem: string; keyPem: Secret }) => {
  const credentials = identity ? { cert: identity.certificatePem, key: identity.keyPem.reveal() } : {};
  return httpsJson({ url: `${ca.url}${path}`, method: 'POST', json, ca: ca.pki.rootPem, ...credentials });
};

describe('what everybody may ask', () => {
  test('health, roots, federation, provisioners and their encrypted keys', async () => {
    await ca.client.health();
    expect(await ca.client.fetchRoots()).toEqual([ca.pki.rootPem]);
    expect(await ca.client.fetchFederation()).toEqual([ca.pki.rootPem]);
    expect(await ca.client.provisioners()).toEqual(ca.pki.provisioners);
    const [admin] = ca.pki.provisioners;
    expect(await ca.client.encryptedKey(admin?.key.kid ?? '')).toBe(admin?.encryptedKey);
  });

  test('the root by its fingerprint', async () => {
    const client = await CaClient.bootstrap({ url: ca.url, fingerprints: [ca.pki.fingerprint] });
    expect(client.roots).toEqual([ca.pki.rootPem]);
  });

  test.each([
    '/health',
    '/1.0/health',
    '/version',
    '/1.0/roots',
    '/roots',
    '/federation',
    '/provisioners',
    '/intermediates',
  ])('%s has an answer', async (path) => {
    const { status } = await httpsJson({ url: `${ca.url}${path}`, ca: ca.pki.rootPem });
    expect([200, 201]).toContain(status);
  });

  test('provisioners come in pages', async () => {
    const first = await httpsJson({ url: `${ca.url}/provisioners?limit=1`, ca: ca.pki.rootPem });
    expect(first.body).toMatchObject({ provisioners: [{ name: 'admin' }], nextCursor: '1' });
    const second = await httpsJson({ url: `${ca.url}/provisioners?limit=1&cursor=1`, ca: ca.pki.rootPem });
    expect(second.body).toMatchObject({ provisioners: [{ name: 'autocert' }], nextCursor: '' });
  });

  test.each(['/root/abc', '/provisioners/abc/encrypted-key', '/nothing'])('%s is not found', async (path) => {
    const { status, body } = await httpsJson({ url: `${ca.url}${path}`, ca: ca.pki.rootPem });
    expect(status).toBe(404);
    expect(body).toEqual({ status: 404, message: expect.any(String) });
  });
});

describe('a one-time token', () => {
  test('buys a certificate for its names, for a day, dated back a minute', async () => {
    const before = Date.now();
    const { chainPem, certificatePem, keyPem } = await sign(['web.shop.svc', '10.0.0.1', 'spiffe://example.org/web']);
    verifyChain(chainPem, [ca.pki.rootPem], new Date());
    expect(isForKey(certificatePem, keyPem)).toBe(true);
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject).toBe('CN=web.shop.svc');
    expect(certificate.subjectAltName).toBe('DNS:web.shop.svc, IP Address:10.0.0.1, URI:spiffe://example.org/web');
    expect(+certificate.validToDate - +certificate.validFromDate).toBe(86_400_000 + 60_000);
    expect(Math.abs(+certificate.validFromDate - (before - 60_000))).toBeLessThan(5_000);
  });

  test('leaves the name of its provisioner in the certificate', async () => {
    const { certificatePem } = await sign(['web.shop.svc']);
    const { extensions } = describeCertificate(certificatePem);
    expect(extensions.find(({ provisioner }) => provisioner)?.provisioner).toMatchObject({
      type: 'JWK',
      name: 'autocert',
      credentialId: ca.signer.kid,
    });
  });

  test('is good for a shorter lifetime, if asked', async () => {
    const certificate = new X509Certificate((await sign(['web.shop.svc'], { duration: 90_000 })).certificatePem);
    expect(+certificate.validToDate - +certificate.validFromDate).toBe(150_000);
  });

  test('is good once', async () => {
    const { csrPem } = await createKeyAndRequest();
    const token = await ca.token(['web.shop.svc']);
    await ca.client.sign({ csrPem, token });
    await expect(ca.client.sign({ csrPem, token })).rejects.toMatchObject(rejected('one-time token: already used'));
  });

  test('is good once, also when it is used many times at once', async () => {
    const { csrPem } = await createKeyAndRequest();
    const token = await ca.token(['web.shop.svc']);
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => ca.client.sign({ csrPem, token })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('is good once, also after a restart of the CA', async () => {
    const { csrPem } = await createKeyAndRequest();
    const token = await ca.token(['web.shop.svc']);
    await ca.client.sign({ csrPem, token });
    await ca.restart();
    await expect(ca.client.sign({ csrPem, token })).rejects.toMatchObject(rejected('already used'));
  });

  test('bound to a request is good for no other', async () => {
    const { csrPem, fingerprint } = await createKeyAndRequest();
    await expect(sign(['web.shop.svc'], { csrFingerprint: fingerprint })).rejects.toMatchObject(
      rejected('bound to another certificate request'),
    );
    await expect(sign(['web.shop.svc'], { csrFingerprint: fingerprint, csr: csrPem })).resolves.toBeDefined();
  });

  test('that has expired is refused', async () => {
    await expect(sign(['web.shop.svc'], { now: new Date(Date.now() - 3_600_000) })).rejects.toMatchObject(
      rejected('one-time token: expired'),
    );
  });

  test.each(['https://evil.example', 'https://127.0.0.1.evil.example', 'https://evil.example/https://127.0.0.1'])(
    'for %s is refused',
    async (caUrl) => {
      await expect(sign(['web.shop.svc'], { caUrl })).rejects.toMatchObject(rejected('is not an address of this CA'));
    },
  );

  test('for a lifetime that the provisioner does not allow is refused', async () => {
    await expect(sign(['web.shop.svc'], { duration: 25 * 3_600_000 })).rejects.toMatchObject(
      rejected("a lifetime of 25h1m is longer than the provisioner's maximum, 24h"),
    );
  });

  test('of a provisioner that the CA does not have is refused', async () => {
    const other = await startTestCa();
    const token = await other.token(['web.shop.svc'], { caUrl: ca.url });
    await other.close();
    const { csrPem } = await createKeyAndRequest();
    await expect(ca.client.sign({ csrPem, token })).rejects.toMatchObject(rejected('no provisioner "autocert"'));
  });
});

describe('a certificate request', () => {
  test('may repeat the names of the token', async () => {
    const csr = requestWithNames({ commonName: 'web.shop.svc', dns: ['web.shop.svc'], ip: ['10.0.0.1'] });
    await expect(sign(['web.shop.svc', '10.0.0.1'], { csr })).resolves.toBeDefined();
  });

  test.each([
    [{ commonName: 'other' }, 'common name "other" is none of the token\'s names'],
    [{ dns: ['web.shop.svc', 'other'] }, 'the request asks for web.shop.svc, other, the token allows web.shop.svc'],
    [{ ip: ['10.0.0.1'] }, 'the request asks for 10.0.0.1, the token allows none of that kind'],
    [{ email: ['a@b.example'] }, 'the request asks for a@b.example'],
    [{ uri: ['spiffe://a/b'] }, 'the request asks for spiffe://a/b'],
  ])('must not have other names: %j', async (names, message) => {
    await expect(sign(['web.shop.svc'], { csr: requestWithNames(names) })).rejects.toMatchObject(rejected(message));
  });

  test('with an RSA key gets a certificate for key encipherment too', async () => {
    const csr = requestWithNames({}, generateKeyPairSync('rsa', { modulusLength: 2048 }));
    const { extensions } = describeCertificate((await sign(['web.shop.svc'], { csr })).certificatePem);
    expect(extensions[0]?.lines).toEqual(['Digital Signature, Key Encipherment']);
  });
});

describe('with its certificate, a client', () => {
  test('gets the same again, for the same key', async () => {
    const client = await identity();
    const renewed = new X509Certificate((await ca.client.renew(client)).certificatePem);
    expect(isForKey(renewed.toString(), client.keyPem)).toBe(true);
    expect(renewed.subjectAltName).toBe('DNS:web.shop.svc');
    expect(renewed.serialNumber).not.toBe(new X509Certificate(client.leaf).serialNumber);
  });

  test('gets the same again, for a new key', async () => {
    const { keyPem, csrPem } = await createKeyAndRequest();
    const { chainPem, certificatePem } = await ca.client.rekey(await identity(), csrPem);
    expect(isForKey(certificatePem, keyPem)).toBe(true);
    verifyChain(chainPem, [ca.pki.rootPem], new Date());
  });

  test('that has expired gets none', async () => {
    const client = await identity();
    time = new Date(Date.now() + 25 * 3_600_000);
    await expect(ca.client.renew(client)).rejects.toMatchObject(rejected('the certificate expired at'));
  });

  test('that was revoked gets none', async () => {
    const client = await identity();
    const serial = `0x${new X509Certificate(client.leaf).serialNumber}`;
    expect((await post('/revoke', { serial, passive: true }, client)).body).toEqual({ status: 'ok' });
    await expect(ca.client.renew(client)).rejects.toMatchObject(rejected('the certificate has been revoked'));
    expect((await post('/revoke', { serial, passive: true }, client)).status).toBe(400);
  });

  test('cannot revoke that of another', async () => {
    const { status, body } = await post('/1.0/revoke', { serial: '1', passive: true }, await identity());
    expect(status).toBe(403);
    expect(body).toMatchObject({
      message: expect.stringMatching(/^the client certificate has serial number \d+, not 1$/),
    });
  });

  test('of another CA with the same names gets none', async () => {
    const other = await startTestCa();
    const { csrPem, keyPem } = await createKeyAndRequest();
    const { chainPem } = await other.client.sign({ csrPem, token: await other.token(['web.shop.svc']) });
    await other.close();
    await expect(ca.client.renew({ certificatePem: chainPem.join(''), keyPem })).rejects.toMatchObject(
      rejected('the client certificate was not issued by this CA'),
    );
  });

  test('missing, gets none', async () => {
    expect(await post('/renew', {})).toMatchObject({
      status: 400,
      body: { message: 'a client certificate is missing' },
    });
    expect(await post('/rekey', { csr: '' })).toMatchObject({ status: 400 });
  });
});

describe('a request that is none is refused, and the CA goes on:', () => {
  const raw = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const { request } = await import('node:https');
    return new Promise<{ status: number; body: string }>((resolve, reject) => {
      const outgoing = request(`${ca.url}${path}`, { method: 'POST', ca: ca.pki.rootPem, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      });
      outgoing.on('error', reject).end(body);
    });
  };

  afterEach(() => ca.client.health());

  test.each([
    ['', 400, 'the body is not JSON'],
    ['{', 400, 'the body is not JSON'],
    ['[]', 400, 'the body has to be a JSON object'],
    ['null', 400, 'the body has to be a JSON object'],
    ['{}', 400, 'csr is missing'],
    ['{"csr":5}', 400, 'csr has to be a text'],
    ['{"csr":"x"}', 400, 'ott is missing'],
    ['{"csr":"x","ott":"y"}', 400, 'certificate request: not PEM (BEGIN CERTIFICATE REQUEST)'],
  ])('POST /sign %j', async (body, status, message) => {
    const answer = await raw('/sign', body, { 'content-type': 'application/json' });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ status, message });
  });

  test('larger than 64 KiB', async () => {
    const answer = await raw('/sign', JSON.stringify({ csr: 'a'.repeat(70_000) }), { 'content-type': 'text/plain' });
    expect(JSON.parse(answer.body)).toMatchObject({ status: 413 });
  });

  test('a token that is none', async () => {
    const { csrPem } = await createKeyAndRequest();
    await expect(ca.client.sign({ csrPem, token: new Secret('nonsense') })).rejects.toMatchObject(
      rejected('one-time token: not a JWT'),
    );
  });

  test.each([
    [{ serial: 'x', passive: true }, 400],
    [{ passive: true }, 400],
    [{ serial: '1' }, 501],
    [{ serial: '1', passive: true, reasonCode: 99 }, 400],
    [{ serial: '1', passive: true }, 400],
  ])('POST /revoke %j', async (body, status) => {
    expect((await post('/revoke', body)).status).toBe(status);
  });
});

test('the CA shows a certificate of its own intermediate, so that its clients need the root alone', async () => {
  const other = await createPki('Other');
  const stranger = new CaClient({ url: ca.url, roots: [other.rootPem] });
  await expect(stranger.health()).rejects.toMatchObject({ code: 'UNTRUSTED' });
  await expect(ca.client.health()).resolves.toBeUndefined();
  stranger.close();
});
