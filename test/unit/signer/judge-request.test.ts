import type { V1Pod } from '@kubernetes/client-node';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { judgeRequest, readRequest } from '../../../runtime/signer/judge-request.ts';
import { csrOf, type PodCertificateRequest } from '../../../runtime/signer/pod-certificate-request.ts';
import { CSR_FINGERPRINT, HOUR, POLICY, podOf, requestOf } from './fixtures.ts';

const NAME = 'autocert.step.sm/name';

function judge(
  spec: Partial<PodCertificateRequest['spec']>,
  pod: V1Pod | undefined,
  { namespaceEnabled = true, policy = POLICY }: { namespaceEnabled?: boolean; policy?: PolicyConfig } = {},
) {
  const request = requestOf(spec);
  return judgeRequest(request, csrOf(request), { pod, namespaceEnabled, policy, backdateMs: 60_000 });
}

test('a pod gets the names in its annotations for its own key, for as long as the CA gives by default', () => {
  expect(judge({}, podOf())).toEqual({
    kind: 'order',
    request: expect.objectContaining({ fingerprint: CSR_FINGERPRINT }),
    commonName: 'cart.shop.svc',
    sans: ['cart.shop.svc'],
    lifetimeMs: 24 * HOUR,
  });
});

test('a name over 64 characters is carried in the SAN alone', () => {
  const name = `${'a'.repeat(50)}.shop.svc.cluster.local`;
  const order = judge({}, podOf({ [NAME]: name }));
  expect(order).toMatchObject({ kind: 'order', sans: [name] });
  expect(order).not.toHaveProperty('commonName');
});

test('a signer in another namespace answers for pods that mount its own volume, and no others', () => {
  const policy = { ...POLICY, namespace: 'tls' };
  expect(judge({}, podOf(), { policy })).toMatchObject({
    reason: 'NotInjected',
    message: expect.stringMatching(/of the signer autocert\.step\.sm\/workload\.tls$/),
  });
  const own = JSON.parse(JSON.stringify(podOf()).replaceAll('sm/workload', 'sm/workload.tls')) as V1Pod;
  expect(judge({}, own, { policy })).toMatchObject({ kind: 'order' });
});

describe('the lifetime', () => {
  const orderFor = (maxExpirationSeconds: number, duration?: string, policy = POLICY) => {
    const annotations = { [NAME]: 'cart.shop.svc', ...(duration && { 'autocert.step.sm/duration': duration }) };
    return judge({ maxExpirationSeconds }, podOf(annotations), { policy });
  };

  test('is what the annotation says', () => {
    expect(orderFor(86_400, '2h')).toMatchObject({ lifetimeMs: 2 * HOUR });
  });

  test('never exceeds what the request allows, the back-dated minute included', () => {
    expect(orderFor(7200, '24h')).toMatchObject({ lifetimeMs: 2 * HOUR - 60_000 });
    expect(orderFor(86_400)).toMatchObject({ lifetimeMs: 24 * HOUR - 60_000 });
  });

  test('may be the hour that the API demands', () => {
    expect(orderFor(3600)).toMatchObject({ lifetimeMs: HOUR - 60_000 });
    expect(orderFor(3660, '1h')).toMatchObject({ lifetimeMs: HOUR });
  });

  test("is shortened by the namespace's limit", () => {
    const policy = { ...POLICY, namespaces: { shop: { maxDuration: '3h' } } };
    expect(orderFor(86_400, undefined, policy)).toMatchObject({ lifetimeMs: 3 * HOUR });
  });

  test('under an hour is refused, with the way out; the pod or the policy may change', () => {
    expect(orderFor(86_400, '30m')).toMatchObject({
      kind: 'refused',
      reason: 'LifetimeTooShort',
      final: false,
      message: expect.stringMatching(/30m.*at least 59m.*"sidecar"/),
    });
  });

  test("under the CA's minimum is refused", () => {
    const policy = { ...POLICY, minDuration: '2h' };
    expect(orderFor(3600, undefined, policy)).toMatchObject({ reason: 'LifetimeTooShort', final: false });
  });
});

describe('a request is refused', () => {
  const pod = podOf();
  const final = true;
  const forNow = false;
  test.each<[string, Partial<PodCertificateRequest['spec']>, V1Pod | undefined, string, boolean]>([
    ['for a pod that is gone', {}, undefined, 'PodNotFound', final],
    ['for an earlier pod of the same name', { podUID: 'pod-0' }, pod, 'PodReplaced', final],
    [
      'for a pod that is going',
      {},
      podOf(undefined, { metadata: { deletionTimestamp: new Date() } }),
      'PodTerminating',
      final,
    ],
    ['from another node', { nodeName: 'node-2' }, pod, 'WrongNode', final],
    ['with another service account', { serviceAccountName: 'admin' }, pod, 'WrongServiceAccount', final],
    [
      'for the mirror of a static pod',
      {},
      podOf({ [NAME]: 'cart.shop.svc', 'kubernetes.io/config.mirror': 'x' }),
      'MirrorPod',
      final,
    ],
    ['for a pod without our volume', {}, podOf(undefined, { spec: { volumes: [] } }), 'NotInjected', final],
    ['for a pod without our volume and name', {}, podOf({}, { spec: { volumes: [] } }), 'NotInjected', final],
    ['for a pod without a name', {}, podOf({}), 'NoName', forNow],
    ['for a name of another namespace', {}, podOf({ [NAME]: 'pay.bank.svc' }), 'NotAllowed', forNow],
    [
      'for a SAN of another namespace',
      {},
      podOf({ [NAME]: 'cart.shop.svc', 'autocert.step.sm/sans': 'cart.shop.svc,autocert.step.svc' }),
      'NotAllowed',
      forNow,
    ],
  ])('%s', (_, spec, livePod, reason, isFinal) => {
    const judgement = judge(spec, livePod);
    expect(judgement).toMatchObject({
      kind: 'refused',
      reason,
      final: isFinal,
      message: expect.stringMatching(/.{20}/),
    });
    // The API's rule for a condition's reason.
    expect(reason).toMatch(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/);
  });

  test('from a namespace without the label, for now', () => {
    expect(judge({}, pod, { namespaceEnabled: false })).toMatchObject({ reason: 'NamespaceNotEnabled', final: false });
  });

  test('from an excluded namespace, for now', () => {
    const policy = { ...POLICY, excludedNamespaces: ['shop'] };
    expect(judge({}, pod, { policy })).toMatchObject({ reason: 'NamespaceExcluded', final: false });
  });
});

describe('without a look at the pod, a request is refused for good', () => {
  test('with annotations that this signer does not know', () => {
    const unverifiedUserAnnotations = { [NAME]: 'pay.bank.svc' };
    expect(readRequest(requestOf({ unverifiedUserAnnotations }))).toMatchObject({
      reason: 'InvalidUnverifiedUserAnnotations',
      final: true,
    });
  });

  test.each([
    ['that is none', 'aGVsbG8='],
    ['that is absent', ''],
  ])('with a CSR %s', (_, stubPKCS10Request) => {
    expect(readRequest(requestOf({ stubPKCS10Request }))).toMatchObject({
      reason: 'InvalidRequest',
      final: true,
      message: expect.stringContaining('spec.stubPKCS10Request'),
    });
  });
});
