/**
 * Why a pod does not start: containers that wait for something that does not come by itself.
 * @module
 */
import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { excerpt, MAX_TEXT } from './terminal.ts';

/** A container that does not start. */
export interface Stuck {
  readonly container: string;
  readonly image: string;
  /** As kubelet has it, such as `ImagePullBackOff`. */
  readonly reason: string;
  readonly message: string;
}

/** What is no fault while it lasts. */
const STARTING: readonly (string | undefined)[] = ['ContainerCreating', 'PodInitializing'];

/** Each of them, init containers first. */
export function stuckContainers({ status }: V1Pod): Stuck[] {
  const { initContainerStatuses, containerStatuses } = status ?? {};
  return [...(initContainerStatuses ?? []), ...(containerStatuses ?? [])].flatMap(
    ({ name, image, state, lastState }: V1ContainerStatus) => {
      const { reason, message } = state?.waiting ?? {};
      if (reason === undefined || STARTING.includes(reason)) return [];
      const last = lastState?.terminated;
      const ended = last ? `it ended with ${last.exitCode}${last.message ? `: ${last.message}` : ''}` : undefined;
      return [
        {
          container: name,
          image: excerpt(image, MAX_TEXT),
          reason: excerpt(reason, MAX_TEXT),
          message: excerpt(ended ?? message ?? reason, MAX_TEXT),
        },
      ];
    },
  );
}

/** Why no node takes it; `undefined`: one has, or nobody has looked yet. */
export function unscheduled({ status }: V1Pod): string | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return scheduled?.status === 'False' ? excerpt(scheduled.message ?? 'no reason is given', MAX_TEXT) : undefined;
}
