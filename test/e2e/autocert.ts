/**
 * The program `autocert` as somebody runs it who has a kubeconfig.
 * @module
 */
import { join } from 'node:path';
import { background, type Result, run, tryRun } from '../../scripts/cluster/shell.ts';
import type { Context } from './context.ts';

/** The command, of this repository. */
export const AUTOCERT = [process.execPath, join(import.meta.dirname, '../../runtime/cli/main.ts')] as const;

/** What it takes of a cluster. */
type CliContext = Pick<Context, 'kubectl' | 'inNetwork'>;

/** Runs `autocert args…` against the cluster under test, which must succeed; returns standard output. */
export function autocert(context: CliContext, args: readonly string[]): Promise<string> {
  return run(argvOf(context, args), { env: environmentOf(context) });
}

/** The same, whatever comes of it, with standard input. */
export function tryAutocert(context: CliContext, args: readonly string[], input: string): Promise<Result> {
  return tryRun(argvOf(context, args), { env: environmentOf(context), input });
}

/** Starts one that goes on. */
export function autocertInBackground(context: Context, args: readonly string[]): ReturnType<typeof background> {
  const env = Object.entries(environmentOf(context)).map(([name, value]) => `${name}=${value}`);
  return background(context.inNetwork(['env', ...env, ...AUTOCERT, ...args]));
}

function argvOf({ inNetwork }: CliContext, args: readonly string[]): readonly string[] {
  return inNetwork([...AUTOCERT, ...args]);
}

function environmentOf(context: CliContext) {
  return { KUBECONFIG: kubeconfigOf(context) };
}

/** Path of the kubeconfig by which `kubectl` goes. */
export function kubeconfigOf({ kubectl }: Pick<CliContext, 'kubectl'>): string {
  const flag = kubectl.argv.find((word) => word.startsWith('--kubeconfig='));
  return flag?.slice('--kubeconfig='.length) ?? process.env.KUBECONFIG ?? '';
}
