/**
 * The program `autocert` as somebody runs it who has a kubeconfig.
 * @module
 */
import { join } from 'node:path';
import { run } from '../../scripts/cluster/shell.ts';
import type { Context } from './context.ts';

const PROGRAM = join(import.meta.dirname, '../../runtime/cli/main.ts');

/** Runs `autocert args…` against the cluster under test, which must succeed; returns standard output. */
export function autocert({ kubectl, inNetwork }: Context, args: readonly string[]): Promise<string> {
  const flag = kubectl.argv.find((word) => word.startsWith('--kubeconfig='));
  const kubeconfig = flag?.slice('--kubeconfig='.length) ?? process.env.KUBECONFIG ?? '';
  return run(inNetwork([process.execPath, PROGRAM, ...args]), { env: { KUBECONFIG: kubeconfig } });
}
