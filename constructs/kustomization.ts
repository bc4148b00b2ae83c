/**
 * For `kubectl apply -k` and overlays of kustomize: a list of the manifests, beside them.
 * @module
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { App } from 'cdk8s';

/** One of the three names that kustomize knows, and the one that `kubectl apply -f` passes over. */
const FILE = 'Kustomization';

/**
 * Writes the file `Kustomization` into the folder of an app that has been synthesized: `app.synth()` first.
 * @throws Error of the file system
 */
export function writeKustomization(app: App): void {
  const resources = readdirSync(app.outdir)
    .filter((name) => name.endsWith(app.outputFileExtension))
    .sort();
  const lines = ['apiVersion: kustomize.config.k8s.io/v1beta1', 'kind: Kustomization', 'resources:'];
  writeFileSync(join(app.outdir, FILE), [...lines, ...resources.map((name) => `  - ${name}`), ''].join('\n'));
}
