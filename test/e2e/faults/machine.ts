/**
 * Faults of machines and of Kubernetes itself: full disks, restarted parts, nodes that are drained or die.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CERTIFICATE_DIR, ContainerName, PkiObject } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { SECOND_NODE } from '../../../scripts/cluster/settings.ts';
import { tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { tryToWakeAgent } from '../steps/rights.ts';
import { type Fault, once } from './fault.ts';
import type { Lab } from './lab.ts';
import { withoutObject } from './objects.ts';
import { FAULTS_NAMESPACE } from './settings.ts';

/** What Kubernetes' documentation has an operator do about a node that is dead and stays so. */
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

async function placeOnSecond(lab: Lab): Promise<void> {
  await lab.placeCaOnSecond();
  await lab.spread();
}

/** Drains the second node, which must come to an end. */
async function drain(lab: Lab): Promise<void> {
  const begin = Date.now();
  const options = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=90s'];
  await lab.kubectl.run(['drain', SECOND_NODE.name, ...options]);
  lab.note(`drained in ${Math.round((Date.now() - begin) / 1000)} s`);
}

const uncordon = async (lab: Lab) => {
  await lab.kubectl.run(['uncordon', SECOND_NODE.name]);
};

/** The faults. */
export const machineFaults: readonly Fault[] = [
  {
    id: 'volume-full',
    name: 'the CA’s volume full: somebody else’s file',
    happens: 'Nothing is issued; once there is room the CA goes on.',
    inject: async (lab) => {
      const file = `${lab.first.folder}/volumes/somebody-else`;
      await tryRun(lab.first.inside(['dd', 'if=/dev/zero', `of=${file}`, 'bs=1M'])); // ends when there is no room
      return {
        end: async () => {
          await tryRun(lab.first.inside(['rm', file]));
        },
      };
    },
  },
  {
    id: 'files-full',
    name: 'a pod’s certificate volume full while its agent renews',
    happens: 'The old files stay in use until there is room.',
    inject: async (lab) => {
      const target = 'deployment/server-sidecar';
      const file = `${CERTIFICATE_DIR}/somebody-else`;
      const inAgent = (script: string) =>
        lab.kubectl.try([
          '-n',
          FAULTS_NAMESPACE,
          'exec',
          target,
          '-c',
          ContainerName.renewer,
          '--',
          '/bin/sh',
          '-c',
          script,
        ]);
      await inAgent(`/bin/busybox dd if=/dev/zero of=${file} bs=4k`);
      await tryToWakeAgent(lab, FAULTS_NAMESPACE, target).catch(() => undefined); // it may be awake
      return {
        end: async () => {
          await inAgent(`rm ${file}`);
        },
      };
    },
  },
  {
    id: 'apiserver-restarted',
    name: 'API server restarted (killed with -9)',
    happens: 'Nothing can be made until it is back; watches begin anew.',
    inject: once(async (lab) => lab.first.restart('apiserver')),
  },
  {
    id: 'etcd-paused',
    name: 'etcd stopped for 10 s (SIGSTOP)',
    happens: 'The API server answers nothing; the signer’s leader gives up and one is elected again.',
    lastsMs: 10_000,
    inject: async (lab) => {
      const { resume } = lab.first.pause('etcd');
      return { end: async () => resume() };
    },
  },
  {
    id: 'kubelet-restarted',
    name: 'kubelet restarted (killed with -9)',
    happens: 'Pods go on. Those with native delivery are given new certificates, which kubelet keeps in memory only.',
    inject: once(async (lab) => lab.first.restart('kubelet')),
  },
  {
    id: 'containerd-restarted',
    name: 'containerd restarted (killed with -9)',
    happens: 'Pods go on; new ones wait for it.',
    inject: once(async (lab) => lab.first.restart('containerd')),
  },
  {
    id: 'dns-gone',
    name: 'cluster DNS gone for 10 s',
    happens: 'Agents, webhook and signer do not find each other or the CA, and try again.',
    lastsMs: 10_000,
    inject: async (lab) => {
      const scale = (replicas: number) =>
        lab.kubectl.run(['-n', 'kube-system', 'scale', 'deployment', 'coredns', `--replicas=${replicas}`]);
      await scale(0);
      return {
        end: async () => {
          await scale(1);
          await lab.kubectl.rolledOut('kube-system', 'deployment/coredns');
        },
      };
    },
  },
  {
    id: 'node-drained',
    name: 'node drained that the CA, a webhook and a signer run on',
    happens: 'The budgets let one replica go at a time; the CA moves, and new pods wait for it.',
    prepare: placeOnSecond,
    inject: async (lab) => {
      await drain(lab);
      return { afterwards: () => uncordon(lab) };
    },
  },
  {
    id: 'node-drained-broken-ca',
    name: 'the same node drained while the CA cannot start: its password is gone; put back',
    happens: 'The drain comes to its end all the same.',
    prepare: placeOnSecond,
    inject: async (lab) => {
      const { end } = await withoutObject(lab, ['-n', SYSTEM, `secret/${PkiObject.caPassword}`]);
      await lab.kubectl.killPods(await lab.podsOf('ca'));
      try {
        await drain(lab);
      } catch (error) {
        await end?.();
        await uncordon(lab);
        throw error;
      }
      return { end, afterwards: () => uncordon(lab) };
    },
  },
  {
    id: 'node-killed',
    name: 'node killed that the CA, a webhook and a signer run on',
    happens:
      'The other replicas go on. A StatefulSet’s pod stays where it was until somebody says that the node is dead: the run taints it `out-of-service`, as Kubernetes’ documentation says.',
    prepare: placeOnSecond,
    inject: async (lab) => {
      const begin = Date.now();
      const seconds = () => Math.round((Date.now() - begin) / 1000);
      const { name } = SECOND_NODE;
      await lab.second.die();
      await waitFor('Kubernetes to notice', async () => {
        const path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
        return (await lab.kubectl.run(['get', 'node', name, '-o', path])) === 'Unknown';
      });
      lab.note(`${seconds()} s of it until Kubernetes noticed (50 s by default)`);
      await lab.kubectl.run(['taint', 'node', name, `${OUT_OF_SERVICE}=nodeshutdown:NoExecute`]);
      return {
        afterwards: async () => {
          await lab.startSecond();
          await lab.kubectl.run(['taint', 'node', name, `${OUT_OF_SERVICE}-`]);
          await sleep(1_000);
          await lab.spread();
        },
      };
    },
  },
];
