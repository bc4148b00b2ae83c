import { AutocertWebhook, type PodProps, StepCa } from '../../../constructs/index.ts';
import { type Manifest, synth } from '../../support/manifests.ts';
import { reaches } from '../../support/network.ts';

const made = (props: PodProps = {}) =>
  synth((chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca', props), ...props }));
/** Pod templates of all workloads, by name: CA, Job, CronJob, webhook, signer. */
const templates = (manifests: readonly Manifest[]) =>
  new Map(
    manifests.flatMap(({ kind, metadata, spec }) => {
      const template = spec?.template ?? spec?.jobTemplate?.spec.template;
      return template === undefined ? [] : [[`${kind}/${metadata.name.replace(/-[0-9a-f]{10}$/, '')}`, template]];
    }),
  );
const NAMES = [
  'CronJob/autocert-pki',
  'Deployment/autocert',
  'Deployment/autocert-signer',
  'Job/autocert-init',
  'StatefulSet/ca',
];
const usual = templates(made());
const given = made({
  podLabels: { team: 'platform', 'example.com/cost-center': '42', 'app.kubernetes.io/name': 'autocert' },
  podAnnotations: { 'linkerd.io/inject': 'disabled', note: '' },
  imagePullSecrets: ['registry', 'mirror.example.com'],
});

test('the pods are all that there are', () => expect([...usual.keys()].sort()).toEqual(NAMES));

describe.each(NAMES)('the pods of %s', (name) => {
  const template = templates(given).get(name);
  const before = usual.get(name);

  test('have the labels that are given, beside those by which they are found', () => {
    expect(template.metadata.labels).toEqual({
      team: 'platform',
      'example.com/cost-center': '42',
      'app.kubernetes.io/name': 'autocert',
      ...before.metadata.labels,
    });
    expect(Object.keys(before.metadata.labels)).toEqual(['app']);
  });

  test('have the annotations that are given, beside our own', () => {
    expect(template.metadata.annotations).toEqual({
      'linkerd.io/inject': 'disabled',
      note: '',
      ...before.metadata.annotations,
    });
  });

  test('are pulled with the Secrets that are given', () => {
    expect(template.spec.imagePullSecrets).toEqual([{ name: 'registry' }, { name: 'mirror.example.com' }]);
    expect(before.spec).not.toHaveProperty('imagePullSecrets');
  });
});

test('selectors stay as they are: labels of pods go nowhere else', () => {
  const selectors = (manifests: readonly Manifest[]) =>
    manifests.map(({ kind, spec }) => [kind, spec?.selector, spec?.podSelector]);
  expect(selectors(given)).toEqual(selectors(made()));
});

test('the network of labelled pods is as closed and as open as ever', () => {
  const party = (name: string) => ({ namespace: 'step', labels: templates(given).get(name).metadata.labels });
  expect(reaches(given, party('Deployment/autocert'), party('StatefulSet/ca'), 4443)).toBe(true);
  expect(reaches(given, party('Job/autocert-init'), party('StatefulSet/ca'), 4443)).toBe(false);
});

test('what is given empty is left out: the API server would not keep it', () => {
  expect(made({ podLabels: {}, podAnnotations: {}, imagePullSecrets: [] })).toEqual(made());
});

describe('refused are', () => {
  const KEY = 'but it takes a key such as "team" or "example.com/team"';
  const OURS = 'but this key is Autocert’s: take another';
  const THEIRS = 'but this key is Kubernetes’ own: take another';
  test.each<[string, object, string]>([
    [
      'the label by which pods are found',
      { podLabels: { app: 'x' } },
      'podLabels.app: got "x", but this label is Autocert’s: Services and NetworkPolicies find pods by it',
    ],
    ['even as it is', { podLabels: { app: 'ca' } }, 'podLabels.app: got "ca", but this label is Autocert’s'],
    ['the label of namespaces', { podLabels: { 'autocert.step.sm': 'enabled' } }, OURS],
    ['labels of ours', { podLabels: { 'autocert.step.sm/x': '' } }, OURS],
    ['annotations of ours', { podAnnotations: { 'autocert.step.sm/config-checksum': '' } }, OURS],
    ['below our domain', { podAnnotations: { 'x.autocert.step.sm/y': '' } }, OURS],
    ['the container of kubectl', { podAnnotations: { 'kubectl.kubernetes.io/default-container': 'x' } }, OURS],
    ...[
      'pod-template-hash',
      'controller-revision-hash',
      'job-name',
      'controller-uid',
      'batch.kubernetes.io/job-name',
    ].map((key): [string, object, string] => ['labels of controllers', { podLabels: { [key]: 'x' } }, THEIRS]),
    ['a key with a space', { podLabels: { 'my team': 'x' } }, `podLabels: got "my team", ${KEY}`],
    ['an empty key', { podAnnotations: { '': 'x' } }, KEY],
    ['an empty prefix', { podLabels: { '/team': 'x' } }, KEY],
    ['an empty name', { podLabels: { 'example.com/': 'x' } }, KEY],
    ['two slashes', { podLabels: { 'a/b/c': 'x' } }, KEY],
    ['a prefix in upper case', { podLabels: { 'Example.com/team': 'x' } }, KEY],
    ['a key of 64 letters', { podLabels: { ['k'.repeat(64)]: 'x' } }, KEY],
    ['a prefix of 254 letters', { podLabels: { [`${'a.'.repeat(126)}aa/x`]: 'x' } }, KEY],
    ['a key that ends in a dash', { podAnnotations: { 'team-': 'x' } }, KEY],
    ['a label with a space', { podLabels: { team: 'a b' } }, 'podLabels.team: got "a b", but it takes the value'],
    [
      'a label that is a number',
      { podLabels: { team: 5 } },
      'podLabels.team: got 5, but it takes the value of a label',
    ],
    ['labels in a list', { podLabels: ['team'] }, 'podLabels: got ["team"], but it takes an object'],
    [
      'an annotation that is a number',
      { podAnnotations: { port: 9402 } },
      'podAnnotations.port: got 9402, but it takes a string: put numbers, true and false in quotes',
    ],
    [
      'more annotations than an object may have',
      { podAnnotations: { a: 'x'.repeat(256 * 1024) } },
      'podAnnotations: got "262145 bytes", but all annotations together take 262144 bytes at most',
    ],
    [
      'one Secret without a list',
      { imagePullSecrets: 'registry' },
      'imagePullSecrets: got "registry", but it takes a list',
    ],
    [
      'a Secret as a pod has it',
      { imagePullSecrets: [{ name: 'registry' }] },
      'imagePullSecrets[0]: got {"name":"registry"}, but it takes lower-case letters',
    ],
    [
      'a Secret twice',
      { imagePullSecrets: ['a', 'b', 'a'] },
      'imagePullSecrets: got ["a","b","a"], but it takes "a" once',
    ],
  ])('%s: %j', (_what, props, message) => expect(() => made(props as PodProps)).toThrow(message));
});

test.each(['a'.repeat(63), 'A.b_c-d', '0', `${'a.'.repeat(125)}bcd/x`, 'istio.io/rev'])(
  'a key that Kubernetes takes is taken: %s',
  (key) => expect(() => made({ podLabels: { [key]: 'x' }, podAnnotations: { [key]: 'x' } })).not.toThrow(),
);
