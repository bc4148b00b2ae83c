/**
 * An earlier version of this repository, built by its own scripts: its image, under a tag of its own, and its manifests.
 * @module
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../scripts/cluster/shell.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** The last version before this one: what is in the field. */
const BEFORE = 'a58ab90947b7e2080add1fa5bcfecea18e9c18bb';

/** Its image. */
const IMAGE = 'autocert:0.1.0-old';

/** The commit to upgrade from: that of the environment variable, else the last version. */
export function oldCommit(): string {
  return process.env.UPGRADE_FROM ?? BEFORE;
}

/**
 * Builds it in `folder`, from Git alone: no worktree is left behind. Its manifests are in `dist` there.
 * @returns its image, a docker-archive
 */
export async function buildOldVersion(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'source.tar');
  await run(['git', 'archive', `--output=${archive}`, oldCommit()], { cwd: ROOT });
  const source = join(folder, 'source');
  mkdirSync(source);
  await run(['tar', '--extract', `--file=${archive}`, `--directory=${source}`]);
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  const imageFile = join(folder, 'image.tar');
  await run([process.execPath, 'scripts/image.ts', '--tag', IMAGE, '--output', imageFile], { cwd: source });
  // Its own main.ts, but for the image.
  writeFileSync(join(source, 'upgrade-app.ts'), APP);
  const synth = ['npx', 'cdk8s', 'synth', '--check-upgrade=false', '--app', 'node upgrade-app.ts'];
  await run([...synth, '--output', join(folder, 'dist')], { cwd: source });
  return imageFile;
}

const APP = `
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, StepCa } from './constructs/index.ts';

const app = new App();
const ca = new StepCa(new Chart(app, 'step-ca'), 'ca', { autocertImage: '${IMAGE}' });
new AutocertWebhook(new Chart(app, 'autocert'), 'autocert', { ca, image: '${IMAGE}' });
app.synth();
`;
