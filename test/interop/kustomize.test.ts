/**
 * Overlays in another namespace than that of `dist/`, built by the kustomize of kubectl: what comes of them, what they are refused
 * for, and that a real API server takes it.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'cdk8s';
import { parseAllDocuments, stringify } from 'yaml';
import { writeKustomization } from '../../constructs/index.ts';
import { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { ensureKubernetes } from '../../scripts/cluster/programs.ts';
import { KUBERNETES_BIN } from '../../scripts/cluster/settings.ts';
import { overlayFor, writeOverlay } from '../../scripts/overlay.ts';
import { ROOT } from '../../scripts/project-files.ts';
import { readFolder, synthesized } from '../../scripts/synthesis.ts';
import { Typist, type TypistContext } from '../e2e/typist.ts';
import { ApiServer } from '../support/api-server.ts';
import type { Manifest } from '../support/manifests.ts';
import { KUBERNETES_BUILD_TIMEOUT_MS } from '../support/programs.ts';

const SELF = 'test/interop/kustomize.test.ts';
const EXAMPLE = join(ROOT, 'examples/kustomize-namespace');
const DIST = join(ROOT, 'dist');
const kustomize = new Kubectl([join(KUBERNETES_BIN, 'kubectl')]);

let scratch: string;
beforeAll(() => ensureKubernetes(() => undefined), KUBERNETES_BUILD_TIMEOUT_MS);
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'autocert-kustomize-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

type Objects = Readonly<Record<string, Manifest>>;

/** Objects by kind, namespace and name: kustomize has them in an order of its own. */
function objectsIn(...texts: readonly string[]): Objects {
  const all = texts.flatMap((text) => parseAllDocuments(text).map((document): Manifest => document.toJS()));
  const names = all.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
  return Object.fromEntries(all.map((object, index) => [names[index], object]));
}

async function manifestsFor(namespace?: string): Promise<readonly string[]> {
  const { Kustomization: _, ...manifests } = await synthesized(namespace);
  return Object.values(manifests);
}

/** A kustomization of its own. @returns its folder */
function kustomization(content: object, name = 'overlay'): string {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'kustomization.yaml'), stringify(content));
  return folder;
}

/** The example's Component, upon a copy of `dist/` that is changed: what kubectl says of it. */
async function refusal(change: (base: string) => void): Promise<string> {
  cpSync(DIST, join(scratch, 'base'), { recursive: true });
  cpSync(join(EXAMPLE, 'namespace'), join(scratch, 'overlay/namespace'), { recursive: true });
  change(join(scratch, 'base'));
  const { code, stderr } = await kustomize.try([
    'kustomize',
    kustomization({ resources: ['../base'], components: ['namespace'] }),
  ]);
  expect(code).not.toBe(0);
  return stderr;
}

/** Changes a manifest as somebody with an editor would. */
function edit(base: string, file: string, from: string, to: string): void {
  const text = readFileSync(join(base, file), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(base, file), text.replace(from, to));
}

describe('the example', () => {
  test('is what main.ts makes for its namespace, but for images and replicas', async () => {
    const built = objectsIn(await kustomize.run(['kustomize', EXAMPLE]));
    const manifests = (await manifestsFor('pki')).map((text) =>
      text
        .replaceAll(' image: autocert:', ' image: registry.example.com/platform/autocert:')
        .replaceAll(' image: smallstep/step-ca:', ' image: registry.example.com/mirror/step-ca:'),
    );
    const { 'Deployment pki/autocert': webhook, ...others } = objectsIn(...manifests);
    expect(built).toEqual({
      ...others,
      'Deployment pki/autocert': { ...webhook, spec: { ...webhook?.spec, replicas: 3 } },
    });
  });

  test('has nothing left of the namespace of dist/', async () => {
    const built = await kustomize.run(['kustomize', EXAMPLE]);
    const others = /autocert\W*\.step\W*\.sm|\/home\/step(?:\/\.step)?|step-ca/g; // annotations, folders, the program
    expect(built.replaceAll(others, '').match(/.*\bstep\b.*/g)).toBeNull();
  });
});

test.each(['on', '123', `a${'-x'.repeat(31)}`])(
  'an overlay for namespace %s is what main.ts makes for it',
  async (name) => {
    const component = await overlayFor(name, await readFolder(DIST));
    writeOverlay(join(scratch, 'overlay/namespace'), component);
    symlinkSync(DIST, join(scratch, 'dist'));
    const folder = kustomization({ resources: ['../dist'], components: ['namespace'] });
    expect(objectsIn(await kustomize.run(['kustomize', folder]))).toEqual(objectsIn(...(await manifestsFor(name))));
  },
);

describe('an overlay is refused', () => {
  const POLICIES = '0001-autocert.k8s.yaml';

  test('for manifests of a later version, even where it replaces nothing', async () => {
    const said = await refusal((base) => {
      edit(base, POLICIES, 'failurePolicy: Fail', 'failurePolicy: Ignore');
      writeKustomization(new App({ outdir: base }));
    });
    expect(said).toMatch(/no matches for Id ConfigMap\S+autocert-manifests-[0-9a-f]{10}\./);
  });

  test('beside dist/ in one kustomization, where kustomize would have the names of one refer to the other', async () => {
    const both = join(scratch, 'both');
    cpSync(join(EXAMPLE, 'namespace'), join(both, 'pki/namespace'), { recursive: true });
    symlinkSync(DIST, join(both, 'dist'));
    kustomization({ resources: ['../dist'], components: ['namespace'] }, 'both/pki');
    const folder = kustomization({ resources: ['dist', 'pki'] }, 'both');
    const { code, stderr } = await kustomize.try(['kustomize', folder]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/already registered id: ConfigMap\S+autocert-manifests-/);
  });

  test.each([
    [
      'a policy',
      'system:serviceaccount:step:autocert-signer"]',
      'system:serviceaccount:step:other"]',
      '/spec/matchConditions/0/expression',
    ],
    ['a list', '- step\n', '- other\n', '/webhooks/0/namespaceSelector/matchExpressions/0/values/1'],
    ['a file of a ConfigMap', '"maxDuration": "24h"', '"maxDuration": "1h"', '/data/config.json'],
    [
      'a checksum',
      'config-checksum: 2',
      'config-checksum: 3',
      '/spec/template/metadata/annotations/autocert.step.sm~1config-checksum',
    ],
  ])('for manifests in which somebody has changed what it replaces: %s', async (_, from, to, path) => {
    const said = await refusal((base) => edit(base, POLICIES, from, to));
    expect(said).toContain(`testing value ${path} failed`);
  });
});

test('docs/gitops.md: an installation in a namespace of its own, which the API server takes as it is', async () => {
  await using server = await ApiServer.start({ 'disable-admission-plugins': 'ServiceAccount' }); // nobody makes accounts here
  symlinkSync(DIST, join(scratch, 'dist'));
  const kubectl = new Kubectl([join(KUBERNETES_BIN, 'kubectl'), `--kubeconfig=${server.kubeconfig}`]);
  const context: TypistContext = { kubectl, scratch, step: 'step', inNetwork: (argv) => [...argv] };
  const type = (page: string, part: string) => new Typist(context, page).type(SELF, part);
  await type('docs/gitops.md', 'namespace');
  const { code, stdout } = await kubectl.try(['diff', '-k', join(scratch, 'guide/platform/autocert')]);
  expect([code, stdout]).toEqual([0, '']);
  await kubectl.run(['-n', 'tls', 'get', 'deployment/autocert', 'validatingadmissionpolicy/autocert.tls']);
}, 600_000);
