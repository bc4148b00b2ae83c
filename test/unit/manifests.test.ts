import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { type Manifest, podSpecs, restrictedFaults } from '../support/manifests.ts';

const ROOT = join(import.meta.dirname, '../..');

type Files = Readonly<Record<string, string>>;

async function readFolder(folder: string): Promise<Files> {
  const names = (await readdir(folder)).sort();
  const texts = names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

/** What `main.ts` writes, in a folder of its own: `cdk8s synth` does no more than to run it. */
async function synthesize(): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), 'autocert-synth-'));
  try {
    const env = { ...process.env, CDK8S_OUTDIR: folder, NODE_OPTIONS: '' };
    await promisify(execFile)(process.execPath, ['main.ts'], { cwd: ROOT, env });
    return await readFolder(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('dist/', () => {
  let committed: Files;
  let manifests: readonly Manifest[];
  beforeAll(async () => {
    committed = await readFolder(join(ROOT, 'dist'));
    const files = Object.entries(committed).filter(([name]) => name.endsWith('.yaml'));
    manifests = files.flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS()));
  });

  test('is what main.ts synthesizes; if not, run `npm run synth`', async () => {
    expect(await synthesize()).toEqual(committed);
  });

  test('is the same, byte for byte, when it is synthesized twice', async () => {
    const [one, other] = await Promise.all([synthesize(), synthesize()]);
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
    const { Kustomization, ...others } = committed;
    expect(parseAllDocuments(Kustomization ?? '')[0]?.toJS()).toEqual({
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: Object.keys(others).sort(),
    });
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
