/**
 * The state of the cluster in text, for a step that failed: pods, events, and for each pod that is not well its
 * description and the end of its logs.
 * @module
 */

import { isReady, type Kubectl, type Pod } from '../../scripts/cluster/kubectl.ts';
import { SYSTEM } from './context.ts';

const LOG_LINES = '25';
const MOST_PODS = 3;

/** Pods, newest events, and everything on the pods that are not ready or belong to Autocert. */
export async function diagnose(kubectl: Kubectl): Promise<string> {
  const show = async (args: readonly string[]) => {
    const { stdout, stderr } = await kubectl.try(args, { timeoutMs: 20_000 });
    return `$ kubectl ${args.join(' ')}\n${stdout}${stderr}`;
  };
  const pods = await kubectl.json<{ items: readonly Pod[] }>(['get', 'pods', '-A']);
  const unwell = pods.items.filter((pod) => pod.status.phase !== 'Succeeded' && !isReady(pod)).slice(0, MOST_PODS);
  const own = pods.items.filter((pod) => pod.metadata.namespace === SYSTEM);
  const sections = [
    await show(['get', 'pods', '-A', '-o', 'wide']),
    lastLines(await show(['get', 'events', '-A', '--sort-by=.lastTimestamp']), 40),
  ];
  for (const { metadata } of unwell) {
    sections.push(await show(['-n', metadata.namespace ?? '', 'describe', 'pod', metadata.name]));
  }
  for (const { metadata } of new Set([...unwell, ...own])) {
    const which = ['-n', metadata.namespace ?? '', 'logs', metadata.name];
    sections.push(await show([...which, '--all-containers', '--prefix', `--tail=${LOG_LINES}`]));
  }
  return sections.join('\n');
}

function lastLines(text: string, count: number): string {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  return [head, ...lines.slice(-count)].join('\n');
}
