import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readKeyRequestPem } from '../../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { requestWithNames } from '../../support/certificate-requests.ts';
import {
  ATTESTATION,
  ask,
  csrPem,
  EndpointWorld,
  LABELLED,
  NAMESPACE,
  POD,
  REVIEW,
  setPod,
} from '../../support/endpoint-world.ts';
import { claimOf, policy, runningPod } from '../../support/pods.ts';
import { issue } from '../../support/tiny-ca.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;

describe('a pod that may have what it asks for', () => {
  test('gets a chain for exactly its names and its key, with what the control plane says of its renewal', async () => {
    const world = await EndpointWorld.with(setPod(runningPod({ sans: 'web.shop.svc,api.shop.svc' })));
    const { answer, names, serial, notAfter } = await world.ask();
    const chain = answer.certificate.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
    expect(chain).toHaveLength(2);
    const leaf = new X509Certificate(chain[0] ?? '');
    expect(leaf.subject).toBe('CN=web.shop.svc');
    expect(leaf.subjectAltName).toBe('DNS:web.shop.svc, DNS:api.shop.svc');
    expect(leaf.publicKey.equals(readKeyRequestPem(csrPem, 'csr').publicKey)).toBe(true);
    expect(leaf.validToDate).toEqual(new Date(world.now.getTime() + 24 * HOUR));
    expect({ names, serial, notAfter }).toEqual({
      names: ['web.shop.svc', 'api.shop.svc'],
      serial: leaf.serialNumber,
      notAfter: leaf.validToDate,
    });
    expect(answer.renewal).toMatchObject({
      suggestedWindow: { start: 1 / 2, end: 2 / 3 },
      roots: world.ca.root,
      anchors: world.ca.root,
    });
  });

  test.each<[string, (world: EndpointWorld) => void, number]>([
    ['the default', () => {}, 24 * HOUR],
    ["the pod's wish", setPod(runningPod({ duration: '1h30m' })), 1.5 * HOUR],
    [
      "its namespace's maximum",
      (world) => {
        world.policy = policy({ namespaces: { shop: { maxDuration: '2h' } } });
      },
      2 * HOUR,
    ],
  ])('has its lifetime from the judgement, always: %s', async (_title, change, lifetimeMs) => {
    const world = await EndpointWorld.with(change);
    await world.ask();
    expect(world.ca.signatures).toEqual([{ commonName: 'web.shop.svc', sans: ['web.shop.svc'], lifetimeMs }]);
  });

  test('may have a name too long for a common name: the certificate has it in the SAN alone', async () => {
    const long = `${'a'.repeat(60)}.shop.svc`;
    const { answer, names } = await ask(setPod(runningPod({ name: long })));
    const leaf = new X509Certificate(answer.certificate);
    expect(leaf.subject).toBe('CN=');
    expect(leaf.subjectAltName).toBe(`DNS:${long}`);
    expect(names).toEqual([long]);
  });

  test('has nothing taken from its request but the key', async () => {
    const world = await EndpointWorld.with();
    const more = { names: ['autocert.step.svc'], sans: ['x'], commonName: 'x', duration: '87600h', notAfter: '2035' };
    await world.ask({ csr: csrPem, ...more });
    const lifetimeMs = 24 * HOUR;
    expect(world.ca.signatures).toEqual([{ commonName: 'web.shop.svc', sans: ['web.shop.svc'], lifetimeMs }]);
  });

  test('has its token reviewed for our audience, and is known by it from then on', async () => {
    const world = await EndpointWorld.with();
    const reviews: unknown[] = [];
    world.store.reviews.set(REVIEW, (body) => {
      reviews.push(body);
      return { status: world.review };
    });
    await world.ask();
    expect(reviews).toEqual([
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token: 'service.account.token', audiences: ['autocert.step.sm'] },
      },
    ]);
    expect(world.claims).toEqual([claimOf()]);
  });

  test('counts for the window: where many are issued together, it is wider', async () => {
    const world = await EndpointWorld.with();
    // So short that ten are many.
    world.usualLifetime = SECOND;
    const windows: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      windows.push((await world.ask()).answer.renewal.suggestedWindow.start);
    }
    expect(windows[0]).toBe(1 / 2);
    expect(windows.at(-1)).toBeCloseTo(1 / 3);
  });

  test('renews by the same request with a new key, and is judged as it is then', async () => {
    const world = await EndpointWorld.with();
    const first = await world.ask({ csr: csrPem, starting: true });
    world.store.objects.set(POD, runningPod({ name: 'api.shop.svc' }));
    world.clock += 12 * HOUR;
    const { csrPem: next } = await createKeyAndRequest();
    const second = await world.ask({ csr: next });
    const leaf = new X509Certificate(second.answer.certificate);
    expect(leaf.subjectAltName).toBe('DNS:api.shop.svc');
    expect(leaf.publicKey.equals(new X509Certificate(first.answer.certificate).publicKey)).toBe(false);
    world.store.objects.delete(POD);
    await expect(world.ask({ csr: next })).rejects.toMatchObject({ code: 'GONE' });
  });

  test('has ten certificates at once, then one in two seconds: more would fill the database of the CA', async () => {
    const world = await EndpointWorld.with();
    const results = await Promise.allSettled(Array.from({ length: 100 }, () => world.ask()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(results.at(-1)).toMatchObject({
      reason: { code: 'UNAVAILABLE', status: 429, retryAfterMs: expect.any(Number), reason: 'TooOften' },
    });
    expect(world.ca.signatures).toHaveLength(10);
    world.clock += 2 * SECOND;
    await world.ask();
  });

  test('costs the API server a TokenReview and a read of the pod; the namespace is read once in ten seconds', async () => {
    const world = await EndpointWorld.with();
    await Promise.all(Array.from({ length: 10 }, () => world.ask()));
    const count = (call: string) => world.store.calls.filter((made) => made === call).length;
    expect([count(`POST ${REVIEW}`), count(`GET ${POD}`), count(`GET ${NAMESPACE}`)]).toEqual([10, 10, 1]);
    expect(world.store.calls).toHaveLength(21);
  });
});

describe('a request for a key', () => {
  const rsa = (modulusLength: number) => requestWithNames({}, generateKeyPairSync('rsa', { modulusLength }));
  const ec = (namedCurve: string) => requestWithNames({}, generateKeyPairSync('ec', { namedCurve }));
  /** A request for one's own key, signed by another's. */
  const forged = () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    return requestWithNames({}, { publicKey, privateKey: generateKeyPairSync('ed25519').privateKey });
  };

  test.each<[string, unknown, RegExp]>([
    ['no body', undefined, /the body must be an object such as \{"csr": "<PEM>"\}/],
    ['null', null, /the body must be an object/],
    ['a list', [], /the body must be an object/],
    ['an empty object', {}, /csr must be a string: a certificate request \(PKCS#10\) in PEM/],
    ['a number', { csr: 1 }, /csr must be a string/],
    ['a text', { csr: 'hello' }, /csr is not a PKCS#10 request for a key/],
    ['two requests', { csr: csrPem.repeat(2) }, /csr is not a PKCS#10 request/],
    ['a certificate', { csr: issue('a').certificatePem }, /csr is not a PKCS#10 request/],
    ['a common name', { csr: requestWithNames({ commonName: 'web.shop.svc' }) }, /names come from the pod/],
    ['SANs', { csr: requestWithNames({ dns: ['web.shop.svc'] }) }, /names come from the pod/],
    ['a signature by another key', { csr: forged() }, /its signature is not by its own key/],
    ['an RSA key of 1,024 bits', { csr: rsa(1024) }, /its RSA key has 1024 bits; use 2048 or more/],
    ['a key on a curve of no standing', { csr: ec('secp256k1') }, /curve secp256k1; use P-256/],
    ['a hundred thousand characters', { csr: 'x'.repeat(100_000) }, /it has 100000 characters/],
    ['starting, but not by yes or no', { csr: csrPem, starting: 'yes' }, /starting must be true or false/],
  ])('is none with %s; nobody is asked about it', async (_title, body, message) => {
    const world = await EndpointWorld.with();
    // `undefined` would ask for the default of a parameter.
    const asking = world.service.issue(ATTESTATION, body);
    await expect(asking).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(world.store.calls).toEqual([]);
    expect(world.ca.signatures).toEqual([]);
  });

  test.each([
    ['RSA of 2,048 bits', () => rsa(2048)],
    ['EC P-384', () => ec('P-384')],
    ['Ed25519', () => requestWithNames({}, generateKeyPairSync('ed25519'))],
  ])('may be for %s', async (_title, csr) => {
    await expect(ask(undefined, { csr: csr() })).resolves.toMatchObject({ names: ['web.shop.svc'] });
  });
});

/** Changes what the API server's review says of the caller. */
const user = (change: (user: { username: string; extra: Record<string, unknown> }) => void) => (world: EndpointWorld) =>
  change(world.review?.user as { username: string; extra: Record<string, unknown> });

describe('attestations that prove nothing', () => {
  test.each<[string, (world: EndpointWorld) => void, RegExp]>([
    [
      'a token that the API server refuses, with its reason',
      ({ review }) => Object.assign(review ?? {}, { authenticated: false, error: 'token has expired' }),
      /does not accept the service-account token: token has expired/,
    ],
    [
      'an answer without a status',
      (world) => {
        world.review = undefined;
      },
      /does not accept/,
    ],
    [
      'a token for another audience',
      ({ review }) => Object.assign(review ?? {}, { audiences: ['vault'] }),
      /audience autocert\.step\.sm/,
    ],
    [
      'an API server that checks no audience',
      ({ review }) => Object.assign(review ?? {}, { audiences: undefined }),
      /audience autocert\.step\.sm/,
    ],
    [
      'a token of no service account',
      user((given) => {
        given.username = 'admin';
      }),
      /not bound to a pod/,
    ],
    [
      'a token bound to no pod',
      user((given) => {
        given.extra = {};
      }),
      /not bound to a pod/,
    ],
    ['another service account', setPod(runningPod({}, { spec: { serviceAccountName: 'db' } })), /and web asks$/],
    [
      'the mirror of a static pod',
      setPod(runningPod({}, { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } })),
      /mirror of a static pod/,
    ],
  ])('%s is UNAUTHENTICATED', async (_title, change, message) => {
    const world = await EndpointWorld.with(change);
    await expect(world.ask()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringMatching(message),
    });
    expect(world.ca.signatures).toEqual([]);
  });

  test('nobody is known before that is proven', async () => {
    const world = await EndpointWorld.with(({ review }) => Object.assign(review ?? {}, { authenticated: false }));
    await world.ask().catch(() => {});
    expect(world.claims).toEqual([]);
  });
});

describe('pods that are no more', () => {
  test.each<[string, (world: EndpointWorld) => void, RegExp]>([
    ['deleted', ({ store }) => void store.objects.delete(POD), /pod shop\/web-0 does not exist any more/],
    [
      'being deleted',
      setPod(runningPod({}, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } })),
      /is being deleted/,
    ],
    ['replaced by one of the same name', setPod(runningPod({}, { metadata: { uid: 'uid-2' } })), /is another one/],
    ['finished', setPod(runningPod({}, { status: { phase: 'Succeeded' } })), /has ended/],
    [
      'another than the one that asks',
      user(({ extra }) => {
        extra['authentication.kubernetes.io/pod-name'] = ['db-0'];
      }),
      /pod shop\/db-0 does not exist/,
    ],
  ])('%s: the agent is told that it is over', async (_title, change, message) => {
    const world = await EndpointWorld.with(change);
    await expect(world.ask()).rejects.toMatchObject({ code: 'GONE', message: expect.stringMatching(message) });
    expect(world.ca.signatures).toEqual([]);
  });
});

describe('pods that may not, as things are now', () => {
  test.each<[string, (world: EndpointWorld) => void, string, RegExp]>([
    [
      'in a namespace without the label',
      ({ store }) => void store.objects.set(NAMESPACE, { metadata: {} }),
      'NamespaceNotEnabled',
      /namespace shop is not labelled autocert\.step\.sm=enabled/,
    ],
    [
      'in a namespace that is gone',
      ({ store }) => void store.objects.delete(NAMESPACE),
      'NamespaceNotEnabled',
      /is not labelled/,
    ],
    [
      'in an excluded namespace, although it is labelled',
      (world) => {
        world.policy = policy({ excludedNamespaces: ['shop'] });
      },
      'NamespaceExcluded',
      /namespace shop is excluded/,
    ],
    ['that ask for nothing', setPod(runningPod({ name: '' })), 'NoName', /has no annotation autocert\.step\.sm\/name/],
    [
      'whose annotations were changed to a name that is not theirs',
      setPod(runningPod({ sans: 'pay.bank.svc' })),
      'NotAllowed',
      /"pay\.bank\.svc" is not a name that pods of namespace "shop" may have/,
    ],
  ])('%s: FORBIDDEN, with the reason', async (_title, change, reason, message) => {
    const world = await EndpointWorld.with(change);
    const refusal = { code: 'FORBIDDEN', reason, message: expect.stringMatching(message) };
    await expect(world.ask()).rejects.toMatchObject(refusal);
    expect(world.ca.signatures).toEqual([]);
  });

  test('a label taken off is noticed within ten seconds, put back it is as good as ever', async () => {
    const world = await EndpointWorld.with();
    await world.ask();
    world.store.objects.set(NAMESPACE, { metadata: { labels: {} } });
    world.clock += 10 * SECOND;
    await expect(world.ask()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    world.store.objects.set(NAMESPACE, LABELLED);
    world.clock += 10 * SECOND;
    await expect(world.ask()).resolves.toMatchObject({ names: ['web.shop.svc'] });
  });

  test('another label counts from the moment the configuration has it: pods of the label before get nothing', async () => {
    const world = await EndpointWorld.with();
    await world.ask();
    world.policy = policy({ namespaceLabel: { key: 'tls.example.com', value: 'on' } });
    const message = expect.stringMatching(/namespace shop is not labelled tls\.example\.com=on$/);
    await expect(world.ask()).rejects.toMatchObject({ code: 'FORBIDDEN', reason: 'NamespaceNotEnabled', message });
    world.store.objects.set(NAMESPACE, { metadata: { labels: { 'tls.example.com': 'on' } } });
    world.clock += 10 * SECOND;
    await expect(world.ask()).resolves.toMatchObject({ names: ['web.shop.svc'] });
  });

  test('a policy counts from the moment it changes', async () => {
    const world = await EndpointWorld.with(setPod(runningPod({ name: 'www.example.com' })));
    await expect(world.ask()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    world.policy = policy({ namespaces: { shop: { allowedNames: ['*.example.com'] } } });
    await expect(world.ask()).resolves.toMatchObject({ names: ['www.example.com'] });
    world.policy = policy();
    await expect(world.ask()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
