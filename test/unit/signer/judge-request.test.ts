import type { PolicyConfig } from '../../../runtime/contract.ts';
import { judgeRequest, type LivePod } from '../../../runtime/signer/judge-request.ts';
import type { PodCertificateRequest } from '../../../runtime/signer/pod-certificate-request.ts';
import { POLICY, podOf, requestOf } from './fixtures.ts';

const NAME = 'autocert.step.sm/name';
const HOUR = 3_600_000;

function judge(
  spec: Partial<PodCertificateRequest['spec']>,
  pod: LivePod | undefined,
  { namespaceEnabled = true, policy = POLICY }: { namespaceEnabled?: boolean; policy?: PolicyConfig } = {},
) {
  return judgeRequest(requestOf(spec), { pod, namespaceEnabled, policy, backdateMs: 60_000 });
}

test('a pod gets the names in its annotations, for as long as the CA gives by default', () => {
  expect(judge({}, podOf())).toEqual({
    kind: 'order',
    commonName: 'cart.shop.svc',
    sans: ['cart.shop.svc'],
    durationMs: 24 * HOUR,
  });
});

describe('the lifetime', () => {
  const orderFor = (maxExpirationSeconds: number, duration?: string, policy = POLICY) => {
    const annotations = { [NAME]: 'cart.shop.svc', ...(duration && { 'autocert.step.sm/duration': duration }) };
    return judge({ maxExpirationSeconds }, podOf(annotations), { policy });
  };

  test('is what the annotation says', () => {
    expect(orderFor(86_400, '2h')).toMatchObject({ durationMs: 2 * HOUR });
  });

  test('never exceeds what the request allows, the back-dated minute included', () => {
    expect(orderFor(7200, '24h')).toMatchObject({ durationMs: 2 * HOUR - 60_000 });
    expect(orderFor(86_400)).toMatchObject({ durationMs: 24 * HOUR - 60_000 });
  });

  test('may be the hour that the API demands', () => {
    expect(orderFor(3600)).toMatchObject({ durationMs: HOUR - 60_000 });
    expect(orderFor(3660, '1h')).toMatchObject({ durationMs: HOUR });
  });

  test("is shortened by the namespace's limit", () => {
    const policy = { ...POLICY, namespaces: { shop: { maxDuration: '3h' } } };
    expect(orderFor(86_400, undefined, policy)).toMatchObject({ durationMs: 3 * HOUR });
  });

  test('under an hour is refused, with the way out', () => {
    expect(orderFor(86_400, '30m')).toMatchObject({
      kind: 'refusal',
      reason: 'LifetimeTooShort',
      message: expect.stringMatching(/30m.*at least 59m.*"sidecar"/),
    });
  });

  test("under the CA's minimum is refused", () => {
    const policy = { ...POLICY, minDuration: '2h' };
    expect(orderFor(3600, undefined, policy)).toMatchObject({ reason: 'LifetimeTooShort' });
  });
});

describe('refuses a request', () => {
  const pod = podOf();
  test.each<[string, Partial<PodCertificateRequest['spec']>, LivePod | undefined, string]>([
    ['for a pod that is gone', {}, undefined, 'PodNotFound'],
    ['for an earlier pod of the same name', { podUID: 'pod-0' }, pod, 'PodReplaced'],
    ['for a pod that is going', {}, podOf(undefined, { metadata: { deletionTimestamp: 'now' } }), 'PodTerminating'],
    ['from another node', { nodeName: 'node-2' }, pod, 'WrongNode'],
    ['with another service account', { serviceAccountName: 'admin' }, pod, 'WrongServiceAccount'],
    ['for a pod without our volume', {}, podOf(undefined, { spec: { volumes: [] } }), 'NotInjected'],
    ['for a pod without a name', {}, podOf({}), 'NoName'],
    ['for a name of another namespace', {}, podOf({ [NAME]: 'pay.bank.svc' }), 'NotAllowed'],
    [
      'for a SAN of another namespace',
      {},
      podOf({ [NAME]: 'cart.shop.svc', 'autocert.step.sm/sans': 'cart.shop.svc,autocert.step.svc' }),
      'NotAllowed',
    ],
    [
      'with annotations that this signer does not know',
      { unverifiedUserAnnotations: { 'autocert.step.sm/name': 'pay.bank.svc' } },
      pod,
      'InvalidUnverifiedUserAnnotations',
    ],
  ])('%s', (_, spec, livePod, reason) => {
    const judgement = judge(spec, livePod);
    expect(judgement).toMatchObject({ kind: 'refusal', reason, message: expect.stringMatching(/.{20}/) });
    // The API's rule for a condition's reason.
    expect(reason).toMatch(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/);
  });

  test('from a namespace without the label', () => {
    expect(judge({}, pod, { namespaceEnabled: false })).toMatchObject({
      reason: 'NamespaceNotEnabled',
      message: 'namespace shop is not labelled autocert.step.sm=enabled',
    });
  });

  test('naming the name and what would be allowed', () => {
    expect(judge({}, podOf({ [NAME]: 'pay.bank.svc' }))).toMatchObject({
      message: expect.stringContaining('pay.bank.svc'),
    });
  });
});
