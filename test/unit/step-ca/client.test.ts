import { CaClient } from '../../../runtime/step-ca/client.ts';
import { fingerprintOf, isForKey } from '../../../runtime/x509/certificate.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
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

describe('bootstrap', () => {
  const bootstrap = (...fingerprints: string[]) => CaClient.bootstrap({ url: ca.url, fingerprints });

  test('pins the root that the fingerprint names', async () => {
    const pinned = await bootstrap(ca.fingerprint);
    expect(pinned.roots).toEqual([ca.root.certificatePem]);
    await pinned.health();
    pinned.close();
  });

  test('a CA without that root is UNTRUSTED, and the error says both possible reasons', async () => {
    const failure = bootstrap('0'.repeat(64));
    await expect(failure).rejects.toMatchObject({ code: 'UNTRUSTED' });
    await expect(failure).rejects.toThrow(
      /has no root certificate with the pinned fingerprint 0{64}: it is another CA/,
    );
  });

  test('a root with another fingerprint than the asked one is UNTRUSTED', async () => {
    const impostor = issue(ca.root.commonName, { ca: true }).certificatePem;
    ca.routes[`/root/${ca.fingerprint}`] = [200, { ca: impostor }];
    const failure = bootstrap(ca.fingerprint);
    await expect(failure).rejects.toMatchObject({ code: 'UNTRUSTED' });
    await expect(failure).rejects.toThrow(`gave a root certificate with the fingerprint ${fingerprintOf(impostor)}`);
  });

  test('during a rotation it pins both roots, or the one that the CA has', async () => {
    const next = issue('Next Root', { ca: true }).certificatePem;
    const fingerprint = fingerprintOf(next);
    expect((await bootstrap(ca.fingerprint, fingerprint)).roots).toEqual([ca.root.certificatePem]);
    ca.routes[`/root/${fingerprint}`] = [200, { ca: next }];
    expect((await bootstrap(ca.fingerprint, fingerprint)).roots).toEqual([ca.root.certificatePem, next]);
  });

  test.each([
    ['no certificate', [200, {}]],
    ['nonsense', [200, { ca: 'nonsense' }]],
    ['not JSON', [200, 'hello']],
    ['an outage', [503, { message: 'starting' }]],
  ] as const)('an answer of %s is an error', async (_, answer) => {
    ca.routes[`/root/${ca.fingerprint}`] = answer;
    await expect(bootstrap(ca.fingerprint)).rejects.toMatchObject({
      code: expect.stringMatching(/UNAVAILABLE|UNTRUSTED/),
    });
  });
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
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [jwk('admin'), acme], nextCursor: 'a b' }];
    ca.routes['/1.0/provisioners?cursor=a%20b'] = [200, { provisioners: [jwk('autocert'), { type: 'JWK' }] }];
    expect((await client.provisioners()).map(({ name }) => name)).toEqual(['admin', 'autocert']);
  });

  test('pages without an end are given up', async () => {
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [], nextCursor: 'x' }];
    ca.routes['/1.0/provisioners?cursor=x'] = [200, { provisioners: [], nextCursor: 'x' }];
    await expect(client.provisioners()).rejects.toThrow(/an end within 1000 pages/);
  });

  test('the encrypted key of a provisioner is a string', async () => {
    ca.routes['/1.0/provisioners/a%2Fb/encrypted-key'] = [200, { key: 'a.b.c.d.e' }];
    expect(await client.encryptedKey('a/b')).toBe('a.b.c.d.e');
    ca.routes['/1.0/provisioners/a%2Fb/encrypted-key'] = [200, {}];
    await expect(client.encryptedKey('a/b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
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
    const { certificatePem, chainPem } = await client.sign({ csrPem, token, duration: 5_400_000 });
    expect(isForKey(certificatePem, keyPem)).toBe(true);
    expect(chainPem).toEqual([certificatePem, ca.intermediate.certificatePem]);
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

  test('renew and rekey prove who asks by the certificate in hand', async () => {
    const inHand = issue('pod.example', { issuer: ca.intermediate });
    const identity = {
      certificatePem: inHand.certificatePem + ca.intermediate.certificatePem,
      keyPem: new Secret(inHand.keyPem),
    };
    const { keyPem, csrPem } = await createKeyAndRequest();
    const { certificatePem } = await client.rekey(identity, csrPem);
    expect(isForKey(certificatePem, keyPem)).toBe(true);
    ca.routes['/1.0/renew'] = ({ client: name }) => [201, name === 'pod.example' ? { crt: certificatePem } : {}];
    expect(await client.renew(identity)).toEqual({ certificatePem, chainPem: [certificatePem] });
  });

  test('a refusal is CA_REJECTED in the words of the CA; the token is not repeated', async () => {
    ca.routes['/1.0/sign'] = [401, { status: 401, message: 'token already used' }];
    const failure = client.sign({ csrPem: 'x', token });
    await expect(failure).rejects.toMatchObject({ code: 'CA_REJECTED', status: 401 });
    await expect(failure).rejects.toThrow(/answered 401: token already used$/);
    await expect(failure).rejects.not.toThrow(/one\.time\.token/);
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
