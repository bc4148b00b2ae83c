import { decodeJwt } from 'jose';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { createProvisioner, TokenSigner } from '../../../runtime/step-ca/one-time-token.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { createTokenEndpoint, grantBody } from '../../../runtime/webhook/token-endpoint.ts';
import { annotations } from '../../support/pods.ts';
import { webhookConfig } from '../../support/reviews.ts';

const ATTESTATION = new Secret('service.account.token');
const notFound = () => apiError(404, 'NotFound', 'not found');

/** The API server's answers, as they are for a pod that may have what it asks for. */
function cluster() {
  return {
    review: {
      authenticated: true,
      audiences: ['autocert.step.sm'],
      user: {
        username: 'system:serviceaccount:shop:web',
        extra: {
          'authentication.kubernetes.io/pod-name': ['web-0'],
          'authentication.kubernetes.io/pod-uid': ['uid-1'],
        },
      },
    } as Record<string, unknown>,
    pod: {
      metadata: {
        uid: 'uid-1',
        annotations: annotations({ name: 'web.shop.svc', sans: 'web.shop.svc,web.shop' }),
      } as Record<string, unknown>,
      spec: { containers: [], serviceAccountName: 'web' } as Record<string, unknown>,
    },
    labels: { 'autocert.step.sm': 'enabled' } as Record<string, string>,
    /** Thrown instead of an answer, by path. */
    failures: new Map<string, Error>(),
    seen: [] as { path: string; body?: unknown }[],
    now: 0,
  };
}
type Cluster = ReturnType<typeof cluster>;

const POD_PATH = '/api/v1/namespaces/shop/pods/web-0';
const NAMESPACE_PATH = '/api/v1/namespaces/shop';
const REVIEW_PATH = '/apis/authentication.k8s.io/v1/tokenreviews';

const password = new Secret('a password');
const signer = createProvisioner('autocert', password).then((provisioner) => TokenSigner.open(provisioner, password));

async function endpointOf(world: Cluster, { open = true } = {}) {
  const opened = await signer;
  const answer = (path: string, body?: unknown): unknown => {
    world.seen.push(body === undefined ? { path } : { path, body });
    const failure = world.failures.get(path);
    if (failure) throw failure;
    const answers: Record<string, unknown> = {
      [REVIEW_PATH]: { status: world.review },
      [POD_PATH]: world.pod,
      [NAMESPACE_PATH]: { metadata: { labels: world.labels } },
    };
    if (!(path in answers)) throw notFound();
    return answers[path];
  };
  return createTokenEndpoint(webhookConfig(), {
    api: {
      get: async <T>(path: string) => answer(path) as T,
      create: async <T>(path: string, body: unknown) => answer(path, body) as T,
    },
    issuer: () => (open ? { signer: opened, rootFingerprint: 'ab'.repeat(32) } : undefined),
    now: () => world.now,
  });
}

/** The endpoint's answer in a cluster that differs from a good one by `change`. */
async function ask(change: (world: Cluster) => void = () => {}, body?: unknown, options = {}) {
  const world = cluster();
  change(world);
  return (await endpointOf(world, options))(ATTESTATION, body);
}

describe('a pod that may have what it asks for', () => {
  test('gets a token for exactly its names, good for five minutes at this CA', async () => {
    const grant = await ask();
    expect(grantBody(grant)).toEqual({
      token: expect.any(String),
      commonName: 'web.shop.svc',
      sans: ['web.shop.svc', 'web.shop'],
    });
    const claims = decodeJwt(grant.token.reveal());
    expect(claims).toMatchObject({
      iss: 'autocert',
      sub: 'web.shop.svc',
      sans: ['web.shop.svc', 'web.shop'],
      aud: 'https://ca.step.svc/1.0/sign',
      sha: 'ab'.repeat(32),
    });
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
    expect(claims).not.toHaveProperty('cnf');
  });

  test('gets a token bound to its certificate request', async () => {
    const { csrPem, fingerprint } = await createKeyAndRequest();
    const { token } = await ask(undefined, { csr: csrPem });
    expect(decodeJwt(token.reveal())).toMatchObject({ cnf: { 'x5rt#S256': fingerprint } });
  });

  test('is told its lifetime if it has one of its own', async () => {
    const grant = await ask(({ pod }) => {
      pod.metadata.annotations = annotations({ name: 'web.shop.svc', duration: '1h30m' });
    });
    expect(grantBody(grant)).toMatchObject({ duration: '1h30m' });
  });

  test('has its token reviewed for our audience', async () => {
    const world = cluster();
    await (await endpointOf(world))(ATTESTATION, undefined);
    expect(world.seen[0]).toEqual({
      path: REVIEW_PATH,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token: 'service.account.token', audiences: ['autocert.step.sm'] },
      },
    });
  });

  test('no two tokens are the same', async () => {
    const ids = await Promise.all([ask(), ask()]);
    expect(new Set(ids.map(({ token }) => decodeJwt(token.reveal()).jti)).size).toBe(2);
  });

  test('is asked about its namespace once in ten seconds', async () => {
    const world = cluster();
    const endpoint = await endpointOf(world);
    const asked = () => world.seen.filter(({ path }) => path === NAMESPACE_PATH).length;
    await Promise.all([endpoint(ATTESTATION, undefined), endpoint(ATTESTATION, undefined)]);
    expect(asked()).toBe(1);
    world.now = 10_001;
    world.labels = {};
    await expect(endpoint(ATTESTATION, undefined)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(asked()).toBe(2);
  });
});

/** Changes what the API server's review says of the caller. */
const user = (change: (user: { username: string; extra: Record<string, unknown> }) => void) => (world: Cluster) =>
  change(world.review.user as { username: string; extra: Record<string, unknown> });

describe('attestations that prove nothing', () => {
  test.each<[string, (world: Cluster) => void, RegExp]>([
    [
      'a token that the API server refuses, with its reason',
      ({ review }) => Object.assign(review, { authenticated: false, error: 'service account token has expired' }),
      /does not accept the service-account token: service account token has expired/,
    ],
    ['an answer without a status', (world) => Object.assign(world, { review: undefined }), /does not accept/],
    [
      'a token for another audience',
      ({ review }) => Object.assign(review, { audiences: ['vault'] }),
      /audience autocert\.step\.sm/,
    ],
    ['an API server that checks no audience', ({ review }) => delete review.audiences, /audience autocert\.step\.sm/],
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
    [
      'another service account',
      ({ pod }) => {
        pod.spec.serviceAccountName = 'other';
      },
      /does not run as service account web/,
    ],
  ])('%s is 401', async (_title, change, message) => {
    await expect(ask(change)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['', /send a service-account token as Bearer/],
    ['x'.repeat(9000), /send a service-account token/],
  ])('no token, or one too long, is not even reviewed', async (token, message) => {
    const world = cluster();
    const asking = (await endpointOf(world))(new Secret(token), undefined);
    await expect(asking).rejects.toThrow(message);
    expect(world.seen).toEqual([]);
  });
});

describe('pods that are no more', () => {
  test.each<[string, (world: Cluster) => void, RegExp]>([
    ['deleted', ({ failures }) => failures.set(POD_PATH, notFound()), /pod shop\/web-0 does not exist any more/],
    [
      'being deleted',
      ({ pod }) => {
        pod.metadata.deletionTimestamp = 'now';
      },
      /is being deleted/,
    ],
    [
      'replaced by one of the same name',
      ({ pod }) => {
        pod.metadata.uid = 'uid-2';
      },
      /of an earlier pod shop\/web-0/,
    ],
    [
      'another than the one that asks',
      user(({ extra }) => {
        extra['authentication.kubernetes.io/pod-name'] = ['db-0'];
      }),
      /pod shop\/db-0 does not exist/,
    ],
  ])('%s: the agent is told that it is over', async (_title, change, message) => {
    await expect(ask(change)).rejects.toMatchObject({ code: 'GONE', message: expect.stringMatching(message) });
  });
});

describe('pods that may not', () => {
  test.each<[string, (world: Cluster) => void, RegExp]>([
    [
      'in a namespace without the label',
      (world) => {
        world.labels = {};
      },
      /namespace shop is not labelled autocert\.step\.sm=enabled/,
    ],
    ['in a namespace that is gone', ({ failures }) => failures.set(NAMESPACE_PATH, notFound()), /is not labelled/],
    [
      'that ask for nothing',
      ({ pod }) => {
        pod.metadata.annotations = null;
      },
      /asks for no certificate/,
    ],
    [
      'whose annotations were changed to a name that is not theirs',
      ({ pod }) => {
        pod.metadata.annotations = annotations({ name: 'web.shop.svc', sans: 'autocert.step.svc' });
      },
      /"autocert\.step\.svc" is not a name that pods of namespace "shop" may have/,
    ],
  ])('%s: 403', async (_title, change, message) => {
    await expect(ask(change)).rejects.toMatchObject({ code: 'FORBIDDEN', message: expect.stringMatching(message) });
  });
});

describe('what the endpoint depends on', () => {
  test.each([REVIEW_PATH, POD_PATH, NAMESPACE_PATH])(
    'no answer for %s is UNAVAILABLE, and tried again works',
    async (path) => {
      const world = cluster();
      const endpoint = await endpointOf(world);
      for (const failure of [
        new AutocertError('UNAVAILABLE', 'no connection'),
        apiError(403, 'Forbidden', 'RBAC'),
      ]) {
        world.failures.set(path, failure);
        await expect(endpoint(ATTESTATION, undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      }
      world.failures.clear();
      await expect(endpoint(ATTESTATION, undefined)).resolves.toBeDefined();
    },
  );

  test('before the provisioner is open it is UNAVAILABLE, and the API server is left in peace', async () => {
    const world = cluster();
    const endpoint = await endpointOf(world, { open: false });
    await expect(endpoint(ATTESTATION, undefined)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('the CA has not been reached yet'),
    });
    expect(world.seen).toEqual([]);
  });
});

describe('certificate requests', () => {
  const pem = (der: Buffer) =>
    `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;

  test.each<[string, unknown, RegExp]>([
    ['a list', [], /the body must be an object/],
    ['a number', { csr: 1 }, /csr must be a text/],
    ['a text', { csr: 'hello' }, /csr must be one PEM "CERTIFICATE REQUEST"/],
    ['a certificate', { csr: pem(Buffer.of(0x30, 0)).replaceAll(' REQUEST', '') }, /one PEM "CERTIFICATE REQUEST"/],
    ['two requests', { csr: pem(Buffer.of(0x30, 0)).repeat(2) }, /one PEM "CERTIFICATE REQUEST"/],
    ['broken base64', { csr: pem(Buffer.of(0x30, 0)).replace('MAA=', 'MA=A') }, /one PEM "CERTIFICATE REQUEST"/],
    ['no DER', { csr: pem(Buffer.from('hello')) }, /no DER certificate request/],
    ['DER that is cut off', { csr: pem(Buffer.of(0x30, 0x82, 1, 0, 0)) }, /no DER certificate request/],
    ['DER with more behind it', { csr: pem(Buffer.of(0x30, 0, 0)) }, /no DER certificate request/],
    ['too much', { csr: 'x'.repeat(8193) }, /csr has 8193 characters, more than 8192/],
  ])('%s is none', async (_title, body, message) => {
    await expect(ask(undefined, body)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    });
  });

  test('an empty body or object asks for a token that is not bound', async () => {
    for (const body of [undefined, null, {}]) await expect(ask(undefined, body)).resolves.toBeDefined();
  });
});
