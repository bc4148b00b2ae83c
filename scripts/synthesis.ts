/**
 * What `main.ts` synthesizes, without a change of `dist/`.
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './project-files.ts';

/** What each file of a folder has, by its name. */
export type FileTexts = Readonly<Record<string, string>>;

/** The files of a folder, in the order of their names. */
export async function readFolder(folder: string): Promise<FileTexts> {
  const names = (await readdir(folder)).sort();
  const texts = names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

/**
 * What `main.ts` writes, in a folder of its own: `cdk8s synth` does no more than to run it.
 * @param namespace of the installation; absent: that of `dist/`
 */
export async function synthesized(namespace?: string): Promise<FileTexts> {
  const folder = await mkdtemp(join(tmpdir(), 'autocert-synth-'));
  try {
    const { AUTOCERT_NAMESPACE: _, ...others } = process.env;
    const own = namespace === undefined ? {} : { AUTOCERT_NAMESPACE: namespace };
    const env = { ...others, ...own, CDK8S_OUTDIR: folder, NODE_OPTIONS: '' };
    await promisify(execFile)(process.execPath, ['main.ts'], { cwd: ROOT, env });
    return await readFolder(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
