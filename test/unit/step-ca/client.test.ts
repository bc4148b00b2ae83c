import { Secret } from '../../../runtime/lib/secret.ts';
import { CaClient } from '../../../runtime/step-ca/client.ts';
import { isForKey } from '../../../runtime/x509/certificate.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { type FakeCa, startFakeCa } from '../../support/fake-ca.ts';
import { issue } from '../../support/tiny-ca.ts';

let ca: FakeCa;
let client: CaClient;
beforeEach(async () => {
  ca = await startFakeCa();
  client = new CaClient({ url: `${ca.url}/`, roots: [ca.root.certificatePem] });
});
afterEach(async () => {
  client.close();
  await ca[Symbol.asyncDispose]();
});

test('opens as many connections as it may at most, and uses them again', async () => {
  const bounded = new CaClient({ url: ca.url, roots: client.roots, connections: 2 });
  await Promise.all(Array.from({ length: 7 }, () => bounded.health()));
  await Promise.all([bounded.health(), bounded.health()]);
  expect(ca.connections()).toBe(2);
  bounded.close();
});

describe('reading from the CA', () => {
  test('roots and federation are lists of certificates', async () => {
    const federated = issue('Federated Root', { ca: true }).certificatePem;
    ca.routes['/1.0/federation'] = [201, { crts: [ca.root.certificatePem, federated] }];
    expect(await client.fetchRoots()).toEqual([ca.root.certificatePem]);
    expect(await client.fetchFederation()).toEqual([ca.root.certificatePem, federated]);
  });

  test('what is not a list of certificates is refused', async () => {
    ca.routes['/1.0/roots'] = [201, { crts: [42] }];
    await expect(client.fetchRoots()).rejects.toThrow(/at most 100 PEM certificates/);
    ca.routes['/1.0/roots'] = [201, { crts: ['nonsense'] }];
    await expect(client.fetchRoots()).rejects.toThrow(/is not a PEM certificate/);
    ca.routes['/1.0/roots'] = [201, { crts: Array(101).fill(ca.root.certificatePem) }];
    await expect(client.fetchRoots()).rejects.toThrow(/at most 100/);
  });

  test('provisioners are read page by page, the JWK ones kept', async () => {
    const jwk = (name: string) => ({ type: 'JWK', name, key: { kid: name, kty: 'EC' }, encryptedKey: 'a.b.c.d.e' });
    const acme = { type: 'ACME', name: 'acme' };
    ca.routes['/1.0/provisioners'] = ({ path }) =>
      path.endsWith('?cursor=a%20b')
        ? [200, { provisioners: [jwk('autocert'), { type: 'JWK' }] }]
        : [200, { provisioners: [jwk('admin'), acme], nextCursor: 'a b' }];
    expect((await client.provisioners()).map(({ name }) => name)).toEqual(['admin', 'autocert']);
  });

  test('pages without an end are given up', async () => {
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [], nextCursor: 'x' }];
    await expect(client.provisioners()).rejects.toThrow(/an end within 1000 pages/);
  });

  test('health is what the CA says', async () => {
    await client.health();
    ca.routes['/health'] = [200, { status: 'sick' }];
    await expect(client.health()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('certificates', () => {
  const token = new Secret('one.time.token');

  test('sign trades token and request for a chain, leaf first', async () => {
    const { keyPem, csrPem } = await createKeyAndRequest();
    const { chainPem } = await client.sign({ csrPem, token, duration: 5_400_000 });
    expect(isForKey(chainPem[0] ?? '', keyPem)).toBe(true);
    expect(chainPem.slice(1)).toEqual([ca.intermediate.certificatePem]);
    expect(ca.seen.at(-1)?.body).toEqual({ csr: csrPem, ott: 'one.time.token', notAfter: '5400s' });
  });

  test('an answer without certChain, as of an old CA, has the chain in two parts', async () => {
    const leaf = issue('localhost', { issuer: ca.intermediate });
    ca.routes['/1.0/sign'] = [201, { crt: leaf.certificatePem, ca: ca.intermediate.certificatePem }];
    const { chainPem } = await client.sign({ csrPem: 'x', token });
    expect(chainPem).toEqual([leaf.certificatePem, ca.intermediate.certificatePem]);
  });

  test('an answer without a certificate is an error', async () => {
    ca.routes['/1.0/sign'] = [201, {}];
    await expect(client.sign({ csrPem: 'x', token })).rejects.toThrow(/did not answer with a certificate/);
  });

  test('a refusal is CA_REJECTED in the words of the CA; the token is not repeated', async () => {
    ca.routes['/1.0/sign'] = [401, { status: 401, message: 'token already used' }];
    const failure = client.sign({ csrPem: 'x', token });
    await expect(failure).rejects.toMatchObject({ code: 'CA_REJECTED', status: 401 });
    await expect(failure).rejects.toThrow(/answered 401: token already used$/);
    await expect(failure).rejects.not.toThrow(/one\.time\.token/);
  });

  test('how long the CA wants to be left alone is passed on', async () => {
    ca.routes['/1.0/sign'] = [429, { status: 429, message: 'later' }, { 'retry-after': '7' }];
    await expect(client.sign({ csrPem: 'x', token })).rejects.toMatchObject({ status: 429, retryAfterMs: 7000 });
  });

  test.each([429, 500, 502, 503])('status %i means try again', async (status) => {
    ca.routes['/1.0/sign'] = [status, { status, message: 'later' }];
    await expect(client.sign({ csrPem: 'x', token })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('a CA that presents a certificate of another root is UNTRUSTED', async () => {
    const other = new CaClient({ url: ca.url, roots: [issue('Other', { ca: true }).certificatePem] });
    await expect(other.sign({ csrPem: 'x', token })).rejects.toMatchObject({ code: 'UNTRUSTED' });
    expect(ca.seen).toEqual([]);
  });
});
