/**
 * The cluster itself, before anything of ours is in it: what fails here is not Autocert's.
 * @module
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { controlGroups } from '../../../scripts/cluster/control-groups.ts';
import { cgroupOf, removeOldNodes } from '../../../scripts/cluster/node.ts';
import { processesNaming } from '../../../scripts/cluster/processes.ts';
import { background, waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import type { Context, Step } from '../context.ts';

const NAMESPACE = 'default';

/** Steps 0.x. */
export function clusterSteps({ kubectl, ownNode }: Context): Step[] {
  const plainPod: Step = {
    id: '0.1',
    name: 'a plain pod becomes ready, runs commands and finds names in DNS',
    base: true,
    run: async () => {
      await kubectl.apply([testPod(NAMESPACE, 'probe')]);
      await kubectl.ready(NAMESPACE, 'app=probe');
      assert.equal(await kubectl.exec(NAMESPACE, 'probe', 'main', ['echo', 'hello']), 'hello\n');
      await kubectl.exec(NAMESPACE, 'probe', 'main', ['nslookup', 'kubernetes.default.svc.cluster.local']);
      await kubectl.run(['-n', NAMESPACE, 'delete', 'pod', 'probe', '--wait=false']);
    },
  };
  const killed: Step = {
    id: '0.2',
    name: 'a node whose run is killed with -9 dies with it, and the next run removes its files',
    run: async () => {
      const module = new URL('../../../scripts/cluster/node.ts', import.meta.url).href;
      const script = `const { ClusterNode } = await import(${JSON.stringify(module)}); console.log((await ClusterNode.start(false)).folder); setInterval(() => undefined, 1000)`;
      const victim = background([process.execPath, '--input-type=module', '-e', script]);
      const folder = await waitFor('a node', async () => victim.output().trim() || undefined);
      assert(processesNaming(folder).length > 0, 'the node runs');
      victim.child.kill('SIGKILL');
      await waitFor('its processes to end', async () => processesNaming(folder).length === 0, { timeoutMs: 5_000 });
      await removeOldNodes(false);
      assert(!existsSync(folder), folder);
      assert.deepEqual(controlGroups(cgroupOf(basename(folder))), []);
    },
  };
  return ownNode ? [plainPod, killed] : [plainPod];
}
