import { X509Certificate } from 'node:crypto';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import type { PodCertificateRequest, RequestStatus, Work } from '../../../runtime/signer/pod-certificate-request.ts';
import { Reconciler, type ReconcilerPorts, type Result } from '../../../runtime/signer/reconciler.ts';
import type { Order } from '../../../runtime/step-ca/issuer.ts';
import { splitPem } from '../../../runtime/x509/certificate.ts';
import { fakeCa } from './fake-ca.ts';
import {
  CSR_FINGERPRINT,
  HOUR,
  MINUTE,
  NOON,
  OTHER_STUB,
  POLICY,
  podOf,
  requestOf,
  SECOND,
  workOf,
} from './fixtures.ts';

const ca = await fakeCa(NOON);
const FORBIDDEN_NAME = podOf({ 'autocert.step.sm/name': 'pay.bank.svc' });

/** A reconciler at noon, whose clock the test moves. */
function signerWith(changes: Partial<ReconcilerPorts> = {}) {
  const clock = { ms: 0 };
  const now = () => new Date(NOON.getTime() + clock.ms);
  const seen = {
    orders: [] as Order[],
    written: [] as { request: PodCertificateRequest; status: RequestStatus }[],
    events: [] as { name: string; uid: string; reason: string; message: string }[],
    podReads: 0,
  };
  const { issue = (order: Order) => ca.issue(order, now()), readPod = async () => podOf(), ...others } = changes;
  const reconciler = new Reconciler({
    policy: () => POLICY,
    namespaceEnabled: async () => true,
    writeStatus: async (request, status) => {
      seen.written.push({ request, status });
      return 'written';
    },
    recordEvent: ({ name, uid }, reason, message) => void seen.events.push({ name, uid, reason, message }),
    now,
    monotonic: () => clock.ms,
    random: () => 1,
    ...others,
    readPod: (namespace, name) => {
      seen.podReads += 1;
      return readPod(namespace, name);
    },
    issue: (order) => {
      seen.orders.push(order);
      return issue(order);
    },
  });
  return { reconcile: (work = workOf()) => reconciler.reconcile(work), seen, clock };
}

type Signer = ReturnType<typeof signerWith>;

/** Attempts every ten seconds until one of them is final; answers it and its time. */
async function untilFinal({ reconcile, clock }: Signer, work: Work): Promise<{ result: Result; at: number }> {
  for (;;) {
    const result = await reconcile(work);
    if (result.kind === 'denied' || result.kind === 'failed') return { result, at: clock.ms };
    expect(clock.ms).toBeLessThan(HOUR);
    clock.ms += 10 * SECOND;
  }
}

const fail = (error: Error) => async () => {
  throw error;
};
const rejected = (status = 403, message = 'name not allowed') =>
  fail(new AutocertError('CA_REJECTED', message, { status }));

describe('a certificate', () => {
  test("is for kubelet's own key, with the pod's names, leaf and intermediate, the leaf's validity", async () => {
    const { reconcile, seen } = signerWith();
    expect(await reconcile()).toMatchObject({ kind: 'issued', names: ['cart.shop.svc'] });
    expect(seen.orders).toEqual([
      expect.objectContaining({
        request: expect.objectContaining({ fingerprint: CSR_FINGERPRINT }),
        commonName: 'cart.shop.svc',
        lifetimeMs: 24 * HOUR,
      }),
    ]);
    expect(seen.written).toHaveLength(1);
    const { status } = seen.written[0] ?? {};
    const chain = splitPem(status?.certificateChain ?? '').map((pem) => new X509Certificate(pem));
    expect(chain.map(({ ca: isAuthority }) => isAuthority)).toEqual([false, true]);
    expect(chain[0]?.subjectAltName).toBe('DNS:cart.shop.svc');
    expect(status).toMatchObject({
      conditions: [{ type: 'Issued' }],
      notBefore: '2026-01-01T11:59:00Z',
      notAfter: '2026-01-02T12:00:00Z',
      beginRefreshAt: '2026-01-02T04:00:00Z',
    });
    expect(seen.events).toEqual([]);
  });

  test('reports names that are also the common name once', async () => {
    const pod = podOf({
      'autocert.step.sm/name': 'cart.shop.svc',
      'autocert.step.sm/sans': 'cart.shop.svc,web.shop.svc',
    });
    const { reconcile } = signerWith({ readPod: async () => pod });
    expect(await reconcile()).toMatchObject({ names: ['cart.shop.svc', 'web.shop.svc'] });
  });

  test('carries a name over 64 characters in the SAN alone', async () => {
    const name = `${'a'.repeat(50)}.shop.svc.cluster.local`;
    const { reconcile, seen } = signerWith({ readPod: async () => podOf({ 'autocert.step.sm/name': name }) });
    expect(await reconcile()).toMatchObject({ kind: 'issued', names: [name] });
    const [leaf = ''] = splitPem(seen.written[0]?.status.certificateChain ?? '');
    const { subject, subjectAltName } = new X509Certificate(leaf);
    expect(subject ?? '').toBe('');
    expect(subjectAltName).toBe(`DNS:${name}`);
  });

  test('is not written for a request that is gone', async () => {
    const { reconcile } = signerWith({ writeStatus: async () => 'stale' });
    expect(await reconcile()).toEqual({ kind: 'stale' });
  });
});

describe('what can never change is said at once', () => {
  test.each<[string, Partial<PodCertificateRequest['spec']>, Partial<ReconcilerPorts>, string]>([
    ['a CSR that is none', { stubPKCS10Request: 'aGVsbG8=' }, {}, 'InvalidRequest'],
    ['user annotations', { unverifiedUserAnnotations: { a: 'b' } }, {}, 'InvalidUnverifiedUserAnnotations'],
    ['another node', { nodeName: 'node-2' }, {}, 'WrongNode'],
    ['another service account', { serviceAccountName: 'admin' }, {}, 'WrongServiceAccount'],
    ['a pod that is gone', {}, { readPod: async () => undefined }, 'PodNotFound'],
    ['no volume of ours', {}, { readPod: async () => podOf(undefined, { spec: { volumes: [] } }) }, 'NotInjected'],
  ])('%s', async (_, spec, ports, reason) => {
    const { reconcile, seen } = signerWith(ports);
    expect(await reconcile(workOf(requestOf(spec)))).toMatchObject({ kind: 'denied', reason });
    expect(seen.written.map(({ status }) => status)).toEqual([
      { conditions: [expect.objectContaining({ type: 'Denied', reason })] },
    ]);
    expect(seen.orders).toEqual([]);
    // Kubelet writes an event of its own.
    expect(seen.events).toEqual([]);
  });
});

describe('what may change', () => {
  test('a label that is off for a moment ends no pod', async () => {
    let enabled = false;
    const signer = signerWith({ namespaceEnabled: async () => enabled });
    const work = workOf();
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'refused', reason: 'NamespaceNotEnabled' });
    enabled = true;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
    expect(signer.seen.written).toHaveLength(1);
  });

  test('a policy that arrives late, or a maximum that is lowered for a moment, ends no pod', async () => {
    let policy: PolicyConfig = { ...POLICY, excludedNamespaces: ['shop'] };
    const signer = signerWith({ policy: () => policy });
    const work = workOf();
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'refused', reason: 'NamespaceExcluded' });
    policy = { ...POLICY, namespaces: { shop: { maxDuration: '30m' } } };
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'refused', reason: 'LifetimeTooShort' });
    policy = POLICY;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
  });

  test.each([400, 403, 404, 409, 413])("a CA's %s for a moment ends no pod", async (status) => {
    let issue: ReconcilerPorts['issue'] = rejected(status);
    const signer = signerWith({ issue: (order) => issue(order) });
    const work = workOf();
    for (let attempt = 0; attempt < 20; attempt += 1) {
      expect(await signer.reconcile(work)).toMatchObject({ kind: 'refused', reason: 'RejectedByCA' });
    }
    issue = (order) => ca.issue(order, NOON);
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
    expect(signer.seen.written).toHaveLength(1);
  });

  test('is told by an event on the pod meanwhile', async () => {
    const signer = signerWith({ readPod: async () => FORBIDDEN_NAME });
    await signer.reconcile();
    expect(signer.seen.events).toEqual([
      { name: 'cart', uid: 'pod-1', reason: 'NotAllowed', message: expect.stringContaining('pay.bank.svc') },
    ]);
  });

  test('is denied when kubelet is about to give the request up, by the reason there is then', async () => {
    const pod = { current: podOf({}) };
    const signer = signerWith({ readPod: async () => pod.current });
    const work = workOf();
    await signer.reconcile(work);
    pod.current = FORBIDDEN_NAME;
    const { result, at } = await untilFinal(signer, work);
    expect(result).toMatchObject({ kind: 'denied', reason: 'NotAllowed' });
    expect(at).toBe(13 * MINUTE);
    expect(signer.seen.written.map(({ status }) => status.conditions)).toEqual([
      [expect.objectContaining({ type: 'Denied', reason: 'NotAllowed' })],
    ]);
    expect(signer.seen.orders).toEqual([]);
  });

  test("is failed then when it is the CA that refuses, in the CA's words", async () => {
    const signer = signerWith({ issue: rejected() });
    const { result, at } = await untilFinal(signer, workOf());
    expect(result).toMatchObject({ kind: 'failed', reason: 'RejectedByCA', message: 'name not allowed' });
    expect(at).toBe(13 * MINUTE);
    expect(signer.seen.written.map(({ status }) => status.conditions)).toEqual([
      [expect.objectContaining({ type: 'Failed', message: 'name not allowed' })],
    ]);
  });

  test('is not denied by a replica that has looked for less than two minutes: it may be late itself', async () => {
    const signer = signerWith({ readPod: async () => FORBIDDEN_NAME });
    const work = workOf();
    signer.clock.ms = 14 * MINUTE;
    const { at } = await untilFinal(signer, work);
    expect(at).toBe(16 * MINUTE);
  });

  test('a refusal long ago does not count for a new one', async () => {
    let enabled = false;
    let issue: ReconcilerPorts['issue'] = fail(new AutocertError('UNAVAILABLE', 'connection refused'));
    const signer = signerWith({ namespaceEnabled: async () => enabled, issue: (order) => issue(order) });
    const work = workOf();
    await signer.reconcile(work);
    enabled = true;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'unavailable' });
    signer.clock.ms = 14 * MINUTE;
    enabled = false;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'refused' });
    enabled = true;
    issue = (order) => ca.issue(order, NOON);
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
  });
});

describe('a request is left open while', () => {
  const down = fail(new AutocertError('UNAVAILABLE', 'connection refused', { retryAfterMs: 5000 }));
  test.each<[string, Partial<ReconcilerPorts>]>([
    ['the CA does not answer', { issue: down }],
    ['the API server does not answer', { readPod: down }],
    ['the API server does not let the signer read pods', { readPod: fail(apiError(403, 'Forbidden', 'no')) }],
    ['the CA cannot be trusted', { issue: fail(new AutocertError('UNTRUSTED', 'another root')) }],
    ['the key cannot be opened', { issue: fail(new AutocertError('WRONG_PASSWORD', 'wrong')) }],
  ])('%s', async (_, ports) => {
    const signer = signerWith(ports);
    const work = workOf();
    for (const minute of [0, 5, 14, 60]) {
      signer.clock.ms = minute * MINUTE;
      expect(await signer.reconcile(work)).toMatchObject({ kind: 'unavailable' });
    }
    expect(signer.seen.written).toEqual([]);
  });

  test('and a peer that asks for patience is given it', async () => {
    expect(await signerWith({ issue: down }).reconcile()).toMatchObject({ leastMs: 5000 });
  });
});

describe('a lifetime that the API would refuse', () => {
  test('by a second of rounding is asked for again', async () => {
    let late = true;
    const signer = signerWith({
      issue: async (order) => {
        const lifetimeMs = (order.lifetimeMs ?? 0) - (late ? SECOND : 0);
        late = false;
        return ca.issue({ ...order, lifetimeMs }, NOON);
      },
    });
    const work = workOf(requestOf({ maxExpirationSeconds: 3600 }));
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'again' });
    expect(signer.seen.written).toEqual([]);
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
  });

  test('tells how far the CA dates back: it is asked for as much less from then on', async () => {
    const signer = signerWith({ issue: (order) => ca.issue(order, NOON, { backdateMs: 240_000 }) });
    const request = requestOf({ maxExpirationSeconds: 7200 });
    const work = workOf(request);
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'again' });
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
    expect(signer.seen.orders.map(({ lifetimeMs }) => lifetimeMs)).toEqual([7_140_000, 6_960_000]);
    expect(await signer.reconcile(workOf(request))).toMatchObject({ kind: 'issued' });
  });

  test('and that stays so costs a signature a minute, no more', async () => {
    const signer = signerWith({ issue: (order) => ca.issue({ ...order, lifetimeMs: 10 * MINUTE }, NOON) });
    const work = workOf();
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'again' });
    expect(await signer.reconcile(work)).toMatchObject({
      kind: 'refused',
      reason: 'LifetimeDoesNotFit',
      leastMs: MINUTE,
    });
    expect((await untilFinal(signer, work)).result).toMatchObject({ kind: 'failed', reason: 'LifetimeDoesNotFit' });
    // And what it gave is not taken for its back-dating.
    expect(new Set(signer.seen.orders.map(({ lifetimeMs }) => lifetimeMs))).toEqual(new Set([24 * HOUR]));
  });
});

describe('a status that cannot be written', () => {
  /** Fails until the test says otherwise. */
  function refusing(error: Error) {
    const state = { error: error as Error | undefined };
    const written: { version: string | undefined; status: RequestStatus }[] = [];
    const signer = signerWith({
      writeStatus: async ({ metadata }, status) => {
        if (state.error) throw state.error;
        written.push({ version: metadata.resourceVersion, status });
        return 'written';
      },
    });
    return { signer, state, written };
  }

  test.each([
    ['403', 'again', apiError(403, 'Forbidden', 'no')],
    ['422', 'again', apiError(422, 'Invalid', 'no')],
    ['409', 'again', apiError(409, 'Conflict', 'no')],
    ['503', 'unavailable', apiError(503, 'ServiceUnavailable', 'no')],
  ])('by %s signs no second certificate: the first is kept, and written later', async (_, kind, error) => {
    const { signer, state, written } = refusing(error);
    const work = workOf();
    for (let attempt = 0; attempt < 20; attempt += 1) {
      expect(await signer.reconcile(work)).toMatchObject({ kind });
      signer.clock.ms += 5 * SECOND;
    }
    state.error = undefined;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued', names: ['cart.shop.svc'] });
    expect(signer.seen).toMatchObject({ orders: { length: 1 }, podReads: 1 });
    expect(written).toHaveLength(1);
  });

  test('by a conflict is written onto the newer version that the watch brings', async () => {
    const { signer, state, written } = refusing(apiError(409, 'Conflict', 'no'));
    const work = workOf();
    await signer.reconcile(work);
    state.error = undefined;
    work.request = requestOf({}, 'request-1', { resourceVersion: '11' });
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
    expect(written).toMatchObject([{ version: '11', status: { conditions: [{ type: 'Issued' }] } }]);
    expect(signer.seen.orders).toHaveLength(1);
  });

  test('is never written for another key', async () => {
    const { signer, state, written } = refusing(apiError(409, 'Conflict', 'no'));
    const work = workOf();
    await signer.reconcile(work);
    state.error = undefined;
    work.request = requestOf({ stubPKCS10Request: OTHER_STUB });
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'issued' });
    expect(signer.seen.orders).toHaveLength(2);
    const [leaf = ''] = splitPem(written[0]?.status.certificateChain ?? '');
    expect(signer.seen.orders[1]?.request.publicKey.equals(new X509Certificate(leaf).publicKey)).toBe(true);
  });

  test('is signed anew only when the API takes the old one no more: five times in a quarter of an hour', async () => {
    const { signer } = refusing(apiError(422, 'Invalid', 'no'));
    const work = workOf();
    for (; signer.clock.ms < 15 * MINUTE; signer.clock.ms += 7 * SECOND) await signer.reconcile(work);
    // `notBefore`, a minute before, must be within five minutes of the API server's time.
    expect(signer.seen.orders).toHaveLength(5);
  });

  test('and that is so at once, since the CA dates back by more than the API takes, is kept for two minutes', async () => {
    const signer = signerWith({
      issue: (order) => ca.issue(order, NOON, { backdateMs: 6 * MINUTE }),
      writeStatus: fail(apiError(422, 'Invalid', 'no')),
    });
    const work = workOf(requestOf({ maxExpirationSeconds: 90_000 }));
    for (; signer.clock.ms < 15 * MINUTE; signer.clock.ms += 7 * SECOND) await signer.reconcile(work);
    expect(signer.seen.orders.length).toBeLessThanOrEqual(8);
  });

  test('when it is a refusal, is tried again', async () => {
    const { signer, state, written } = refusing(apiError(422, 'Invalid', 'no'));
    const work = workOf(requestOf({ nodeName: 'node-2' }));
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'again' });
    state.error = undefined;
    expect(await signer.reconcile(work)).toMatchObject({ kind: 'denied' });
    expect(written).toHaveLength(1);
  });
});
