/**
 * Wrong clocks. libfaketime shifts that of Node's programs: webhook, signer, agent. step-ca and Kubernetes are static Go
 * programs, which it cannot reach: a CA that is ahead is a webhook and a signer that are behind, and the other way round.
 * @module
 */
import { ContainerName } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { isReady, type Pod } from '../../../scripts/cluster/kubectl.ts';
import { FIRST_NODE } from '../../../scripts/cluster/settings.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import type { Fault } from './fault.ts';
import { type Lab, PARTS } from './lab.ts';
import { annotationsOf, FAULTS_NAMESPACE } from './settings.ts';

/** Where the image has the library. */
export const FAKETIME = '/usr/local/lib/libfaketime.so.1';

/** Environment of a program whose clock is wrong; its timers are not. */
function skewedBy(shift: string): Record<string, string> {
  return { LD_PRELOAD: FAKETIME, FAKETIME: shift, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

function imageOf({ ports }: Lab): string {
  if (ports.skewedImage === undefined) throw new Error('there is no image whose clock can be set wrong');
  return ports.skewedImage;
}

async function skewServers(lab: Lab, shift: string): Promise<() => Promise<void>> {
  const servers = [PARTS.webhook, PARTS.signer];
  const env = Object.entries(skewedBy(shift)).map(([name, value]) => ({ name, value }));
  for (const name of servers) {
    const container = { name, image: imageOf(lab), env };
    const patch = { spec: { template: { spec: { containers: [container] } } } };
    await lab.kubectl.run(['-n', SYSTEM, 'patch', 'deployment', name, '-p', JSON.stringify(patch)]);
  }
  return async () => {
    for (const name of servers) await lab.kubectl.run(['-n', SYSTEM, 'rollout', 'undo', `deployment/${name}`]);
  };
}

/** A pod that the webhook has injected, with another image for its agent. */
async function skewedPod(lab: Lab, name: string, shift: string): Promise<object> {
  const plain = testPod(FAULTS_NAMESPACE, name, {
    annotations: annotationsOf(name, 'sidecar'),
    spec: { nodeSelector: { 'kubernetes.io/hostname': FIRST_NODE.name } },
  });
  const made = await lab.kubectl.run(['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
    input: JSON.stringify(plain),
  });
  const { metadata, spec } = JSON.parse(made) as Pod;
  const more = Object.entries(skewedBy(shift)).map(([key, value]) => ({ name: key, value }));
  const initContainers = spec.initContainers?.map((container) =>
    container.name === ContainerName.renewer
      ? { ...container, image: imageOf(lab), env: [...(container.env ?? []), ...more] }
      : container,
  );
  const { name: own, namespace, labels, annotations } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: own, namespace, labels, annotations },
    spec: { ...spec, initContainers },
  };
}

/** How many certificates an agent has had so far. */
async function obtained(lab: Lab, pod: string): Promise<number> {
  const logs = await lab.kubectl.try(['-n', FAULTS_NAMESPACE, 'logs', pod, '-c', ContainerName.renewer]);
  return logs.stdout.split('\n').filter((line) => line.includes('certificate written')).length;
}

/** The faults. */
export const clockFaults: readonly Fault[] = (
  [
    ['ahead', '+1h'],
    ['behind', '-1h'],
  ] as const
).flatMap(([way, shift]): Fault[] => [
  {
    id: `servers-${way}`,
    name: `clocks of webhook and signer an hour ${way}, 40 s`,
    happens: 'The CA takes no token of theirs: new pods wait, and none is given up.',
    lastsMs: 40_000,
    inject: async (lab) => {
      const end = await skewServers(lab, shift);
      return { end };
    },
  },
  {
    id: `agent-${way}`,
    name: `clock of an agent an hour ${way}, 30 s`,
    happens:
      'Its pod, whose certificate is not valid by that clock, is late; nobody else is, and the CA is not asked in a loop.',
    lastsMs: 30_000,
    inject: async (lab) => {
      const name = `skewed-${way}`;
      const pod = await skewedPod(lab, name, shift);
      await lab.kubectl.run(['create', '-f', '-'], { input: JSON.stringify(pod) });
      return {
        end: async () => {
          const [now] = await lab.kubectl.pods(FAULTS_NAMESPACE, `app=${name}`);
          const count = await obtained(lab, name);
          lab.note(`its pod was ${now && isReady(now) ? 'ready' : 'not ready'}; ${count} certificates in 30 s`);
          await lab.kubectl.run(['-n', FAULTS_NAMESPACE, 'delete', 'pod', name, '--wait=false']);
          await waitFor('it to go', async () => (await lab.kubectl.pods(FAULTS_NAMESPACE, `app=${name}`)).length === 0);
        },
      };
    },
  },
]);
