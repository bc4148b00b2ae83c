/**
 * The cluster itself, before anything of ours is in it: what fails here is not Autocert's.
 * @module
 */
import assert from 'node:assert/strict';
import type { Context, Step } from '../context.ts';
import { testPod } from '../workloads.ts';

const NAMESPACE = 'default';

/** Steps 0.x. */
export function clusterSteps({ kubectl }: Context): Step[] {
  return [
    {
      id: '0.1',
      name: 'a plain pod becomes ready, runs commands and finds names in DNS',
      base: true,
      run: async () => {
        await kubectl.apply([testPod(NAMESPACE, 'probe')]);
        await kubectl.ready(NAMESPACE, 'app=probe');
        const api = 'https://kubernetes.default.svc.cluster.local/livez';
        assert.equal(await kubectl.exec(NAMESPACE, 'probe', 'main', ['echo', 'hello']), 'hello\n');
        assert.equal(await kubectl.exec(NAMESPACE, 'probe', 'main', ['curl', '--insecure', '--silent', api]), 'ok');
        await kubectl.run(['-n', NAMESPACE, 'delete', 'pod', 'probe', '--wait=false']);
      },
    },
  ];
}
