/**
 * The program `autocert` as somebody runs it who has a kubeconfig.
 * @module
 */
import { join } from 'node:path';
import { background, type Result, run, tryRun } from '../../scripts/cluster/shell.ts';
import type { Context } from './context.ts';

/** The command, of this repository. */
export const AUTOCERT = [process.execPath, join(import.meta.dirname, '../../runtime/cli/main.ts')] as const;

/** Runs `autocert args…` against the cluster under test, which must succeed; returns standard output. */
export function autocert(context: Context, args: readonly string[]): Promise<string> {
  return run(argvOf(context, args), { env: environmentOf(context) });
}

/** The same, whatever comes of it, with standard input. */
export function tryAutocert(context: Context, args: readonly string[], input: string): Promise<Result> {
  return tryRun(argvOf(context, args), { env: environmentOf(context), input });
}

/** Starts one that goes on. */
export function autocertInBackground(context: Context, args: readonly string[]): ReturnType<typeof background> {
  const env = Object.entries(environmentOf(context)).map(([name, value]) => `${name}=${value}`);
  return background(context.inNetwork(['env', ...env, ...AUTOCERT, ...args]));
}

function argvOf({ inNetwork }: Context, args: readonly string[]): readonly string[] {
  return inNetwork([...AUTOCERT, ...args]);
}

function environmentOf({ kubectl }: Context) {
  const flag = kubectl.argv.find((word) => word.startsWith('--kubeconfig='));
  return { KUBECONFIG: flag?.slice('--kubeconfig='.length) ?? process.env.KUBECONFIG ?? '' };
}
