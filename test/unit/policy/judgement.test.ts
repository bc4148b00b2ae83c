import fc from 'fast-check';
import { type Circumstances, type Claim, judge } from '../../../runtime/policy/judgement.ts';
import { annotations, claimOf, policy, runningPod } from '../../support/pods.ts';

const HOUR = 3_600_000;

/** The verdict on pod `web-0` of namespace `shop`, which may have what it asks for unless a test changes something. */
function verdict({ claim, ...circumstances }: Partial<Circumstances> & { readonly claim?: Partial<Claim> } = {}) {
  const usual: Circumstances = { pod: runningPod(), namespaceEnabled: true, policy: policy() };
  return judge(claimOf(claim), { ...usual, ...circumstances });
}

describe('a pod that may have what it asks for', () => {
  test('is granted exactly that, for the default lifetime', () => {
    expect(verdict({ pod: runningPod({ sans: 'web.shop.svc,*.web.shop.svc' }) })).toEqual({
      kind: 'granted',
      spec: expect.objectContaining({ commonName: 'web.shop.svc', sans: ['web.shop.svc', '*.web.shop.svc'] }),
      lifetimeMs: 24 * HOUR,
    });
  });

  test.each(['Pending', 'Running', 'Unknown', undefined])('may be in phase %s', (phase) => {
    expect(verdict({ pod: runningPod({}, { status: { phase } }) }).kind).toBe('granted');
  });

  test('may be asked for by the node that runs it', () => {
    expect(verdict({ claim: { nodeName: 'node-1' } }).kind).toBe('granted');
  });

  test('may have a name too long for a common name: it is in the SAN alone', () => {
    const long = `${'a'.repeat(60)}.shop.svc`;
    const granted = verdict({ pod: runningPod({ name: long }) });
    expect(granted).toMatchObject({ kind: 'granted', spec: { sans: [long] } });
    expect(granted).not.toHaveProperty('spec.commonName');
  });
});

describe('the lifetime is', () => {
  const limited = (maxDuration: string) => policy({ namespaces: { shop: { maxDuration } } });

  test.each<[string, Partial<Circumstances>, number]>([
    ["the CA's default", {}, 24 * HOUR],
    ["the pod's wish", { pod: runningPod({ duration: '1h30m' }) }, 1.5 * HOUR],
    ["the namespace's maximum where the default is longer", { policy: limited('2h') }, 2 * HOUR],
    ['the default where the maximum is longer', { policy: limited('48h') }, 24 * HOUR],
    ['a wish within the maximum', { policy: limited('2h'), pod: runningPod({ duration: '30m' }) }, HOUR / 2],
  ])('%s', (_title, circumstances, lifetimeMs) => {
    expect(verdict(circumstances)).toMatchObject({ kind: 'granted', lifetimeMs });
  });

  test('never longer than the maximum, whatever the pod wishes', () => {
    const lifetimes = fc.integer({ min: 5, max: 60 * 24 });
    fc.assert(
      fc.property(fc.option(lifetimes), fc.option(lifetimes), (wish, most) => {
        const result = verdict({
          pod: runningPod(wish === null ? {} : { duration: `${wish}m` }),
          ...(most !== null && { policy: limited(`${most}m`) }),
        });
        if (result.kind === 'granted') expect(result.lifetimeMs).toBeLessThanOrEqual((most ?? 24 * 60) * 60_000);
        else expect(wish ?? 0).toBeGreaterThan(most ?? 0);
      }),
    );
  });
});

describe('refused for good, because the pod is not there or does not run', () => {
  test.each<[string, Circumstances['pod'], string, RegExp]>([
    ['deleted', undefined, 'PodNotFound', /^pod shop\/web-0 does not exist any more$/],
    [
      'replaced by one of the same name',
      runningPod({}, { metadata: { uid: 'uid-2' } }),
      'PodReplaced',
      /^pod shop\/web-0 is another one than that with UID uid-1$/,
    ],
    ['without a UID', runningPod({}, { metadata: { uid: undefined } }), 'PodReplaced', /is another one/],
    [
      'being deleted',
      runningPod({}, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } }),
      'PodTerminating',
      /is being deleted$/,
    ],
    ['one that has succeeded', runningPod({}, { status: { phase: 'Succeeded' } }), 'PodFinished', /has ended$/],
    ['one that has failed', runningPod({}, { status: { phase: 'Failed' } }), 'PodFinished', /has ended$/],
  ])('%s', (_title, pod, reason, message) => {
    const code = 'GONE';
    expect(verdict({ pod })).toEqual({
      kind: 'refused',
      reason,
      code,
      final: true,
      message: expect.stringMatching(message),
    });
  });
});

describe('refused for good, because it is not who asks', () => {
  test.each<[string, Partial<Claim>, Circumstances['pod'], string, RegExp]>([
    [
      'the mirror of a static pod',
      {},
      runningPod(
        {},
        { metadata: { annotations: { ...annotations({ name: 'web.shop.svc' }), 'kubernetes.io/config.mirror': '' } } },
      ),
      'MirrorPod',
      /is the mirror of a static pod/,
    ],
    ['another node', { nodeName: 'node-2' }, runningPod(), 'WrongNode', /runs on node-1, and node-2 asks$/],
    [
      'another service account',
      { serviceAccountName: 'db' },
      runningPod(),
      'WrongServiceAccount',
      /runs as service account web, and db asks$/,
    ],
  ])('%s', (_title, claim, pod, reason, message) => {
    const code = 'UNAUTHENTICATED';
    expect(verdict({ claim, pod })).toEqual({
      kind: 'refused',
      reason,
      code,
      final: true,
      message: expect.stringMatching(message),
    });
  });
});

describe('refused for now: label and policy may change', () => {
  test.each<[string, Partial<Circumstances>, string, RegExp]>([
    [
      'a namespace without the label',
      { namespaceEnabled: false },
      'NamespaceNotEnabled',
      /^namespace shop is not labelled autocert\.step\.sm=enabled$/,
    ],
    [
      'a namespace without the label of this installation',
      { namespaceEnabled: false, policy: policy({ namespaceLabel: { key: 'tls.example.com', value: 'on' } }) },
      'NamespaceNotEnabled',
      /^namespace shop is not labelled tls\.example\.com=on$/,
    ],
    [
      'an excluded namespace, even a labelled one',
      { policy: policy({ excludedNamespaces: ['kube-system', 'shop'] }) },
      'NamespaceExcluded',
      /^namespace shop is excluded/,
    ],
    [
      'a pod without the annotation',
      { pod: runningPod({}, { metadata: { annotations: undefined } }) },
      'NoName',
      /has no annotation autocert\.step\.sm\/name/,
    ],
    [
      'a name of another namespace',
      { pod: runningPod({ sans: 'web.shop.svc,web.other.svc' }) },
      'NotAllowed',
      /"web\.other\.svc" is not a name that pods of namespace "shop" may have/,
    ],
    [
      'a name that is bound to another service account',
      {
        pod: runningPod(),
        policy: policy({
          namespaces: { shop: { serviceAccounts: { pay: { allowedNames: ['web.shop.svc'] } } } },
        }),
      },
      'NotAllowed',
      /bound to other service accounts of namespace "shop" than "web"/,
    ],
    [
      "its own namespace, where that is Autocert's and labelled by accident",
      { policy: policy({ namespace: 'shop' }) },
      'NamespaceExcluded',
      /namespace shop is excluded/,
    ],
    [
      'a name that is allowed to another namespace',
      {
        pod: runningPod({ name: 'www.example.com' }),
        policy: policy({ namespaces: { other: { allowedNames: ['*.example.com'] } } }),
      },
      'NotAllowed',
      /"www\.example\.com"/,
    ],
    [
      "a lifetime over the namespace's maximum",
      { pod: runningPod({ duration: '3h' }), policy: policy({ namespaces: { shop: { maxDuration: '2h' } } }) },
      'NotAllowed',
      /longer than namespace "shop"'s maximum of 2h/,
    ],
  ])('%s', (_title, circumstances, reason, message) => {
    expect(verdict(circumstances)).toEqual({
      kind: 'refused',
      reason,
      code: 'FORBIDDEN',
      final: false,
      message: expect.stringMatching(message),
    });
  });
});

test('what is final comes before what is not: an agent whose pod is gone learns that, whatever the label says', () => {
  const refused = { namespaceEnabled: false, policy: policy({ excludedNamespaces: ['shop'] }) };
  expect(verdict({ ...refused, pod: undefined })).toMatchObject({ code: 'GONE' });
  expect(verdict({ ...refused, claim: { serviceAccountName: 'db' } })).toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a refusal is short, however long the names are that were claimed', () => {
  const long = 'x'.repeat(100_000);
  const claims: Partial<Claim>[] = [
    { podName: long },
    { podUID: long },
    { nodeName: long },
    { serviceAccountName: long },
  ];
  for (const claim of claims) {
    for (const pod of [undefined, runningPod()]) {
      const result = verdict({ claim, pod });
      expect(result.kind === 'refused' ? result.message.length : 0).toBeLessThan(1000);
    }
  }
});
