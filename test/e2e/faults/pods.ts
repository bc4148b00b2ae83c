/**
 * Faults of pods: killed, or there and answering nothing.
 * @module
 */
import { ContainerName } from '../../../runtime/contract.ts';
import { kill } from '../../../scripts/cluster/processes.ts';
import { type Fault, once } from './fault.ts';
import { FAULTS_NAMESPACE } from './settings.ts';

/** The faults. */
export const podFaults: readonly Fault[] = [
  {
    id: 'ca-killed',
    name: 'CA pod killed',
    happens: 'New pods wait until it is back; those that run notice nothing.',
    inject: once(async (lab) => lab.kubectl.killPods(await lab.podsOf('ca'))),
  },
  {
    id: 'ca-process-killed',
    name: 'step-ca killed with -9',
    happens: 'Its container starts again, on the database as it was left.',
    inject: once(async (lab) => {
      for (const pod of await lab.podsOf('ca')) {
        const [first] = lab.processesOf(pod, 'step-ca');
        if (first) kill(first);
      }
    }),
  },
  {
    id: 'ca-paused',
    name: 'step-ca stopped for 15 s (SIGSTOP): connected and silent',
    happens: 'Requests to it time out and are tried again.',
    lastsMs: 15_000,
    inject: async (lab) => lab.pause(await lab.podsOf('ca')),
  },
  {
    id: 'webhook-killed',
    name: 'one webhook pod killed',
    happens: 'The other one answers; what had just been sent to the dead one is tried again.',
    inject: once(async (lab) => lab.kubectl.killPods((await lab.podsOf('webhook')).slice(0, 1))),
  },
  {
    id: 'webhooks-killed',
    name: 'both webhook pods killed',
    happens: 'Annotated pods are refused until one is back: controllers try again.',
    inject: once(async (lab) => lab.kubectl.killPods(await lab.podsOf('webhook'))),
  },
  {
    id: 'webhook-paused',
    name: 'one webhook stopped for 15 s (SIGSTOP)',
    happens: 'It drops out of the Service when its probe fails; until then half of the new pods are late.',
    lastsMs: 15_000,
    inject: async (lab) => lab.pause((await lab.podsOf('webhook')).slice(0, 1)),
  },
  {
    id: 'signer-leader-killed',
    name: 'leading signer killed',
    happens: 'The other replica leads when the Lease is over, and answers what has waited.',
    inject: once(async (lab) => lab.kubectl.killPods([await lab.leader()])),
  },
  {
    id: 'signer-leader-paused',
    name: 'leading signer stopped for 20 s (SIGSTOP)',
    happens: 'The other replica leads when the Lease is over; the first one, awake again, sees that.',
    lastsMs: 20_000,
    inject: async (lab) => lab.pause([await lab.leader()]),
  },
  {
    id: 'all-killed',
    name: 'CA, webhooks and signers killed at once',
    happens: 'As at the first installation: new pods wait, running ones notice nothing.',
    inject: once(async (lab) => {
      const pods = await Promise.all((['ca', 'webhook', 'signer'] as const).map((part) => lab.podsOf(part)));
      await lab.kubectl.killPods(pods.flat());
    }),
  },
  {
    id: 'agent-killed',
    name: "a pod's agent killed with -9",
    happens: 'Its container starts again; the files stay.',
    forces: ['restarts'],
    inject: once(async (lab) => {
      const [pod] = await lab.kubectl.pods(FAULTS_NAMESPACE, 'app=server-sidecar');
      const [first] = pod ? lab.processesOf(pod, ContainerName.renewer) : [];
      if (first === undefined) throw new Error('server-sidecar has no agent');
      kill(first);
    }),
  },
  {
    id: 'app-killed',
    name: 'a pod that serves killed',
    happens: 'Its successor has a certificate of its own, and answers.',
    forces: ['requests'],
    inject: once(async (lab) => {
      await lab.kubectl.killPods(await lab.kubectl.pods(FAULTS_NAMESPACE, 'app=server-sidecar'));
      await lab.kubectl.ready(FAULTS_NAMESPACE, 'app=server-sidecar');
    }),
  },
];
