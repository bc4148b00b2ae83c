/**
 * Checks of Autocert's own pods.
 * @module
 */
import type { Facts, SystemPod } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { isOfImage } from './ours.ts';
import { faultIn } from './words.ts';

/** The checks. */
export const systemPodChecks: readonly Check[] = [
  { id: 'image-pull', looksAt: 'images that cannot be pulled, of Autocert itself', find: images },
  { id: 'system-pod', looksAt: 'pods of Autocert that do not start or are not ready', find: unwell },
];

function images({ systemPods = [], namespace }: Facts): Found[] {
  return systemPods.flatMap(({ name, stuck }) =>
    stuck.filter(isOfImage).map(({ container, image, reason, message }) => ({
      object: `pod/${name}`,
      message: `image ${image} of container ${container} cannot be pulled (${reason}): ${message}`,
      remedy: `bring the image to where nodes pull from, or name another in the props: kubectl -n ${namespace} describe pod ${name}`,
    })),
  );
}

function unwell({ systemPods = [], namespace }: Facts): Found[] {
  return systemPods.flatMap((pod): Found[] => {
    const message = problemOf(pod);
    if (message === undefined) return [];
    const remedy = `kubectl -n ${namespace} describe pod ${pod.name}; kubectl -n ${namespace} logs ${pod.name} --all-containers`;
    return [{ object: `pod/${pod.name}`, message, remedy, severity: pod.stuck.length > 0 ? 'error' : 'warning' }];
  });
}

function problemOf({ unscheduled, stuck, words, ready }: SystemPod): string | undefined {
  if (unscheduled !== undefined) return `no node takes it: ${unscheduled}`;
  const [first] = stuck.filter((one) => !isOfImage(one));
  if (words !== undefined) return faultIn(words) === undefined ? `it says: ${words}` : undefined;
  if (first) return `container ${first.container} does not start (${first.reason}): ${first.message}`;
  return ready || stuck.length > 0 ? undefined : 'it is not ready';
}
