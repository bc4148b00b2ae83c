import { dashboardOf, type Facts } from '../../../../runtime/cli/dashboard/model.ts';
import { podRows } from '../../../../runtime/cli/dashboard/pod-rows.ts';
import { servingOf } from '../../../../runtime/cli/dashboard/serving.ts';
import { certificateTree, type TreeNode } from '../../../../runtime/cli/dashboard/tree.ts';
import type { Installation } from '../../../../runtime/cli/observed/installation.ts';
import type { PodStatus } from '../../../../runtime/cli/observed/pods.ts';

const NOW = new Date('2026-11-29T12:00:00Z');
const at = (hours: number) => new Date(NOW.getTime() + hours * 3_600_000).toISOString();

const INSTALLATION: Installation = {
  namespace: 'step',
  parts: [
    { name: 'CA', object: 'statefulset/ca', presence: 'there', ready: 1, wanted: 1 },
    { name: 'webhook', object: 'deployment/autocert', presence: 'there', ready: 2, wanted: 2 },
    { name: 'signer', object: 'deployment/autocert-signer', presence: 'missing' },
  ],
  roots: [{ name: '"Root"', notAfter: at(24 * 3650), fingerprint: 'aa' }],
  intermediates: [
    { name: '"Intermediate"', notAfter: at(24 * 700), fingerprint: 'bb', issuer: 'aa' },
    { name: '"Stray"', notAfter: at(24 * 700), fingerprint: 'cc' },
  ],
  registrations: [{ object: 'mutatingwebhookconfiguration/autocert', presence: 'there' }],
};
const pod = (name: string, rest: Partial<PodStatus> = {}): PodStatus => ({
  namespace: 'shop',
  name,
  certificateName: `${name}.shop.svc`,
  injected: true,
  delivery: 'native',
  ...rest,
});
const issued = (begins: number, ends: number) =>
  ({
    request: {
      state: 'Issued',
      notBefore: at(begins),
      notAfter: at(ends),
      renewsAt: at(begins + ((ends - begins) * 2) / 3),
    },
  }) as const;

function shown(pods: readonly PodStatus[], rest: Partial<Facts> & { installation?: Installation } = {}) {
  const { installation = INSTALLATION, ...facts } = rest;
  const report = { installation, pods, more: false, others: [] };
  return dashboardOf({ report, readAt: NOW, everyMs: 2_000, serving: [], ...facts });
}

describe('a pod', () => {
  test.each([
    ['valid', pod('a', issued(-1, 23)), 'good'],
    ['past its end', pod('a', issued(-25, -1)), 'expired'],
    ['past its renewal by more than a tenth of its lifetime', pod('a', issued(-19, 5)), 'late'],
    ['past its renewal by less', pod('a', issued(-17, 7)), 'good'],
    ['denied', pod('a', { request: { state: 'Denied', message: 'no' } }), 'failing'],
    ['waiting for its first', pod('a', { request: { state: 'Pending' } }), 'waiting'],
    ['not injected', pod('a', { injected: false }), 'missing'],
    ['an agent that tells nothing', pod('a', { delivery: 'sidecar' }), 'quiet'],
    [
      'an agent that fails',
      pod('a', { delivery: 'sidecar', warning: { reason: 'NotAllowed', message: 'no', at: at(-1) } }),
      'failing',
    ],
    [
      'an agent of which an Event tells',
      pod('a', { delivery: 'sidecar', certificate: { serial: 'ab', issuedAt: at(-1), notAfter: at(1) } }),
      'good',
    ],
  ] as const)('that is %s is told so', (_, one, state) => {
    expect(podRows([one], NOW)).toMatchObject([{ state }]);
  });

  test('that needs a look comes first', () => {
    const all = [pod('a', issued(-1, 23)), pod('b', { injected: false }), pod('c', issued(-25, -1))];
    expect(shown(all).pods.map(({ name }) => name)).toEqual(['c', 'b', 'a']);
  });

  test('counts in its namespace', () => {
    const all = [pod('a', issued(-1, 23)), pod('b', issued(-1, 2)), pod('c', { injected: false, namespace: 'bank' })];
    expect(shown(all).namespaces).toEqual([
      { name: 'bank', pods: 1, troubled: 1 },
      { name: 'shop', pods: 2, troubled: 0, firstEnd: at(2) },
    ]);
  });
});

describe('problems', () => {
  const objects = (data: ReturnType<typeof shown>) => data.problems.map(({ object }) => object);

  test('are none where all is well', () => {
    expect(shown([pod('a', issued(-1, 23))]).problems).toEqual([]);
  });

  test('each have a remedy: pods, parts, registrations and the ends of the PKI', () => {
    const installation: Installation = {
      ...INSTALLATION,
      parts: [{ name: 'CA', object: 'statefulset/ca', presence: 'there', ready: 0, wanted: 1 }],
      roots: [{ name: '"Root"', notAfter: at(-1), fingerprint: 'aa' }],
      registrations: [{ object: 'mutatingwebhookconfiguration/autocert', presence: 'there', problem: 'no caBundle' }],
    };
    const data = shown([pod('a', { injected: false }), pod('b', { request: { state: 'Denied', message: 'no' } })], {
      installation,
    });
    expect(objects(data)).toEqual([
      'statefulset/ca',
      'mutatingwebhookconfiguration/autocert',
      'root "Root"',
      'namespace/shop',
      'shop/pod/b',
    ]);
    for (const { remedy } of data.problems) expect(remedy).toMatch(/kubectl|autocert /);
    expect(data.components[0]).toMatchObject({ state: 'bad', words: '0 of 1 ready' });
  });

  test("are the doctor's before ours, each object once, errors first", () => {
    const finding = { check: 'x', message: 'm', remedy: 'r' };
    const findings = [
      { ...finding, object: 'node/a', severity: 'warning' },
      { ...finding, object: 'namespace/shop', severity: 'error' },
    ] as const;
    const diagnosis = { namespace: 'step', healthy: false, findings, notLookedAt: ['nodes'], others: [] };
    const data = shown([pod('a', { injected: false })], { diagnosis, diagnosedAt: NOW });
    expect(data.problems.map(({ object, message }) => [object, message])).toEqual([
      ['namespace/shop', 'm'],
      ['node/a', 'm'],
    ]);
    expect(data.notLookedAt).toEqual(['nodes']);
  });

  test('are fifty at most, and say how many more there are', () => {
    const pods = Array.from({ length: 60 }, (_, index) => pod(`p${index}`, issued(-25, -1)));
    const { problems, moreProblems } = shown(pods);
    expect([problems.length, moreProblems]).toEqual([50, 10]);
  });
});

test('certificates are below the one that has issued them', () => {
  const serving = [{ pod: 'autocert-1', notAfter: at(20), fingerprint: 'dd' }];
  const names = (nodes: readonly TreeNode[]): unknown => nodes.map(({ name, children }) => [name, names(children)]);
  expect(names(certificateTree(INSTALLATION, serving))).toEqual([
    ['Root', [['Intermediate', [['autocert-1', []]]]]],
    ['Stray', []],
  ]);
});

describe('what a replica of the webhook serves with', () => {
  const sample = (value: string) =>
    `# TYPE x gauge\nautocert_certificate_not_after_timestamp_seconds{kind="serving",fingerprint="0123456789abcdef"} ${value}\n`;
  test('is read from its metrics', () => {
    expect(servingOf('a', sample(`${NOW.getTime() / 1000}`))).toEqual({
      pod: 'a',
      notAfter: NOW.toISOString(),
      fingerprint: '0123456789abcdef',
    });
  });
  test.each(['', 'autocert_up 1', sample('1e300'), sample('NaN')])('is unknown where they say %j', (text) => {
    expect(servingOf('a', text)).toBeUndefined();
  });
});

test('texts are short, and without what cannot be seen', () => {
  const hostile = `<script>\u202e\u001b[31m\n${'x'.repeat(10_000)}`;
  const [row] = shown([pod('a', { sans: hostile })]).pods;
  expect(row?.names).toMatch(/^<script>\\u202e\\u001b\[31m x+…$/);
  expect(row?.names.length).toBeLessThanOrEqual(400);
});
