import fc from 'fast-check';
import type { PolicyConfig } from '../../../runtime/contract.ts';
import { judgePod } from '../../../runtime/policy/certificate-spec.ts';
import { annotations, policy } from '../../support/pods.ts';

const NAME = 'web.shop.svc';
const judge = (values: Parameters<typeof annotations>[0], config: PolicyConfig = policy()) =>
  judgePod({ namespace: 'shop', serviceAccount: 'default', annotations: annotations(values) }, config);
const reasons = (values: Parameters<typeof annotations>[0], config?: PolicyConfig) => {
  const judgement = judge(values, config);
  return judgement.kind === 'denied' ? judgement.reasons : [];
};

test('a pod without the name annotation asks for nothing', () => {
  expect(judgePod({ namespace: 'shop', serviceAccount: 'default', annotations: {} }, policy())).toEqual({
    kind: 'none',
  });
  expect(judge({ name: '', sans: 'anything' })).toEqual({ kind: 'none' });
});

test('a name alone is common name and SAN', () => {
  expect(judge({ name: NAME })).toEqual({
    kind: 'admitted',
    spec: { commonName: NAME, sans: [NAME], initFirst: false, bootstrapperOnly: false, delivery: 'auto' },
  });
});

test('every annotation is honoured', () => {
  expect(
    judge({
      name: NAME,
      sans: 'web.shop.svc, *.web.shop.svc.cluster.local',
      duration: '1h30m',
      owner: '999:998',
      mode: '0600',
      initFirst: 'true',
      bootstrapperOnly: 'true',
      delivery: 'sidecar',
      status: 'injected',
    }),
  ).toEqual({
    kind: 'admitted',
    spec: {
      commonName: NAME,
      sans: ['web.shop.svc', '*.web.shop.svc.cluster.local'],
      duration: 5_400_000,
      owner: { uid: 999, gid: 998 },
      mode: 0o600,
      initFirst: true,
      bootstrapperOnly: true,
      delivery: 'sidecar',
    },
  });
});

test('empty sans and other empty annotations count as absent', () => {
  expect(judge({ name: NAME, sans: ' ', duration: '', owner: '', mode: '', initFirst: '', delivery: '' })).toEqual(
    judge({ name: NAME }),
  );
});

describe('names', () => {
  test('sans are judged as the name is: another namespace is refused', () => {
    expect(reasons({ name: NAME, sans: 'web.shop.svc,web.other.svc' })).toEqual([
      expect.stringMatching(/^autocert\.step\.sm\/sans: "web\.other\.svc" is not a name that pods of namespace "shop"/),
    ]);
  });

  test('the pod of another service account does not get what is bound to one', () => {
    const serviceAccounts = { pay: { allowedNames: ['pay.shop.svc'] } };
    const config = policy({ namespaces: { shop: { serviceAccounts } } });
    const asked = { namespace: 'shop', annotations: annotations({ name: 'pay.shop.svc' }) };
    expect(judgePod({ ...asked, serviceAccount: 'pay' }, config).kind).toBe('admitted');
    expect(judgePod({ ...asked, serviceAccount: 'web' }, config).kind).toBe('denied');
  });

  test.each(['kube-system', 'step', 'closed'])(
    'pods of namespace %s get nothing, whatever the list says',
    (namespace) => {
      const asked = { namespace, serviceAccount: 'default', annotations: annotations({ name: `a.${namespace}.svc` }) };
      expect(judgePod(asked, policy({ excludedNamespaces: ['closed'] }))).toEqual({ kind: 'excluded' });
    },
  );

  test('the name is judged even if sans replace it', () => {
    expect(reasons({ name: 'web.other.svc', sans: NAME })).toEqual([
      expect.stringMatching(/\/name: "web\.other\.svc"/),
    ]);
  });

  test('more is allowed where the namespace says so', () => {
    const config = policy({ namespaces: { shop: { allowedNames: ['*.shop.example.com', '10.0.0.0/8'] } } });
    expect(judge({ name: 'www.shop.example.com', sans: 'www.shop.example.com,10.1.2.3' }, config).kind).toBe(
      'admitted',
    );
    expect(judge({ name: 'www.other.example.com' }, config).kind).toBe('denied');
  });

  test('what is allowed to one namespace is not allowed to another', () => {
    const config = policy({ namespaces: { other: { allowedNames: ['*.example.com'] } } });
    expect(judge({ name: 'www.example.com' }, config).kind).toBe('denied');
  });

  test('a namespace called like a property of every object has no policy of its own', () => {
    const pod = {
      namespace: 'constructor',
      serviceAccount: 'default',
      annotations: annotations({ name: 'web.constructor.svc' }),
    };
    expect(judgePod(pod, policy()).kind).toBe('admitted');
  });

  test('all wrong SANs are named in one message', () => {
    const [reason = ''] = reasons({ name: NAME, sans: `${NAME},UPPER.shop.svc,,${NAME},::ffff:1.2.3.4` });
    for (const part of ['upper-case', 'it is empty', `"${NAME}" is there twice`, 'IPv4 address in IPv6 form']) {
      expect(reason).toContain(part);
    }
  });

  test('one address in two spellings is there twice', () => {
    const config = policy({ namespaces: { shop: { allowedNames: ['fd00::/8'] } } });
    expect(reasons({ name: NAME, sans: 'fd00::1,FD00:0::1' }, config)).toEqual([
      expect.stringMatching(/"fd00::1" is there twice/),
    ]);
  });

  test('more than 64 SANs are refused', () => {
    const sans = Array.from({ length: 65 }, (_, index) => `w${index}.shop.svc`).join(',');
    expect(reasons({ name: NAME, sans })).toEqual([expect.stringMatching(/65 names are more than 64/)]);
  });

  test('a name of 64 characters is a common name, a longer one is a SAN alone', () => {
    const fits = `${'a'.repeat(55)}.shop.svc`;
    expect(judge({ name: fits })).toMatchObject({ spec: { commonName: fits, sans: [fits] } });
    const long = `${'a'.repeat(56)}.shop.svc`;
    expect(judge({ name: long })).toMatchObject({ spec: { sans: [long] } });
    expect(judge({ name: long })).not.toHaveProperty('spec.commonName');
    expect(judge({ name: NAME, sans: long })).toMatchObject({ spec: { commonName: NAME, sans: [long] } });
  });

  test('a name that is too long for a common name joins the SANs, once', () => {
    const long = `${'a'.repeat(60)}.shop.svc`;
    expect(judge({ name: long, sans: NAME })).toMatchObject({ spec: { sans: [long, NAME] } });
    expect(judge({ name: long, sans: `${NAME},${long}` })).toMatchObject({ spec: { sans: [long, NAME] } });
  });
});

describe('lifetimes', () => {
  test.each([
    ['5 parsecs', /"5 parsecs" is not a duration/],
    ['1m', /shorter than the CA's minimum of 5m/],
    ['25h', /longer than the CA's maximum of 24h/],
  ])('%s is refused', (duration, message) => {
    expect(reasons({ name: NAME, duration })).toEqual([expect.stringMatching(message)]);
  });

  test("a namespace's limit is named", () => {
    const config = policy({ namespaces: { shop: { maxDuration: '2h' } } });
    expect(reasons({ name: NAME, duration: '3h' }, config)).toEqual([
      expect.stringMatching(/longer than namespace "shop"'s maximum of 2h/),
    ]);
  });

  test("a namespace's limit shortens the CA's default, and only then asks for a lifetime", () => {
    const limited = judge({ name: NAME }, policy({ namespaces: { shop: { maxDuration: '2h' } } }));
    expect(limited).toMatchObject({ spec: { duration: 7_200_000 } });
    const wide = judge({ name: NAME }, policy({ namespaces: { shop: { maxDuration: '48h' } } }));
    expect(wide).not.toHaveProperty('spec.duration');
  });
});

describe('values that are none', () => {
  test.each([
    [{ mode: '999' }, /mode: "999" is not a file mode: write three octal digits, such as 0600/],
    [{ mode: '0o600' }, /is not a file mode/],
    [{ mode: '1600' }, /is not a file mode/],
    [{ mode: '0044' }, /leaves the owner unable to read/],
    [{ owner: 'root' }, /owner: "root" is not an owner: write uid:gid in numbers, such as 999:999/],
    [{ owner: '1:2:3' }, /is not an owner/],
    [{ owner: '2147483648:1' }, /is not an owner/],
    [{ initFirst: 'yes' }, /init-first: "yes" is neither "true" nor "false"/],
    [{ bootstrapperOnly: 'TRUE' }, /bootstrapper-only: "TRUE" is neither/],
    [{ delivery: 'foo' }, /delivery: "foo" is not a delivery: write auto, native, sidecar/],
  ])('%j', (values, message) => {
    expect(reasons({ name: NAME, ...values })).toEqual([expect.stringMatching(message)]);
  });

  test('an annotation with a typing error is refused with the right one', () => {
    const pod = {
      namespace: 'shop',
      serviceAccount: 'default',
      annotations: { ...annotations({ name: NAME }), 'autocert.step.sm/san': 'x' },
    };
    expect(judgePod(pod, policy())).toEqual({
      kind: 'denied',
      reasons: [expect.stringMatching(/"autocert\.step\.sm\/san" is not .* did you mean autocert\.step\.sm\/sans\?/)],
    });
  });

  test('an unheard-of annotation is refused with the list of known ones', () => {
    const pod = {
      namespace: 'shop',
      serviceAccount: 'default',
      annotations: { ...annotations({ name: NAME }), 'autocert.step.sm/verily-so': 'x' },
    };
    expect(judgePod(pod, policy())).toMatchObject({
      reasons: [expect.stringMatching(/known are autocert\.step\.sm\/name,/)],
    });
  });

  const judgeWith = (junk: Record<string, string>) => {
    const started = process.cpuUsage();
    const pod = {
      namespace: 'shop',
      serviceAccount: 'default',
      annotations: { ...annotations({ name: NAME }), ...junk },
    };
    const judgement = judgePod(pod, policy());
    const said = judgement.kind === 'denied' ? judgement.reasons.join('; ') : '';
    return { said, ms: process.cpuUsage(started).user / 1000 };
  };
  const unknown = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`autocert.step.sm/junk-${index}`, '']));

  test('of many unknown annotations five are named', () => {
    const { said } = judgeWith(unknown(100));
    expect(said.match(/is not an annotation/g)).toHaveLength(5);
    expect(said).toContain('95 more annotations are not known');
  });

  test.each([
    ['45,000 unknown annotations', unknown(45_000), /the pod has 45001 annotations, and one .* may have 1000/],
    [
      '1,001 of other people',
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, ''])),
      /1001 annotations/,
    ],
    ['a key of a megabyte', { [`autocert.step.sm/${'x'.repeat(1_000_000)}`]: '' }, /more than the 262144 that the/],
    ['a value of a megabyte', { x: 'x'.repeat(1_000_000) }, /more than the 262144 that the/],
    ['sans of 200 kB', { 'autocert.step.sm/sans': ','.repeat(200_000) }, /sans: 200000 characters are more than/],
    ['unknown keys as long as they may be', { [`autocert.step.sm/${'x'.repeat(300)}`]: '' }, /is not an annotation/],
  ])('%s are refused in few words and little time', (_what, junk, words) => {
    const { said, ms } = judgeWith(junk);
    expect(said).toMatch(words);
    expect(Buffer.byteLength(said)).toBeLessThanOrEqual(4096);
    // It took seconds, and answered with megabytes.
    expect(ms).toBeLessThan(500);
  });

  test('a refusal has 4 KiB at most, and says that it was cut', () => {
    const sans = Array.from({ length: 64 }, (_, index) => `${'a'.repeat(300)}${index}`).join(',');
    const { said } = judgeWith({ 'autocert.step.sm/sans': sans });
    expect(Buffer.byteLength(said)).toBeLessThanOrEqual(4096);
    expect(said).toMatch(/… \(and more: this message has been cut\)$/);
  });

  test("other people's annotations are none of our business", () => {
    const pod = {
      namespace: 'shop',
      serviceAccount: 'default',
      annotations: { ...annotations({ name: NAME }), 'example.com/x': '', x: '' },
    };
    expect(judgePod(pod, policy()).kind).toBe('admitted');
  });

  test('all faults are found at once', () => {
    expect(
      reasons({ name: 'web.other.svc', sans: 'a.b.c', duration: 'x', owner: 'x', mode: 'x', initFirst: 'x' }),
    ).toHaveLength(6);
  });
});

test('whatever the annotations are, the judgement is an answer', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom(NAME, 'true', '0600', '1:1', '1h', '*', '::', 'a://b'));
  const keys = fc.constantFrom(
    'name',
    'sans',
    'duration',
    'initFirst',
    'bootstrapperOnly',
    'owner',
    'mode',
    'delivery',
  );
  fc.assert(
    fc.property(fc.dictionary(keys, value), (values) => {
      const judgement = judge(values);
      if (judgement.kind === 'denied') expect(judgement.reasons.length).toBeGreaterThan(0);
      if (judgement.kind === 'admitted') expect(judgement.spec.sans.length).toBeGreaterThan(0);
    }),
  );
});
