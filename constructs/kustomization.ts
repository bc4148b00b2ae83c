/**
 * For `kubectl apply -k` and overlays of kustomize: a list of the manifests, beside them.
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from 'cdk8s';
import { digest } from './objects.ts';

/** One of the three names that kustomize knows, and the one that `kubectl apply -f` passes over. */
const FILE = 'Kustomization';

/**
 * Writes the file `Kustomization` into the folder of an app that has been synthesized: `app.synth()` first. In it is, besides the
 * list, the name of a ConfigMap with a digest of the manifests. It is never applied; what is written for these manifests and
 * for no others, as `npm run overlay` does, asks for it.
 * @throws Error of the file system
 */
export function writeKustomization(app: App): void {
  const resources = readdirSync(app.outdir)
    .filter((name) => name.endsWith(app.outputFileExtension))
    .sort();
  const texts = resources.map((name) => readFileSync(join(app.outdir, name), 'utf8'));
  const lines = [
    'apiVersion: kustomize.config.k8s.io/v1beta1',
    'kind: Kustomization',
    'resources:',
    ...resources.map((name) => `  - ${name}`),
    '# Never applied: an overlay that was made for these manifests asks for it.',
    'configMapGenerator:',
    `  - name: autocert-manifests-${digest(texts)}`,
    '    options:',
    '      disableNameSuffixHash: true',
    '      annotations: { config.kubernetes.io/local-config: "true" }',
  ];
  writeFileSync(join(app.outdir, FILE), `${lines.join('\n')}\n`);
}
