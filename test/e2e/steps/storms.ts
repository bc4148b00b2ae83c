/**
 * Steps 12.4 and 12.5, with `--long`: a hundred pods with native delivery all at once, and the signer's leader killed amid as
 * many. They take as long as kubelet needs to start them.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation } from '../../../runtime/contract.ts';
import { PAUSE_IMAGE } from '../../../scripts/cluster/components.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { answerTimes, percentile } from '../../../scripts/cluster/signer-log.ts';
import { enabledNamespace, podTemplate } from '../../../scripts/cluster/workloads.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';

const STORM = { app: 'storm', replicas: 100, killAfter: 15 } as const;

/** The steps, in `namespace`, which they make if need be. */
export function stormSteps({ kubectl, print }: Context, namespace: string): Step[] {
  const start = () => kubectl.apply([enabledNamespace(namespace), storm(namespace)]);
  /** How many requests of storms have their certificate; the cluster keeps answered ones for a while. */
  const issued = async () => {
    const path = '{range .items[*]}{.spec.podName}={.status.conditions[0].type}{"\\n"}{end}';
    const list = await kubectl.run(['-n', namespace, 'get', 'podcertificaterequests', '-o', `jsonpath=${path}`]);
    return list.split('\n').filter((line) => line.startsWith(STORM.app) && line.endsWith('=Issued')).length;
  };
  return [
    {
      id: '12.4',
      long: true,
      name: `${STORM.replicas} pods start at once: all become ready`,
      run: async () => {
        await start();
        await kubectl.rolledOut(namespace, `deployment/${STORM.app}`, '170s');
        const times = await answerTimes(kubectl, `${STORM.app}-`);
        assert.equal(times.length, STORM.replicas);
        print(
          `       from request to certificate: median ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`,
        );
        await kubectl.run(['-n', namespace, 'delete', 'deployment', STORM.app, '--cascade=foreground']);
      },
    },
    {
      id: '12.5',
      long: true,
      name: `the signer's leader is killed while ${STORM.replicas} pods start: all become ready`,
      run: async () => {
        const earlier = await issued();
        await start();
        const first = async () => (await issued()) - earlier >= STORM.killAfter;
        await waitFor('the first certificates', first, { timeoutMs: 120_000 });
        const path = 'jsonpath={.spec.holderIdentity}';
        const holder = await kubectl.run(['-n', SYSTEM, 'get', 'lease', 'autocert-signer', '-o', path]);
        const [leader = ''] = holder.split('_');
        await kubectl.run(['-n', SYSTEM, 'delete', 'pod', leader, '--grace-period=0', '--force']);
        await kubectl.rolledOut(namespace, `deployment/${STORM.app}`, '170s');
        await kubectl.run(['-n', namespace, 'delete', 'deployment', STORM.app, '--wait=false']);
        await kubectl.rolledOut(SYSTEM, 'deployment/autocert-signer');
      },
    },
  ];
}

function storm(namespace: string): object {
  const annotations = {
    [Annotation.name]: `${STORM.app}.${namespace}.svc.cluster.local`,
    [Annotation.delivery]: 'native',
  };
  const template = podTemplate(STORM.app, {
    annotations,
    spec: { terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, enableServiceLinks: false },
  });
  const pause = { name: 'main', image: PAUSE_IMAGE, imagePullPolicy: 'IfNotPresent' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: STORM.app, namespace },
    spec: {
      replicas: STORM.replicas,
      selector: { matchLabels: { app: STORM.app } },
      template: { ...template, spec: { ...template.spec, containers: [pause] } },
    },
  };
}
