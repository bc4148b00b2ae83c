import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { DEFAULT_CLAIMS } from '../../../runtime/ca/lifetimes.ts';
import { httpsJson } from '../../../runtime/lib/https.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { createPki } from '../../../runtime/pki/pki.ts';
import { CaClient } from '../../../runtime/step-ca/client.ts';
import { isForKey, verifyChain } from '../../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../../runtime/x509/certificate-description.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { postTo, rekey, renew } from '../../support/ca-requests.ts';
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
  options: Parameters<TestCa['token']>[1] & { csr?: string; duration?: number } = {},
) => {
  const { csr, duration, ...mint } = options;
  const own = await createKeyAndRequest();
  const { chainPem } = await ca.client.sign({
    csrPem: csr ?? own.csrPem,
    token: await ca.token(names, mint),
    ...(duration === undefined ? {} : { duration }),
  });
  return { chainPem, certificatePem: chainPem[0] ?? '', keyPem: own.keyPem };
};

const rejected = (message: string, status = 401) => ({
  code: 'CA_REJECTED',
  status,
  message: expect.stringContaining(message),
});

const refusal = (status: number, message: string) => ({
  status,
  body: { status, message: expect.stringContaining(message) },
});

const get = (path: string) => httpsJson({ url: `${ca.url}${path}`, ca: ca.rootPem });

describe('what everybody may ask', () => {
  test('health, roots, federation, provisioners and their encrypted keys', async () => {
    await ca.client.health();
    expect(await ca.client.fetchRoots()).toEqual([ca.rootPem]);
    expect(await ca.client.fetchFederation()).toEqual([ca.rootPem]);
    expect(await ca.client.provisioners()).toEqual(ca.provisioners);
    const [admin] = ca.provisioners;
    const { body } = await get(`/1.0/provisioners/${admin?.key.kid}/encrypted-key`);
    expect(body).toEqual({ key: admin?.encryptedKey });
  });

  test('the root by its fingerprint', async () => {
    expect((await get(`/root/${ca.pki.fingerprint}`)).body).toEqual({ ca: ca.rootPem });
  });

  test.each(['/health', '/1.0/health', '/version', '/1.0/roots', '/roots', '/federation', '/provisioners'])(
    '%s has an answer',
    async (path) => {
      expect([200, 201]).toContain((await get(path)).status);
    },
  );

  test.each(['/root/abc', '/provisioners/abc/encrypted-key', '/nothing'])('%s is not found', async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, body: { status: 404, message: expect.any(String) } });
  });
});

describe('a one-time token', () => {
  test('buys a certificate for its names, for a day, dated back a minute', async () => {
    const before = Date.now();
    const { chainPem, certificatePem, keyPem } = await sign(['web.shop.svc', '10.0.0.1', 'spiffe://example.org/web']);
    verifyChain(chainPem, [ca.rootPem], new Date());
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
      credentialId: ca.provisioners[1]?.key.kid,
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

  test('bound to a request is good for no other', async () => {
    const { csrPem, fingerprint } = await createKeyAndRequest();
    await expect(sign(['web.shop.svc'], { csrFingerprint: fingerprint })).rejects.toMatchObject(
      rejected('bound to another certificate request', 403),
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
      rejected("a lifetime of 25h1m is longer than the provisioner's maximum, 24h", 403),
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
  test('may have names: those of the token are given', async () => {
    const csr = requestWithNames({ commonName: 'other', dns: ['other', 'third'], ip: ['10.0.0.1'] });
    const { subject, subjectAltName } = new X509Certificate((await sign(['web.shop.svc'], { csr })).certificatePem);
    expect({ subject, subjectAltName }).toEqual({ subject: 'CN=web.shop.svc', subjectAltName: 'DNS:web.shop.svc' });
  });

  test('with an RSA key gets a certificate for key encipherment too', async () => {
    const csr = requestWithNames({}, generateKeyPairSync('rsa', { modulusLength: 2048 }));
    const { extensions } = describeCertificate((await sign(['web.shop.svc'], { csr })).certificatePem);
    expect(extensions[0]?.lines).toEqual(['Digital Signature, Key Encipherment']);
  });
});

describe('a name of more than 64 characters', () => {
  const name = `${'n'.repeat(60)}.${'s'.repeat(10)}`;
  const subjectOf = async (by: 'admin' | 'autocert') =>
    new X509Certificate((await sign([name], { by })).certificatePem).subject;

  test('is in the SAN alone, for the provisioner autocert', async () => {
    expect(await subjectOf('autocert')).toBeUndefined();
    expect(await subjectOf('admin')).toBe(`CN=${name}`);
  });
});

describe('a certificate of the provisioner admin', () => {
  test('is renewed, for the same key', async () => {
    const client = await ca.issue(['web.shop.svc'], 'admin');
    const { crt } = (await renew(ca, client)).body as { crt: string };
    const [old, renewed] = [new X509Certificate(client.chainPem[0] ?? ''), new X509Certificate(crt)];
    expect(isForKey(crt, client.keyPem)).toBe(true);
    expect(renewed.subjectAltName).toBe('DNS:web.shop.svc');
    expect(renewed.serialNumber).not.toBe(old.serialNumber);
  });

  test('is renewed, for a new key', async () => {
    const { keyPem, body } = await rekey(ca, await ca.issue(['web.shop.svc'], 'admin'));
    const { certChain } = body as { certChain: string[] };
    expect(isForKey(certChain[0] ?? '', keyPem)).toBe(true);
    verifyChain(certChain, [ca.rootPem], new Date());
  });

  test('that has expired is not renewed', async () => {
    const client = await ca.issue(['web.shop.svc'], 'admin');
    time = new Date(Date.now() + 25 * 3_600_000);
    expect(await renew(ca, client)).toMatchObject(refusal(401, 'the certificate expired at'));
  });
});

describe('no renewal', () => {
  test('of a certificate of the provisioner autocert', async () => {
    const client = await ca.issue(['web.shop.svc']);
    const message = 'provisioner "autocert" does not allow renewals';
    expect(await renew(ca, client)).toMatchObject(refusal(401, message));
    expect(await rekey(ca, client)).toMatchObject(refusal(401, message));
  });

  test('of a certificate of another CA with the same names', async () => {
    const other = await startTestCa();
    const client = await other.issue(['web.shop.svc'], 'admin');
    await other.close();
    expect(await renew(ca, client)).toMatchObject(refusal(401, 'the client certificate was not issued by this CA'));
  });

  test('of nothing', async () => {
    expect(await postTo(ca, '/renew', {})).toMatchObject(refusal(400, 'a client certificate is missing'));
    expect(await postTo(ca, '/rekey', { csr: '' })).toMatchObject(refusal(400, 'a client certificate is missing'));
  });
});

describe('a request that is none is refused, and the CA goes on:', () => {
  const raw = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const { request } = await import('node:https');
    return new Promise<{ status: number; body: string }>((resolve, reject) => {
      const outgoing = request(`${ca.url}${path}`, { method: 'POST', ca: ca.rootPem, headers }, (response) => {
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
    [
      '{"csr":"x","ott":"y"}',
      400,
      'csr is not a PKCS#10 request for a key: it is not one PEM block "CERTIFICATE REQUEST"',
    ],
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
});

test('the CA shows a certificate of its own intermediate, so that its clients need the root alone', async () => {
  const other = await createPki('Other');
  const stranger = new CaClient({ url: ca.url, roots: [other.rootPem] });
  await expect(stranger.health()).rejects.toMatchObject({ code: 'UNTRUSTED' });
  await expect(ca.client.health()).resolves.toBeUndefined();
  stranger.close();
});
