/**
 * Pods: Autocert's own with what they say of themselves, and those that ask for a certificate.
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { Annotation, STATUS_INJECTED } from '../../contract.ts';
import { agentsOf, originOf } from '../../kubernetes/pod-origin.ts';
import { MIRROR } from '../../policy/judgement.ts';
import type { Look } from '../observed/look.ts';
import { annotatedPods, MAX_PODS } from '../observed/pods.ts';
import { stuckContainers, unscheduled } from '../stuck.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';
import type { AskingPod, SystemPod } from './facts.ts';
import { tells, wordsOf } from './pod-words.ts';

/** Pods of Autocert's namespace that are looked at, and those that are asked for their own words. */
const MAX = { system: 200, asked: 12 } as const;
/** Label `app` of Autocert's pods: of its parts, and of the Jobs for its PKI. */
const APPS: readonly (string | undefined)[] = ['ca', 'autocert', 'autocert-signer', 'autocert-init', 'autocert-pki'];
const FINISHED: readonly (string | undefined)[] = ['Succeeded', 'Failed'];

/** Autocert's own, but for those that are at their end or on their way there. */
export async function readSystemPods(look: Look, namespace: string): Promise<readonly SystemPod[] | undefined> {
  const pods = await look.list(
    `/api/v1/namespaces/${namespace}/pods`,
    `pods in namespace ${namespace}`,
    MAX.system,
    (pod: V1Pod) => (APPS.includes(pod.metadata?.labels?.app) && !isOver(pod) ? pod : undefined),
  );
  const asked = new Set(pods?.filter(({ metadata }) => tells(metadata?.labels?.app)).slice(0, MAX.asked));
  return pods && Promise.all(pods.map((pod) => systemPod(look, pod, asked.has(pod))));
}

async function systemPod(look: Look, pod: V1Pod, ask: boolean): Promise<SystemPod> {
  const { name = '', labels = {} } = pod.metadata ?? {};
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready');
  const nowhere = unscheduled(pod);
  const app = labels.app ?? '';
  const words = ask ? await wordsOf(look, pod, app) : undefined;
  return {
    name,
    app,
    labels,
    ready: ready?.status === 'True',
    image: excerpt(pod.spec?.containers?.[0]?.image ?? '', MAX_TEXT),
    stuck: stuckContainers(pod),
    ...(nowhere !== undefined && { unscheduled: nowhere }),
    ...(words !== undefined && words !== '' && { words: excerpt(words, MAX_TEXT) }),
  };
}

/** Those that ask for a certificate. */
export async function readAskingPods(look: Look): Promise<readonly AskingPod[] | undefined> {
  const found = await look.try('pods of all namespaces, for lack of the verb list', 'pods', async () => {
    const pods: AskingPod[] = [];
    for await (const pod of annotatedPods(look.api, undefined)) {
      if (isOver(pod) || pod.metadata?.annotations?.[MIRROR] !== undefined) continue;
      if (pods.length === MAX_PODS) {
        look.missed(`pods that ask for a certificate beyond the first ${MAX_PODS}`);
        return pods;
      }
      pods.push(askingPod(pod));
    }
    return pods;
  });
  return found ?? undefined;
}

function askingPod(pod: V1Pod): AskingPod {
  const { namespace = '', name = '', labels = {}, annotations = {} } = pod.metadata ?? {};
  const [agent] = agentsOf(pod);
  const origin = originOf(pod);
  return {
    namespace,
    name,
    labels,
    injected: annotations[Annotation.status] === STATUS_INJECTED,
    ...(origin && { origin }),
    ...(agent?.image !== undefined && { agentImage: excerpt(agent.image, MAX_TEXT) }),
    stuck: stuckContainers(pod),
  };
}

function isOver({ metadata, status }: V1Pod): boolean {
  return FINISHED.includes(status?.phase) || metadata?.deletionTimestamp !== undefined;
}
