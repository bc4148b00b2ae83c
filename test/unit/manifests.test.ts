import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { ROOT } from '../../scripts/project-files.ts';
import { type FileTexts, readFolder, synthesized } from '../../scripts/synthesis.ts';
import { type Manifest, podSpecs, restrictedFaults } from '../support/manifests.ts';

describe('dist/', () => {
  let committed: FileTexts;
  let manifests: readonly Manifest[];
  beforeAll(async () => {
    committed = await readFolder(join(ROOT, 'dist'));
    const files = Object.entries(committed).filter(([name]) => name.endsWith('.yaml'));
    manifests = files.flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS()));
  });

  test('is what main.ts synthesizes; if not, run `npm run synth`', async () => {
    expect(await synthesized()).toEqual(committed);
  });

  test('is the same, byte for byte, when it is synthesized twice', async () => {
    const [one, other] = await Promise.all([synthesized(), synthesized()]);
    expect(one).toEqual(other);
  });

  test('begins with the namespace, so that kubectl applies the files in the order of their names', () => {
    expect(manifests[0]).toMatchObject({ kind: 'Namespace', metadata: { name: 'step' } });
  });

  test('has each object once', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('is a base of kustomize that has all of its files, in a file that kubectl apply -f passes over', () => {
    const { Kustomization = '', ...others } = committed;
    expect(parse(Kustomization)).toMatchObject({
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: Object.keys(others).sort(),
    });
  });

  test('is known by a ConfigMap that no other manifests have, and that is never applied', async () => {
    const [mine, other] = [committed, await synthesized('pki')].map((files) => parse(files.Kustomization ?? ''));
    expect(mine.configMapGenerator).toEqual([
      {
        name: expect.stringMatching(/^autocert-manifests-[0-9a-f]{10}$/),
        options: {
          disableNameSuffixHash: true,
          annotations: { 'config.kubernetes.io/local-config': 'true' },
        },
      },
    ]);
    expect(other.configMapGenerator[0].name).not.toBe(mine.configMapGenerator[0].name);
  });

  test('has no Secret and nothing that looks like one', () => {
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret');
    expect(Object.values(committed).join()).not.toMatch(/PRIVATE KEY|BEGIN CERTIFICATE|eyJ/);
  });

  test('has pods only that pass Pod Security restricted', () => {
    const specs = [...podSpecs(manifests)];
    expect(specs.map(([name]) => name).sort()).toEqual([
      'CronJob/autocert-pki',
      'Deployment/autocert',
      'Deployment/autocert-signer',
      expect.stringMatching(/^Job\/autocert-init-/),
      'StatefulSet/ca',
    ]);
    expect(specs.flatMap(([, spec]) => restrictedFaults(spec))).toEqual([]);
  });
});
