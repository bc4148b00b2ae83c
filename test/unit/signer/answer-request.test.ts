import { X509Certificate } from 'node:crypto';
import { splitPem } from '../../../runtime/x509/certificate.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Answerer, type AnswerPorts } from '../../../runtime/signer/answer-request.ts';
import type { SignOrder } from '../../../runtime/signer/ca-session.ts';
import type { RequestStatus } from '../../../runtime/signer/pod-certificate-request.ts';
import { fakeCa, otherKey } from './fake-ca.ts';
import { CSR_FINGERPRINT, POLICY, podOf, requestOf } from './fixtures.ts';

const NOON = new Date('2026-01-01T12:00:00Z');
const ca = await fakeCa(NOON);

function signerWith(changes: Partial<AnswerPorts> = {}) {
  const seen = { orders: [] as SignOrder[], written: [] as RequestStatus[], distrusted: 0 };
  const sign = changes.sign ?? ((order) => ca.sign(order));
  const answerer = new Answerer(POLICY, {
    readPod: async () => podOf(),
    namespaceEnabled: async () => true,
    roots: async () => [ca.root],
    writeStatus: async (_request, status) => {
      seen.written.push(status);
      return 'written';
    },
    distrust: () => {
      seen.distrusted += 1;
    },
    now: () => NOON,
    ...changes,
    sign: (order) => {
      seen.orders.push(order);
      return sign(order);
    },
  });
  return { answer: (attempt = 1, request = requestOf()) => answerer.answer(request, attempt), seen };
}

const rejecting = (status: number, message: string) => async () => {
  throw new AutocertError('CA_REJECTED', message, { status });
};

test("issues: kubelet's own key, the pod's names, leaf and intermediate, the leaf's validity", async () => {
  const { answer, seen } = signerWith();
  expect(await answer()).toMatchObject({ kind: 'issued', names: ['cart.shop.svc'] });
  expect(seen.orders).toEqual([
    expect.objectContaining({ csrFingerprint: CSR_FINGERPRINT, commonName: 'cart.shop.svc', durationMs: 86_400_000 }),
  ]);
  expect(seen.written).toHaveLength(1);
  const status = seen.written[0];
  const chain = splitPem(status?.certificateChain ?? '').map((pem) => new X509Certificate(pem));
  expect(chain.map(({ ca: isAuthority }) => isAuthority)).toEqual([false, true]);
  expect(chain[0]?.subjectAltName).toBe('DNS:cart.shop.svc');
  expect(status).toMatchObject({
    conditions: [{ type: 'Issued' }],
    notBefore: '2026-01-01T11:59:00Z',
    notAfter: '2026-01-02T12:00:00Z',
  });
});

test('names that are also the common name are reported once', async () => {
  const pod = podOf({
    'autocert.step.sm/name': 'cart.shop.svc',
    'autocert.step.sm/sans': 'cart.shop.svc,web.shop.svc',
  });
  const { answer } = signerWith({ readPod: async () => pod });
  expect(await answer()).toMatchObject({ names: ['cart.shop.svc', 'web.shop.svc'] });
});

test('denies what the policy refuses, without asking the CA', async () => {
  const { answer, seen } = signerWith({ readPod: async () => podOf({ 'autocert.step.sm/name': 'pay.bank.svc' }) });
  expect(await answer()).toMatchObject({ kind: 'denied', reason: 'NotAllowed' });
  expect(seen.orders).toEqual([]);
  expect(seen.written).toEqual([{ conditions: [expect.objectContaining({ type: 'Denied', reason: 'NotAllowed' })] }]);
});

test('denies a request whose CSR is not as kubelet makes it', async () => {
  const { answer } = signerWith();
  expect(await answer(1, requestOf({ stubPKCS10Request: 'aGVsbG8=' }))).toMatchObject({
    kind: 'denied',
    reason: 'InvalidRequest',
  });
});

describe('a request is left open while', () => {
  const down = async () => {
    throw new AutocertError('UNAVAILABLE', 'connection refused');
  };
  test.each<[string, Partial<AnswerPorts>]>([
    ['the CA does not answer', { sign: down }],
    ['the API server does not answer', { readPod: down }],
    ['the CA does not accept our key', { sign: rejecting(401, 'unauthorized') }],
    ['the chain does not lead to a known root', { roots: async () => [(await fakeCa(NOON)).root] }],
    ['the CA signs another key', { sign: (order) => ca.sign(order, { publicKey: otherKey() }) }],
  ])('%s', async (_, ports) => {
    const { answer, seen } = signerWith(ports);
    for (const attempt of [1, 2, 50]) expect(await answer(attempt)).toMatchObject({ kind: 'unavailable' });
    expect(seen.written).toEqual([]);
  });
});

test("fails when the CA refuses again with its files read anew, in the CA's words", async () => {
  const { answer, seen } = signerWith({ sign: rejecting(403, 'name not allowed') });
  expect(await answer(1)).toMatchObject({ kind: 'again' });
  expect(seen).toMatchObject({ distrusted: 1, written: [] });
  expect(await answer(2)).toMatchObject({ kind: 'failed', reason: 'RejectedByCA' });
  expect(seen.written).toEqual([
    { conditions: [expect.objectContaining({ type: 'Failed', message: expect.stringContaining('name not allowed') })] },
  ]);
});

test('asks again when rounding made the lifetime a second too short for the API', async () => {
  let late = true;
  const { answer, seen } = signerWith({
    sign: async (order) => {
      const chain = await ca.sign(late ? { ...order, durationMs: order.durationMs - 1000 } : order);
      late = false;
      return chain;
    },
  });
  const request = requestOf({ maxExpirationSeconds: 3600 });
  expect(await answer(1, request)).toMatchObject({ kind: 'again' });
  expect(seen.written).toEqual([]);
  expect(await answer(2, request)).toMatchObject({ kind: 'issued' });
});

test('learns how far the CA dates back, and asks for as much less', async () => {
  const { answer, seen } = signerWith({ sign: (order) => ca.sign(order, { backdateMs: 240_000 }) });
  const request = requestOf({ maxExpirationSeconds: 7200 });
  expect(await answer(1, request)).toMatchObject({ kind: 'again' });
  expect(await answer(2, request)).toMatchObject({ kind: 'issued' });
  expect(seen.orders.map(({ durationMs }) => durationMs)).toEqual([7_140_000, 6_960_000]);
  expect(await answer(1, request)).toMatchObject({ kind: 'issued' });
});

test('leaves alone what somebody else has answered meanwhile', async () => {
  const { answer } = signerWith({ writeStatus: async () => 'stale' });
  expect(await answer()).toEqual({ kind: 'stale' });
});

test('tries again when the status cannot be written', async () => {
  const { answer } = signerWith({
    writeStatus: async () => {
      throw new Error('422 Unprocessable Entity');
    },
  });
  expect(await answer()).toMatchObject({ kind: 'again', message: '422 Unprocessable Entity' });
});
