import { applyPatch } from '../../../runtime/cli/json-patch.ts';
import { createMetrics } from '../../../runtime/lib/metrics.ts';
import { buildApp, type WebhookDeps } from '../../../runtime/webhook/app.ts';
import { sidecarPatch } from '../../../runtime/webhook/injection-patch.ts';
import { keptLog } from '../../support/logs.ts';
import { reviewOf, sleepPod, webhookConfig } from '../../support/reviews.ts';

const log = keptLog();
const { lines } = log;
let metrics = createMetrics();

function app(overrides: Partial<WebhookDeps> = {}) {
  metrics = createMetrics();
  const config = webhookConfig();
  const patch = sidecarPatch({ ...config, anchors: ['AB'], hostAliases: '' });
  return buildApp({
    config: () => config,
    capabilities: () => ({ podCertificates: false, nativeSidecars: true }),
    sidecar: () => patch,
    metrics,
    log,
    ...overrides,
  });
}
const mutate = (payload: unknown, overrides: Partial<WebhookDeps> = {}) =>
  app(overrides).inject({
    method: 'POST',
    url: '/mutate',
    headers: { 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });

beforeEach(() => lines.splice(0));

describe('POST /mutate', () => {
  test.each(['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'])(
    'answers a review of %s in the same version',
    async (version) => {
      const reply = await mutate(reviewOf(sleepPod(), {}, version));
      expect(reply.statusCode).toBe(200);
      expect(reply.headers['content-type']).toMatch(/^application\/json/);
      const { apiVersion, kind, response } = reply.json();
      expect({ apiVersion, kind }).toEqual({ apiVersion: version, kind: 'AdmissionReview' });
      expect(response).toMatchObject({ uid: reviewOf({}).request.uid, allowed: true, patchType: 'JSONPatch' });
      const patched = applyPatch(sleepPod(), JSON.parse(Buffer.from(response.patch, 'base64').toString()));
      expect(patched.spec.initContainers).toMatchObject([{ name: 'autocert-renewer' }]);
    },
  );

  test('a pod that asks for nothing is allowed without a patch', async () => {
    const { response } = (await mutate(reviewOf({ kind: 'Pod', metadata: {}, spec: { containers: [] } }))).json();
    expect(response).toEqual({ uid: expect.any(String), allowed: true });
  });

  test('a denial is an answer, with a status and a message', async () => {
    const reply = await mutate(
      reviewOf(sleepPod({ name: 'web.shop.svc', duration: '5 parsecs', mode: '999', owner: 'root' })),
    );
    expect(reply.statusCode).toBe(200);
    const { allowed, status } = reply.json().response;
    expect({ allowed, code: status.code }).toEqual({ allowed: false, code: 403 });
    for (const part of [
      '"web.shop.svc"',
      '"5 parsecs" is not a duration',
      '"999" is not a file mode',
      '"root" is not an owner',
    ]) {
      expect(status.message).toContain(part);
    }
  });

  describe('in report mode', () => {
    const reporting = (payload: unknown) => mutate(payload, { config: () => webhookConfig({ mode: 'report' }) });
    const refused = () => reviewOf(sleepPod({ name: 'web.shop.svc' }));
    const mounting = () => {
      const volumeMounts = [{ name: 'x', mountPath: '/var/run/autocert.step.sm' }];
      return reviewOf(sleepPod({}, { containers: [{ name: 'a', volumeMounts }] }));
    };

    test.each([
      ['a name that is not allowed', refused],
      ['a mount where the files are to be', mounting],
      ['what is no pod', () => reviewOf({ kind: 'Service' })],
    ])('%s is admitted as it is, with a warning and an audit annotation', async (_title, review) => {
      const { response } = (await reporting(review())).json();
      expect(response).toEqual({
        uid: expect.any(String),
        allowed: true,
        warnings: [expect.stringMatching(/^autocert would refuse this pod; it gets no certificate: /)],
        auditAnnotations: { 'audit-violations': expect.stringMatching(/./) },
      });
    });

    test('the audit annotation has the words in which the pod would be refused', async () => {
      const { message } = (await mutate(refused())).json().response.status;
      expect((await reporting(refused())).json().response.auditAnnotations).toEqual({ 'audit-violations': message });
    });

    test('the warning is one line that an HTTP header can carry, of 256 characters at most', async () => {
      const pod = sleepPod({ name: `a\u0007\n${'b'.repeat(300)}.svc` });
      const [warning] = (await reporting(reviewOf(pod))).json().response.warnings;
      expect(warning).toMatch(/^\P{Cc}{1,256}$/u);
    });

    test('it is counted and logged as reported, and not as denied', async () => {
      await reporting(refused());
      expect(lines).toMatchObject([
        { level: 'warn', fields: { result: 'reported', reason: expect.stringMatching(/web\.shop\.svc/) } },
      ]);
      expect(await metrics.render()).toMatch(/^autocert_admissions_total\{result="reported"\} 1$/m);
    });

    test('a pod that the rules allow is injected as ever, without a warning', async () => {
      const { response } = (await reporting(reviewOf(sleepPod()))).json();
      expect(response).toMatchObject({ allowed: true, patchType: 'JSONPatch' });
      expect(response).not.toHaveProperty('warnings');
    });
  });

  test('a dry run is answered like any other: there is nothing to leave behind', async () => {
    const wet = (await mutate(reviewOf(sleepPod()))).json();
    expect((await mutate(reviewOf(sleepPod(), { dryRun: true }))).json()).toEqual(wet);
  });

  test.each([
    ['an update', { operation: 'UPDATE' }],
    ['a subresource', { subResource: 'ephemeralcontainers' }],
  ])('%s of a pod is allowed as it is', async (_title, request) => {
    expect((await mutate(reviewOf(sleepPod(), request))).json().response).toEqual({
      uid: expect.any(String),
      allowed: true,
    });
  });

  test('is logged in one line, with pod, namespace, names and result', async () => {
    await mutate(reviewOf(sleepPod()));
    expect(lines).toEqual([
      {
        level: 'info',
        message: 'admission',
        fields: {
          namespace: 'default',
          pod: 'sleep-6d4f-…',
          names: ['sleep.default.svc.cluster.local'],
          delivery: 'sidecar',
          result: 'injected',
        },
      },
    ]);
  });

  test('is answered with 503 while the webhook does not know what the cluster can do', async () => {
    for (const unknown of [{ capabilities: () => undefined }, { sidecar: () => undefined }]) {
      const reply = await mutate(reviewOf(sleepPod()), unknown);
      expect(reply.statusCode).toBe(503);
      expect(reply.json().error).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('not known yet'),
      });
    }
  });
});

describe('bad reviews', () => {
  test.each<[string, unknown, RegExp]>([
    ['what is not JSON', '{"apiVersion": ', /the body is not JSON/],
    ['two megabytes of something', 'x'.repeat(2_000_000), /the body is not JSON/],
    ['an empty body', '', /the body must be an AdmissionReview object, got nothing/],
    ['null', 'null', /must be an AdmissionReview object, got null/],
    ['a list', '[]', /must be an AdmissionReview object, got \[\]/],
    ['another kind', { apiVersion: 'v1', kind: 'Pod' }, /kind must be "AdmissionReview", got "Pod"/],
    [
      'another version',
      { ...reviewOf({}), apiVersion: 'admission.k8s.io/v2' },
      /apiVersion must be admission\.k8s\.io\/v1 or/,
    ],
    ['a review without a request', { ...reviewOf({}), request: undefined }, /request must be an object, got nothing/],
    [
      'a request without uid',
      reviewOf({}, { uid: '' }),
      /request\.uid must be a text of at most 128 characters, got ""/,
    ],
    ['a uid of a kilobyte', reviewOf({}, { uid: 'u'.repeat(1024) }), /at most 128 characters, got "u{99}…/],
  ])('%s is 400', async (_title, payload, message) => {
    const reply = await mutate(payload);
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toEqual({ error: { code: 'INVALID_INPUT', message: expect.stringMatching(message) } });
  });

  test.each<[string, string, RegExp]>([
    ['a hundred thousand brackets', '['.repeat(100_000), /the body is nested deeper than 64/],
    ['a million empty objects', `[${'{},'.repeat(999_999)}{}]`, /the body has more values than fit/],
  ])('%s is 400, logged and counted', async (_title, payload, message) => {
    const reply = await mutate(payload);
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toEqual({ error: { code: 'INVALID_INPUT', message: expect.stringMatching(message) } });
    expect(await metrics.render()).toContain('autocert_admissions_total{result="invalid"} 1');
    expect(lines).toEqual([
      { level: 'warn', message: 'admission', fields: { result: 'invalid', reason: expect.stringMatching(message) } },
    ]);
  });

  test.each<[string, unknown, RegExp]>([
    [
      'a Deployment where a Pod should be',
      { kind: 'Deployment', spec: {} },
      /a "Deployment" was sent where a Pod is wanted/,
    ],
    ['no object', undefined, /object must be a Pod/],
    ['no metadata', { kind: 'Pod', spec: { containers: [] } }, /object\.metadata must be an object/],
    ['annotations that are no texts', { kind: 'Pod', metadata: { annotations: { a: 1 } }, spec: {} }, /map of texts/],
    ['no spec', { kind: 'Pod', metadata: {} }, /object\.spec must be an object/],
    ['no containers', { kind: 'Pod', metadata: {}, spec: {} }, /object\.spec\.containers must be a list/],
    [
      'containers that are none',
      { kind: 'Pod', metadata: {}, spec: { containers: [null] } },
      /object\.spec\.containers/,
    ],
    [
      'mounts that are none',
      { kind: 'Pod', metadata: {}, spec: { containers: [{ name: 'a', volumeMounts: [{}] }] } },
      /object\.spec\.containers/,
    ],
    [
      'volumes that are none',
      { kind: 'Pod', metadata: {}, spec: { containers: [], volumes: {} } },
      /object\.spec\.volumes must be a list/,
    ],
  ])('%s is refused in terms of the review', async (_title, object, message) => {
    const { response } = (await mutate(reviewOf(object))).json();
    expect(response).toMatchObject({ allowed: false, status: { code: 400, message: expect.stringMatching(message) } });
  });

  test('megabytes of unheard-of annotations are denied in few words, in the answer and in the log', async () => {
    const pod = sleepPod();
    const junk = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`autocert.step.sm/${'x'.repeat(100)}${index}`, '']),
    );
    const annotations = { ...pod.metadata.annotations, ...junk };
    const reply = await mutate(reviewOf({ ...pod, metadata: { ...pod.metadata, annotations } }));
    expect(reply.json().response).toMatchObject({ allowed: false, status: { code: 403 } });
    expect(reply.body.length).toBeLessThan(8192);
    expect(JSON.stringify(lines).length).toBeLessThan(8192);
  });

  test('a request without a namespace is refused', async () => {
    const { response } = (await mutate(reviewOf(sleepPod(), { namespace: '' }))).json();
    expect(response.status.message).toMatch(/request\.namespace must be the namespace/);
  });

  test('a pod of two megabytes is injected, a body of four is 413', async () => {
    const big = (size: number) => reviewOf({ ...sleepPod(), junk: 'x'.repeat(size) });
    expect((await mutate(big(2_000_000))).json().response).toMatchObject({ allowed: true, patchType: 'JSONPatch' });
    const reply = await mutate(big(4_000_000));
    expect(reply.statusCode).toBe(413);
    expect(reply.json().error.message).toBe('the body is larger than this path takes');
  });

  test.each([['text/plain'], ['application/yaml'], ['application/x-www-form-urlencoded']])(
    'content-type %s is 415',
    async (type) => {
      const reply = await app().inject({
        method: 'POST',
        url: '/mutate',
        headers: { 'content-type': type },
        payload: '{}',
      });
      expect(reply.statusCode).toBe(415);
      expect(reply.json().error.message).toBe(`content-type must be application/json, got "${type}"`);
    },
  );

  test('what is not there is 404', async () => {
    const reply = await app().inject({ url: '/mutate' });
    expect(reply.statusCode).toBe(404);
    expect(reply.json().error.message).toBe('no GET /mutate here');
  });

  test('a broken program is 500 and keeps its inside to itself', async () => {
    const broken = () => {
      throw new TypeError('cannot read property of undefined');
    };
    const reply = await mutate(reviewOf(sleepPod()), { sidecar: broken });
    expect(reply.statusCode).toBe(500);
    expect(reply.json().error.message).toBe('internal error');
    expect(lines).toMatchObject([
      { level: 'error', fields: { reason: expect.stringContaining('cannot read property') } },
    ]);
  });
});

describe('the end', () => {
  test('a connection is closed after its next answer once the webhook stops: a kept one would lose a request', async () => {
    const stop = new AbortController();
    const instance = app({ stopping: stop.signal });
    const post = () => instance.inject({ method: 'POST', url: '/mutate', payload: reviewOf(sleepPod()) });
    expect((await post()).headers.connection).not.toBe('close');
    stop.abort();
    for (const reply of [await post(), await instance.inject('/nowhere')]) {
      expect(reply.headers.connection).toBe('close');
    }
    expect((await post()).statusCode).toBe(200);
  });
});

describe('what is not for the API server', () => {
  test.each(['/certificate', '/token', '/renewal-info?namespace=shop', '/healthz', '/readyz', '/metrics'])(
    '%s is not here',
    async (url) => {
      for (const method of ['GET', 'POST'] as const) {
        expect((await app().inject({ method, url })).statusCode).toBe(404);
      }
    },
  );
});

test('metrics count admissions by result', async () => {
  const instance = app();
  const post = (payload: object) => instance.inject({ method: 'POST', url: '/mutate', payload });
  await post(reviewOf(sleepPod()));
  await post(reviewOf(sleepPod({ name: 'a.other.svc' })));
  const text = await metrics.render();
  expect(text).toContain('autocert_admissions_total{result="injected"} 1');
  expect(text).toContain('autocert_admissions_total{result="denied"} 1');
  expect(text).toContain('autocert_admission_duration_seconds_count 2');
});
