import { parse } from 'yaml';
import { componentFor, type KubernetesObject } from '../../../scripts/kustomize-component.ts';

const object = (kind: string, name: string, more: object = {}): KubernetesObject => ({
  kind,
  metadata: { name },
  ...more,
});

function patchesOf(...pairs: readonly (readonly [KubernetesObject, KubernetesObject])[]) {
  const text = componentFor(
    pairs.map(([before]) => before),
    pairs.map(([, after]) => after),
    'manifests',
  );
  const [, ...patches] = parse(text, { version: '1.1' }).patches;
  return patches.map(({ target, patch }: { target: object; patch: string }) => ({
    target,
    patch: parse(patch, { version: '1.1' }),
  }));
}

const account = (name: string, namespace: string): KubernetesObject => ({
  kind: 'ServiceAccount',
  metadata: { name, namespace },
});
const replaced = (path: string, from: unknown, to: unknown) => [
  { op: 'test', path, value: from },
  { op: 'replace', path, value: to },
];

test('a value that differs is tested and replaced, by its JSON pointer', () => {
  const checksum = (value: string) => object('Pod', 'web', { a: [1, { 'x.y/~z': value }] });
  expect(patchesOf([checksum('old'), checksum('new')])).toEqual([
    { target: { kind: 'Pod', name: 'web' }, patch: replaced('/a/1/x.y~1~0z', 'old', 'new') },
  ]);
});

test('what is longer, or has other keys, is replaced as a whole', () => {
  const role = (verbs: readonly string[], rule: object) => object('Role', 'web', { verbs, rule });
  expect(patchesOf([role(['get'], { a: 1 }), role(['get', 'list'], { b: 1 })])).toEqual([
    {
      target: { kind: 'Role', name: 'web' },
      patch: [...replaced('/verbs', ['get'], ['get', 'list']), ...replaced('/rule', { a: 1 }, { b: 1 })],
    },
  ]);
});

test('what several objects have in common is one patch, for them and for no others', () => {
  const same = (kind: string, name: string) => [object(kind, name), object(kind, name)] as const;
  const renamed = (kind: string) => [object(kind, 'autocert'), object(kind, 'autocert.pki')] as const;
  const moved = (name: string) => [account(name, 'step'), account(name, 'pki')] as const;
  const others = [same('Deployment', 'autocert'), same('Role', 'web')];
  expect(patchesOf(...others, renamed('Role'), renamed('Binding'), moved('a'), moved('b'))).toEqual([
    {
      target: { kind: 'Role|Binding', name: 'autocert' },
      patch: replaced('/metadata/name', 'autocert', 'autocert.pki'),
    },
    { target: { namespace: 'step' }, patch: replaced('/metadata/namespace', 'step', 'pki') },
  ]);
});

test('each object has a patch of its own where no selector is for just these', () => {
  const moved = (kind: string, name: string) => [object(kind, name, { at: 1 }), object(kind, name, { at: 2 })] as const;
  const same = object('A', 'y');
  const patches = patchesOf(moved('A', 'x'), moved('B', 'y'), [same, same]);
  expect(patches.map(({ target }: { target: object }) => target)).toEqual([
    { kind: 'A', name: 'x' },
    { kind: 'B', name: 'y' },
  ]);
});

test('no selector is empty, which kustomize would take for all objects', () => {
  const renamed = (kind: string) => [object(kind, 'autocert'), object(kind, 'autocert.pki')] as const;
  const same = account('autocert', 'step');
  expect(patchesOf(renamed('Role'), renamed('Binding'), [same, same])).toMatchObject([
    { target: { kind: 'Role|Binding' } },
  ]);
});

test('an object is told from one of its kind and name in another namespace', () => {
  const same = account('web', 'default');
  expect(patchesOf([same, same], [account('web', 'step'), account('web', 'pki')])).toMatchObject([
    { target: { kind: 'ServiceAccount', name: 'web', namespace: 'step' } },
  ]);
});

test('words that kustomize would take for something else than text stay text', () => {
  for (const word of ['on', 'no', 'null', '123', '1234567e89', '0x10', '12:30']) {
    expect(patchesOf([account('web', 'step'), account('web', word)])).toMatchObject([
      { patch: [{ value: 'step' }, { value: word }] },
    ]);
  }
});

test('no patch ends with a line end that belongs to a value: kustomize cuts it off', () => {
  const file = (text: string) => object('ConfigMap', 'web', { data: { 'a.json': text } });
  const text = componentFor([file('{\n"a": "x"\n}\n')], [file(`{\n"a": "${'y'.repeat(200)}"\n}\n`)], 'manifests');
  const [, { patch }] = parse(text).patches;
  expect(patch.trimEnd()).toMatch(/path: \/data\/a\.json$/);
});

test('other objects are refused', () => {
  const build = () => componentFor([object('Pod', 'web')], [object('Job', 'web')], 'manifests');
  expect(build).toThrow('the manifests have other objects: Job');
});
