/**
 * Starts pods together on an idle node, and looks at it while they are Ready.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Annotation } from '../runtime/contract.ts';
import { untilIdle } from './idle.ts';
import type { MeasuredCluster } from './with-node.ts';

const PROGRAM = join(import.meta.dirname, 'programs/pods.ts');
const CERTIFICATE = { [Annotation.name]: 'bench.default.svc.cluster.local' };

/** Ways to be delivered to, and to be left alone, by their annotations. */
export const KINDS = {
  uninjected: {},
  native: { ...CERTIFICATE, [Annotation.delivery]: 'native' },
  sidecar: { ...CERTIFICATE, [Annotation.delivery]: 'sidecar' },
} as const;
/** One of {@link KINDS}. */
export type Kind = keyof typeof KINDS;

/**
 * Seconds from the creation of the first until all are Ready.
 * @param looks `before` they are created, on the idle node, and `ready`, as long as they are there
 */
export async function startPods(
  { node, note }: MeasuredCluster,
  kind: Kind,
  count: number,
  looks: { readonly before?: () => unknown; readonly ready?: () => unknown } = {},
): Promise<number> {
  await untilIdle(node, note);
  await looks.before?.();
  const command = [process.execPath, PROGRAM, String(count), JSON.stringify(KINDS[kind])];
  const [file = '', ...args] = node.node.inNetwork(command);
  const env = { ...process.env, KUBECONFIG: join(node.node.folder, 'admin.kubeconfig') };
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(child.stdout, 'data'), ended.then(() => ['nothing'])]);
  const milliseconds = Number(String(line));
  if (Number.isNaN(milliseconds)) throw new Error(`${count} ${kind} pods did not become ready`);
  try {
    await looks.ready?.();
  } finally {
    child.stdin.end();
    await ended;
  }
  return milliseconds / 1000;
}
