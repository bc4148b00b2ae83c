/**
 * What the guides have one look at by hand, with kubectl, when something is wrong.
 * @module
 */
import assert from 'node:assert/strict';
import type { Context, Step } from '../context.ts';
import { Typist } from '../typist.ts';

/** Of a cluster without native delivery, of a pod with several containers, of a namespace in which nothing happened. */
const COMPLAINTS = /doesn't have a resource type|^Defaulted container|^No resources found/;

/** The step; the pod `sleep-sidecar` of steps 4.x stands for those that the guides name. */
export function byHandStep(context: Context, id: string): Step {
  const { kubectl } = context;
  const monitoring = new Typist(context, 'docs/monitoring.md');
  const native = new Typist(context, 'docs/native.md');
  const runbooks = new Typist(context, 'docs/runbooks.md');
  const troubleshooting = new Typist(context, 'docs/troubleshooting.md');
  return {
    id,
    name: 'pods, events and logs are there to be read by the commands of the guides',
    run: async () => {
      const pod = (await kubectl.ready('default', 'app=sleep-sidecar')).metadata.name;
      const [issued = ''] = await monitoring.type('18.4');
      assert.match(issued, /"certificate issued"/);
      const complaints = COMPLAINTS;
      await native.type('18.4', undefined, { complaints, inPlaceOf: { 'pod cart': `pod ${pod}` } });
      await runbooks.type('18.4', 'around', { complaints });
      await runbooks.type('18.4', 'native', { complaints });
      const here = { '-n shop': '-n default', 'web-0': pod, 'app=web ': 'app=sleep-sidecar ' };
      const [looked = ''] = await troubleshooting.type('18.4', undefined, { complaints, inPlaceOf: here });
      assert.match(looked, /"certificate received"|"msg":/);
    },
  };
}
