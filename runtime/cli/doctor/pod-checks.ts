/**
 * Checks of pods that ask for a certificate and are there.
 * @module
 */
import { isAgent } from '../../kubernetes/pod-origin.ts';
import { isLabelled } from '../../policy/namespace-label.ts';
import { ownLabel } from '../observed/webhooks.ts';
import type { AskingPod, Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { isOlder } from './image-version.ts';
import { hasWebhook, isLeftAlone, isOfImage, named } from './ours.ts';

/** The checks. */
export const podChecks: readonly Check[] = [
  { id: 'not-injected', looksAt: 'annotated pods that were started without a certificate', find: notInjected },
  { id: 'image-pull', looksAt: 'images that cannot be pulled, of annotated pods', find: images },
  { id: 'old-agent', looksAt: 'agents of another version than the webhook injects', find: oldAgents },
];

function notInjected(facts: Facts): Found[] {
  const { pods = [], namespaces } = facts;
  const own = ownLabel(facts);
  const some = pods.filter(
    ({ injected, namespace }) =>
      !injected && isLabelled(namespaces?.get(namespace), own) && !isLeftAlone(facts, namespace),
  );
  const reports = facts.configuration.config?.mode === 'report';
  return byNamespace(some).map(([namespace, group]) => ({
    object: `namespace/${namespace}`,
    message: `${named(group, 'annotated pod')} without a certificate: created while nothing injected${reports ? ', or against the rules in report mode' : ''}`,
    remedy: `kubectl -n ${namespace} rollout restart their workloads${reports ? '; autocert explain says what the rules have against one' : ''}`,
  }));
}

function images({ pods = [] }: Facts): Found[] {
  return pods.flatMap(({ namespace, name, stuck }) =>
    stuck.filter(isOfImage).map(({ container, image, reason, message }): Found => {
      const ours = isAgent(container);
      return {
        object: `${namespace}/pod/${name}`,
        message: `image ${image} of container ${container} cannot be pulled (${reason}): ${message}`,
        remedy: ours
          ? 'bring Autocert’s image to where the nodes pull from, or name another in the props of the webhook; then delete the pod'
          : `it is the pod’s own image, not Autocert’s: kubectl -n ${namespace} describe pod ${name}`,
        severity: ours ? 'error' : 'warning',
      };
    }),
  );
}

function oldAgents(facts: Facts): Found[] {
  const { pods = [], configuration, systemPods = [] } = facts;
  const own = systemPods.find(({ app }) => app === 'autocert')?.image;
  const current = configuration.config?.agent?.image ?? own;
  if (current === undefined || !hasWebhook(facts)) return [];
  const others = pods.filter(({ agentImage }) => agentImage !== undefined && agentImage !== current);
  const groups = Object.groupBy(others, ({ namespace, agentImage }) => `${namespace} ${agentImage}`);
  const behind: Found = {
    object: 'configmap/autocert-config',
    message: `the webhook is ${own}, and injects agents of an older version, ${current}`,
    remedy: 'name the same image for both in the props, and apply the manifests again',
    severity: 'warning',
  };
  const old = Object.values(groups).flatMap((group = []): Found[] => {
    const { namespace = '', agentImage = '' } = group[0] ?? {};
    if (isOlder(current, agentImage)) return [];
    const how = isOlder(agentImage, current) ? 'an older agent' : 'another agent';
    return [
      {
        object: `namespace/${namespace}`,
        message: `${named(group, 'pod')} with ${how}, ${agentImage}: the webhook injects ${current}`,
        remedy: `kubectl -n ${namespace} rollout restart their workloads, in your own time: agents of the version before go on working`,
        severity: 'warning',
      },
    ];
  });
  return own !== undefined && isOlder(current, own) ? [behind, ...old] : old;
}

function byNamespace(pods: readonly AskingPod[]): [string, readonly AskingPod[]][] {
  return Object.entries(Object.groupBy(pods, ({ namespace }) => namespace)).map(([name, some = []]) => [name, some]);
}
