/**
 * Autocert in the cluster: manifests synthesized from this repository, applied, rolled out.
 * @module
 */
import { join } from 'node:path';
import type { Kubectl } from './kubectl.ts';
import { run } from './shell.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Namespace of CA, webhook and signer. */
export const SYSTEM = 'step';

/** Writes the manifests of a cdk8s app into `folder`. @param app command that runs it; absent: that of `npm run synth` */
export async function synthesize(folder: string, app?: string): Promise<void> {
  const other = app === undefined ? [] : ['--app', app];
  await run(['npx', 'cdk8s', 'synth', '--check-upgrade=false', '--output', folder, ...other], { cwd: ROOT });
}

/** Applies the manifests in `folder` and waits for what they bring. */
export async function install(kubectl: Kubectl, folder: string): Promise<void> {
  await kubectl.run(['apply', '-f', folder]);
  await installed(kubectl);
}

/** Waits for the Job and for every workload of the namespace. */
export async function installed(kubectl: Kubectl, namespace = SYSTEM): Promise<void> {
  await kubectl.run(['-n', namespace, 'wait', 'job', '--all', '--for=condition=Complete', '--timeout=90s']);
  const workloads = await kubectl.run(['-n', namespace, 'get', 'deployments,statefulsets', '-o', 'name']);
  for (const workload of workloads.trim().split('\n')) await kubectl.rolledOut(namespace, workload);
}
