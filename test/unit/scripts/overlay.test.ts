import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { overlayFor, writeOverlay } from '../../../scripts/overlay.ts';
import { ROOT } from '../../../scripts/project-files.ts';
import { type FileTexts, readFolder } from '../../../scripts/synthesis.ts';

const COMMITTED = join(ROOT, 'examples/kustomize-namespace/namespace');

describe('the Component of the example', () => {
  let base: FileTexts;
  let committed: string;
  beforeAll(async () => {
    base = await readFolder(join(ROOT, 'dist'));
    committed = readFileSync(join(COMMITTED, 'kustomization.yaml'), 'utf8');
  });

  test('is current; if not, run `npm run overlay -- --namespace pki`', async () => {
    expect(await overlayFor('pki', base)).toBe(committed);
  });

  test('asks first whether the manifests are those that it was made for', () => {
    const [{ name }] = parse(base.Kustomization ?? '').configMapGenerator;
    const [first] = parse(committed).patches;
    expect(first).toEqual({ patch: expect.any(String) }); // one with a target is passed over where nothing matches
    expect(parse(first.patch)).toEqual({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
  });

  test('replaces no value before it has been tested', () => {
    const [, ...patches] = parse(committed).patches;
    const operations = patches.map(({ patch }: { patch: string }) => parse(patch));
    expect(operations.length).toBeGreaterThan(20);
    for (const list of operations) {
      for (let at = 0; at < list.length; at += 2) {
        const { path } = list[at];
        expect(list.slice(at, at + 2)).toMatchObject([
          { op: 'test', path },
          { op: 'replace', path },
        ]);
      }
    }
  });
});

describe('an overlay is refused', () => {
  const MANIFEST = 'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: autocert, namespace: step }\n';
  const files = (manifest = MANIFEST) => ({
    'a.yaml': manifest,
    Kustomization: 'configMapGenerator: [{ name: autocert-manifests-1 }]',
  });
  const synthesize = async (namespace = 'step') => files(MANIFEST.replace('step', namespace));

  test.each(['', 'Pki', 'my.namespace', '-pki', 'a_b', 'x'.repeat(64)])(
    'for %j, which no namespace is called',
    (name) =>
      expect(overlayFor(name, files(), synthesize)).rejects.toThrow(
        `--namespace is "${name}": name it with lower-case letters, digits and "-", at most 63 of them, such as "pki"`,
      ),
  );

  test('for the namespace where dist/ is', () =>
    expect(overlayFor('step', files(), synthesize)).rejects.toThrow(
      '--namespace is step, where dist/ is already: apply it as it is, or name another',
    ));

  test('of a main.ts that has its own namespace always', () =>
    expect(overlayFor('pki', files(), async () => files())).rejects.toThrow(
      'give StepCa its namespace as process.env.AUTOCERT_NAMESPACE',
    ));

  test('for a dist/ that main.ts does not make', () =>
    expect(overlayFor('pki', files(`${MANIFEST}# mine`), synthesize)).rejects.toThrow(
      'dist/ is not what main.ts synthesizes: npm run synth, and then this again',
    ));
});

describe('an overlay is written', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'autocert-overlay-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const OURS = '# Written by `npm run overlay -- --namespace pki`\n';
  const read = (at: string) => readFileSync(join(at, 'kustomization.yaml'), 'utf8');

  test('into a new folder, and in place of an earlier one', () => {
    const at = join(folder, 'platform/namespace');
    writeOverlay(at, OURS);
    writeOverlay(at, `${OURS}# another`);
    expect(read(at)).toBe(`${OURS}# another`);
  });

  test('over no file of somebody else', () => {
    writeFileSync(join(folder, 'kustomization.yaml'), 'resources: []\n');
    expect(() => writeOverlay(folder, OURS)).toThrow(
      `--out: ${folder} has files that are not of npm run overlay, such as kustomization.yaml; name a new folder`,
    );
    expect(read(folder)).toBe('resources: []\n');
  });

  test('beside no file or folder of somebody else', () => {
    writeOverlay(folder, OURS);
    mkdirSync(join(folder, 'base'));
    expect(() => writeOverlay(folder, OURS)).toThrow('such as base; name a new folder');
  });
});
