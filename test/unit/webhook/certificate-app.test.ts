import { CertificatePath, type FailureReport, type RenewalInfo } from '../../../runtime/contract.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { createMetrics } from '../../../runtime/lib/metrics.ts';
import type { Claim } from '../../../runtime/policy/judgement.ts';
import { buildCertificateApp, type CertificateAppDeps } from '../../../runtime/webhook/certificate-app.ts';
import type { CertificateEndpoint } from '../../../runtime/webhook/certificate-endpoint.ts';
import { tokenOf } from '../../../scripts/cluster/attestation-token.ts';
import { keptLog } from '../../support/logs.ts';
import { claimOf } from '../../support/pods.ts';

const INFO: RenewalInfo = {
  suggestedWindow: { start: 1 / 2, end: 2 / 3 },
  roots: 'ROOT\n',
  anchors: 'ROOT\n',
  askAgainSeconds: 240,
};
const ISSUED = {
  answer: { certificate: 'LEAF\nINTERMEDIATE\n', renewal: INFO },
  names: ['web.shop.svc'],
  serial: '0A',
  notAfter: new Date('2030-01-01T00:00:00Z'),
  purpose: 'renewal' as const,
};
const REPORT: FailureReport = { reason: 'no answer', since: '2029-12-31T00:00:00Z' };
const TOKEN = tokenOf();
const log = keptLog();
const { lines } = log;
beforeEach(() => lines.splice(0));

const issuing: CertificateEndpoint = async (_attestation, _body, onClaim) => {
  onClaim?.(claimOf());
  return ISSUED;
};
const refusing =
  (error: unknown): CertificateEndpoint =>
  async (_attestation, _body, onClaim) => {
    onClaim?.(claimOf());
    throw error;
  };

function appWith(issue: CertificateEndpoint = issuing, overrides: Partial<CertificateAppDeps> = {}) {
  return buildCertificateApp({
    certificates: { issue, comeBackAfter: (starting) => (starting ? 2_000 : 7_400) },
    renewal: () => INFO,
    onIssue: () => {},
    onRefusal: () => {},
    reports: { take: async () => ({ claim: claimOf(), report: REPORT }) },
    metrics: createMetrics(),
    log,
    ...overrides,
  });
}
type App = ReturnType<typeof appWith>;

const ask = (app: App, request: { readonly headers?: Record<string, string>; readonly payload?: string } = {}) =>
  app.inject({
    method: 'POST',
    url: CertificatePath.certificate,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    payload: '{"csr": "PEM"}',
    ...request,
  });

describe('POST /certificate', () => {
  test('answers chain and renewal; nobody keeps the answer', async () => {
    const reply = await ask(appWith());
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(reply.json()).toEqual(ISSUED.answer);
  });

  test('passes on the body and the token', async () => {
    const seen: unknown[] = [];
    const app = appWith((attestation, body, onClaim) => {
      seen.push(attestation.token.reveal(), attestation.namespace, body);
      return issuing(attestation, body, onClaim);
    });
    await ask(app, { headers: { 'content-type': 'application/json', authorization: `bearer ${TOKEN}` } });
    expect(seen).toEqual([TOKEN, 'shop', { csr: 'PEM' }]);
  });

  const now = Math.floor(Date.now() / 1000);
  test.each<[string, string | undefined]>([
    ['none', undefined],
    ['another scheme', `Basic ${TOKEN}`],
    ['two words', `Bearer ${TOKEN} ${TOKEN}`],
    ['nothing behind the scheme', 'Bearer '],
    ['garbage', 'Bearer garbage'],
    ['garbage in three parts', 'Bearer a.b.c'],
    ['JSON that is no object', `Bearer a.${Buffer.from('[[[1]]]').toString('base64url')}.c`],
    ['nine thousand characters', `Bearer ${tokenOf({}, 'x'.repeat(9000))}`],
    ['another audience', `Bearer ${tokenOf({ aud: ['https://kubernetes.default.svc'] })}`],
    ['no audience', `Bearer ${tokenOf({ aud: undefined })}`],
    ['a token of yesterday', `Bearer ${tokenOf({ exp: now - 86_400 })}`],
    ['one that never expires', `Bearer ${tokenOf({ exp: undefined })}`],
    ['one of no pod', `Bearer ${tokenOf({ 'kubernetes.io': { namespace: 'shop' } })}`],
    ['one of no namespace', `Bearer ${tokenOf({ 'kubernetes.io': { pod: { name: 'web-0' } } })}`],
  ])('as token %s is 401, and no question to the API server', async (_title, authorization) => {
    let asked = 0;
    const app = appWith((...args) => {
      asked += 1;
      return issuing(...args);
    });
    const headers = { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) };
    const reply = await ask(app, { headers });
    expect(reply.statusCode).toBe(401);
    expect(reply.json().error.code).toBe('UNAUTHENTICATED');
    expect(asked).toBe(0);
  });

  test('takes an audience that is no list, and a clock that is some minutes ahead of the API server', async () => {
    const authorization = `Bearer ${tokenOf({ aud: 'autocert.step.sm', exp: now - 200 })}`;
    const reply = await ask(appWith(), { headers: { 'content-type': 'application/json', authorization } });
    expect(reply.statusCode).toBe(200);
  });

  test('logs who got what, in one line, and no secret', async () => {
    await ask(appWith());
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'certificate issued',
        fields: {
          result: 'issued',
          namespace: 'shop',
          pod: 'web-0',
          podUid: 'uid-1',
          serviceAccount: 'web',
          names: ['web.shop.svc'],
          serial: '0A',
          notAfter: '2030-01-01T00:00:00.000Z',
          delivery: 'sidecar',
          purpose: 'renewal',
          ms: expect.any(Number),
        },
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
    expect(JSON.stringify(lines)).not.toContain('PEM');
  });

  test.each([
    ['INVALID_INPUT', 400],
    ['UNAUTHENTICATED', 401],
    ['FORBIDDEN', 403],
    ['GONE', 410],
    ['CA_REJECTED', 502],
    ['UNAVAILABLE', 503],
    ['UNTRUSTED', 503],
    ['INVALID_CONFIG', 503],
  ] as const)('%s is %d, with the message', async (code, status) => {
    const reply = await ask(appWith(refusing(new AutocertError(code, 'because'))));
    expect(reply.statusCode).toBe(status);
    expect(reply.json()).toEqual({ error: { code, message: 'because' } });
    expect(lines).toMatchObject([
      { level: 'warn', fields: { namespace: 'shop', pod: 'web-0', result: code, reason: 'because' } },
    ]);
  });

  test.each([
    [0, '1'],
    [1, '1'],
    [6_250, '7'],
    [300_000, '300'],
  ])('%d ms until the caller is to come back are %s s of Retry-After', async (retryAfterMs, header) => {
    const reply = await ask(appWith(refusing(new AutocertError('UNAVAILABLE', 'later', { retryAfterMs }))));
    expect(reply.headers['retry-after']).toBe(header);
  });

  test('what waiting does not help has no Retry-After', async () => {
    for (const code of ['INVALID_INPUT', 'UNAUTHENTICATED', 'FORBIDDEN', 'GONE'] as const) {
      const reply = await ask(appWith(refusing(new AutocertError(code, 'no'))));
      expect(reply.headers).not.toHaveProperty('retry-after');
    }
  });

  test('the status of a peer is not the status of the answer', async () => {
    const reply = await ask(appWith(refusing(new AutocertError('CA_REJECTED', 'no', { status: 404 }))));
    expect(reply.statusCode).toBe(502);
  });

  test.each<[string, unknown, number]>([
    ['a fault in the program', new TypeError('cannot read /etc/autocert/password'), 500],
    ['what is no error', 'password', 500],
    ['nothing at all', undefined, 500],
    ['a cause', new AutocertError('UNAVAILABLE', 'later', { cause: new Error('User "autocert": password') }), 503],
  ])('%s stays inside: the log has it, the answer does not', async (_title, thrown, status) => {
    const reply = await ask(appWith(refusing(thrown)));
    expect(reply.statusCode).toBe(status);
    expect(reply.json()).toEqual({
      error: { code: 'UNAVAILABLE', message: expect.stringMatching(/^(internal error|later)$/) },
    });
    expect(lines).toHaveLength(1);
    if (thrown !== undefined) expect(JSON.stringify(lines)).toContain('password');
  });

  test('a message is bounded', async () => {
    const reply = await ask(appWith(refusing(new AutocertError('CA_REJECTED', 'x'.repeat(1_000_000)))));
    expect(reply.body.length).toBeLessThan(5_000);
    expect(JSON.stringify(lines).length).toBeLessThan(5_000);
  });

  test('metrics count what is issued by its purpose, and what is not by its reason; all are timed', async () => {
    const metrics = createMetrics();
    const outcomes = [
      issuing,
      refusing(new AutocertError('FORBIDDEN', 'no', { reason: 'NotAllowed' })),
      refusing(new AutocertError('UNAUTHENTICATED', 'who?')),
      refusing(new AutocertError('UNAVAILABLE', 'later')),
      refusing(new TypeError('oh')),
    ];
    const app = appWith((...args) => (outcomes.shift() ?? issuing)(...args), { metrics });
    for (let turn = 0; turn < 6; turn += 1) await ask(app);
    const rendered = await metrics.render();
    for (const line of [
      'issued_total{delivery="sidecar",purpose="renewal"} 2',
      'issued_total{delivery="sidecar",purpose="starting"} 0',
      'refused_total{delivery="sidecar",reason="NotAllowed"} 1',
      'refused_total{delivery="sidecar",reason="Unauthenticated"} 1',
      'failed_total{delivery="sidecar",reason="Unavailable"} 1',
      'failed_total{delivery="sidecar",reason="Other"} 1',
    ]) {
      expect(rendered).toContain(`autocert_certificates_${line}\n`);
    }
    for (const [result, count] of Object.entries({ issued: 2, refused: 2, failed: 2 })) {
      expect(rendered).toContain(`autocert_certificate_request_duration_seconds_count{result="${result}"} ${count}`);
    }
  });

  test('whoever wants to know learns which pod got what', async () => {
    const seen: unknown[] = [];
    await ask(appWith(issuing, { onIssue: (...args) => seen.push(args) }));
    const { answer: _, ...issuance } = ISSUED;
    expect(seen).toEqual([[claimOf(), issuance]]);
  });
});

describe('the owner of a pod', () => {
  const toldOf = async (issue: CertificateEndpoint) => {
    const told: [Claim, string][] = [];
    await ask(appWith(issue, { onRefusal: (claim, error) => void told.push([claim, error.code]) }));
    return told;
  };

  test.each(['FORBIDDEN', 'UNAUTHENTICATED', 'CA_REJECTED'] as const)('is told of %s', async (code) => {
    expect(await toldOf(refusing(new AutocertError(code, 'no')))).toEqual([[claimOf(), code]]);
  });

  test.each(['GONE', 'UNAVAILABLE'] as const)(
    'is not told of %s: there is nothing to be done about it',
    async (code) => {
      expect(await toldOf(refusing(new AutocertError(code, 'no')))).toEqual([]);
      expect(await toldOf(refusing(new TypeError('oh')))).toEqual([]);
    },
  );

  test('is not told of what somebody unknown has asked', async () => {
    const unknown: CertificateEndpoint = async () => {
      throw new AutocertError('UNAUTHENTICATED', 'no');
    };
    expect(await toldOf(unknown)).toEqual([]);
    expect(await toldOf(issuing)).toEqual([]);
  });
});

describe('more requests than are worked on at once', () => {
  test('are sent away, not queued, each for a time of its own, and counted by nobody afterwards', async () => {
    const gate = Promise.withResolvers<void>();
    let entered = 0;
    const full = Promise.withResolvers<void>();
    const waiting: CertificateEndpoint = async (...args) => {
      entered += 1;
      if (entered === 2) full.resolve();
      await gate.promise;
      return issuing(...args);
    };
    // One address gets half of the places.
    const app = appWith(waiting, { maxUnderWay: 4 });
    const working = [ask(app), ask(app)];
    await full.promise;
    const [renewing, starting] = [await ask(app), await ask(app, { payload: '{"csr": "PEM", "starting": true}' })];
    for (const reply of [renewing, starting]) {
      expect(reply.statusCode).toBe(429);
      expect(reply.json().error.code).toBe('UNAVAILABLE');
    }
    expect([renewing.headers['retry-after'], starting.headers['retry-after']]).toEqual(['8', '2']);
    expect(entered).toBe(2);
    gate.resolve();
    for (const reply of await Promise.all(working)) expect(reply.statusCode).toBe(200);
    expect((await ask(app)).statusCode).toBe(200);
  });
});

describe('a flood', () => {
  /** Requests from an address, of a pod of a namespace; nobody is answered before the gate opens. */
  function flooded(maxUnderWay: number) {
    const gate = Promise.withResolvers<void>();
    let entered = 0;
    const app = appWith(
      async (...args) => {
        entered += 1;
        await gate.promise;
        return issuing(...args);
      },
      { maxUnderWay },
    );
    const ask = (remoteAddress: string, namespace: string) => {
      const bound = { namespace, pod: { name: 'p', uid: 'u' } };
      const authorization = `Bearer ${tokenOf({ 'kubernetes.io': bound })}`;
      const headers = { authorization, 'content-type': 'application/json' };
      const request = { method: 'POST', url: CertificatePath.certificate, headers, payload: '{}' } as const;
      return app.inject({ ...request, remoteAddress });
    };
    return { ask, open: gate.resolve, entered: () => entered };
  }
  const statuses = async (asking: readonly Promise<{ readonly statusCode: number }>[]) =>
    (await Promise.all(asking)).map(({ statusCode }) => statusCode);
  const count = (all: readonly number[], status: number) => all.filter((one) => one === status).length;

  test('of one namespace, from many addresses, leaves places for the others', async () => {
    const { ask, open, entered } = flooded(64);
    const flood = Array.from({ length: 200 }, (_, index) => ask(`10.0.0.${index}`, 'flood'));
    while (entered() < 32) await new Promise(setImmediate);
    const others = Array.from({ length: 8 }, (_, index) => ask('10.0.1.1', `shop-${index}`));
    while (entered() < 40) await new Promise(setImmediate);
    open();
    expect(await statuses(others)).toEqual(Array(8).fill(200));
    const all = await statuses(flood);
    expect([count(all, 200), count(all, 429)]).toEqual([32, 168]);
  });

  test('of one address, in the name of many namespaces, leaves places for the others', async () => {
    const { ask, open, entered } = flooded(64);
    const flood = Array.from({ length: 200 }, (_, index) => ask('10.0.0.1', `shop-${index}`));
    while (entered() < 32) await new Promise(setImmediate);
    const other = ask('10.0.0.2', 'shop-0');
    while (entered() < 33) await new Promise(setImmediate);
    open();
    expect((await other).statusCode).toBe(200);
    expect(count(await statuses(flood), 429)).toBe(168);
  });

  test('of tokens that look good and are not costs twenty TokenReviews, then one a second', async () => {
    let [reviews, clock] = [0, 0];
    const unknown: CertificateEndpoint = async () => {
      reviews += 1;
      throw new AutocertError('UNAUTHENTICATED', 'who?');
    };
    const app = appWith(unknown, { monotonic: () => clock });
    const flood = async () => {
      const all: number[] = [];
      for (let turn = 0; turn < 100; turn += 1) all.push((await ask(app)).statusCode);
      return all;
    };
    expect(count(await flood(), 429)).toBe(80);
    clock += 1000;
    expect(count(await flood(), 429)).toBe(99);
    expect(reviews).toBe(21);
  });

  test('makes so many lines in the log and no more', async () => {
    const app = appWith(issuing, { monotonic: () => 0 });
    for (let turn = 0; turn < 600; turn += 1) await ask(app, { headers: { 'content-type': 'application/json' } });
    expect(lines).toHaveLength(500);
  });

  test('of admissions comes first: issuance is put off while the process has no time', async () => {
    let isBusy = true;
    const app = appWith(issuing, { isBusy: () => isBusy });
    const reply = await ask(app);
    expect([reply.statusCode, reply.headers['retry-after']]).toEqual([429, '8']);
    isBusy = false;
    expect((await ask(app)).statusCode).toBe(200);
  });

  test('of questions without a token is 429 with the time to come back', async () => {
    const app = appWith(issuing, { monotonic: () => 0 });
    const question = (remoteAddress: string) => app.inject({ url: '/renewal-info?namespace=shop', remoteAddress });
    const all = [];
    for (let turn = 0; turn < 250; turn += 1) all.push(await question('10.0.0.1'));
    expect(count(await statuses(all.map(async (one) => one)), 200)).toBe(200);
    expect(all.at(-1)?.headers['retry-after']).toBeDefined();
    expect((await question('10.0.0.2')).statusCode).toBe(200);
  });
});

describe('bounds', () => {
  test('a body over 16 KiB is 413, whoever sends it', async () => {
    const reply = await ask(appWith(), { payload: JSON.stringify({ csr: 'x'.repeat(17_000) }) });
    expect(reply.statusCode).toBe(413);
    expect(reply.json()).toEqual({
      error: { code: 'INVALID_INPUT', message: 'the body is larger than this path takes' },
    });
  });

  test.each(['text/plain', 'application/x-pem-file', 'application/x-www-form-urlencoded'])(
    'content-type %s is 415',
    async (type) => {
      const reply = await ask(appWith(), { headers: { 'content-type': type } });
      expect(reply.statusCode).toBe(415);
      expect(reply.json().error.message).toBe(`content-type must be application/json, got "${type}"`);
    },
  );

  test.each(['{"csr": ', 'x', '{"csr": "a"} {}'])('%j is not JSON: 400', async (payload) => {
    const reply = await ask(appWith(), { payload });
    expect(reply.statusCode).toBe(400);
    expect(reply.json().error).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^the body is not JSON: /),
    });
  });

  test('what is not there is 404, in few words', async () => {
    for (const url of ['/mutate', '/healthz', '/metrics', `/${'x'.repeat(5_000)}`]) {
      const reply = await appWith().inject({ url });
      expect(reply.statusCode).toBe(404);
      expect(reply.body.length).toBeLessThan(500);
    }
    expect((await appWith().inject({ url: CertificatePath.certificate })).statusCode).toBe(404);
  });
});

describe('GET /renewal-info', () => {
  const get = (app: App, namespace: string, headers: Record<string, string> = {}) =>
    app.inject({ url: `${CertificatePath.renewalInfo}?namespace=${encodeURIComponent(namespace)}`, headers });

  test('answers what the control plane says to the pods of a namespace', async () => {
    const asked: string[] = [];
    const renewal = (namespace: string) => {
      asked.push(namespace);
      return INFO;
    };
    const reply = await get(appWith(issuing, { renewal }), 'shop');
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
    expect(reply.json()).toEqual(INFO);
    expect(asked).toEqual(['shop']);
  });

  test('may be kept for a while, much shorter than until the next question', async () => {
    const { headers } = await get(appWith(), 'shop');
    expect(headers['cache-control']).toBe('max-age=60');
  });

  test('is not sent again to who has it already', async () => {
    let info = INFO;
    const app = appWith(issuing, { renewal: () => info });
    const { headers } = await get(app, 'shop');
    const known = { 'if-none-match': String(headers.etag) };
    const same = await get(app, 'shop', known);
    expect({ status: same.statusCode, body: same.body, etag: same.headers.etag }).toEqual({
      status: 304,
      body: '',
      etag: headers.etag,
    });
    info = { ...INFO, replace: { issuedBefore: '2030-01-01T00:00:00Z', withinSeconds: 180 } };
    const changed = await get(app, 'shop', known);
    expect(changed.statusCode).toBe(200);
    expect(changed.headers.etag).not.toBe(headers.etag);
  });

  test('is the same for all who ask, and needs no token', async () => {
    const app = appWith();
    expect((await get(app, 'shop')).headers.etag).toBe((await get(appWith(), 'shop')).headers.etag);
  });

  test.each(['', '_all', 'Shop', '-shop', 'shop-', 'a/b', '../step', 'a b', 'x'.repeat(64), 'shop\n', 'shöp'])(
    'is not for what is no name of a namespace: %j',
    async (namespace) => {
      const reply = await get(appWith(), namespace);
      expect(reply.statusCode).toBe(400);
      expect(reply.json().error.code).toBe('INVALID_INPUT');
    },
  );

  test.each(['', '?namespace=a&namespace=b', '?pod=a'])('names one namespace: %j does not', async (query) => {
    const reply = await appWith().inject({ url: `${CertificatePath.renewalInfo}${query}` });
    expect(reply.statusCode).toBe(400);
  });

  test('is 503 until the roots are known', async () => {
    const renewal = () => {
      throw new AutocertError('UNAVAILABLE', 'the roots are not known yet');
    };
    const reply = await get(appWith(issuing, { renewal }), 'shop');
    expect(reply.statusCode).toBe(503);
    expect(reply.headers['retry-after']).toBeDefined();
    expect(reply.headers).not.toHaveProperty('cache-control');
  });
});

test('a connection is closed after its next answer once the webhook stops', async () => {
  const stop = new AbortController();
  const app = appWith(issuing, { stopping: stop.signal });
  expect((await ask(app)).headers.connection).not.toBe('close');
  stop.abort();
  for (const reply of [await ask(app), await app.inject({ url: '/renewal-info?namespace=shop' })]) {
    expect(reply.statusCode).toBe(200);
    expect(reply.headers.connection).toBe('close');
  }
});
