/**
 * The pods that faults are looked at with: where they are, and how long their certificates live.
 * @module
 */
import { Annotation } from '../../../runtime/contract.ts';
import type { DeliveryName } from '../prober.ts';

/** Namespace of fresh pods and of those that go on running. */
export const FAULTS_NAMESPACE = 'e2e-faults';

/** The shortest lifetime that each delivery has. */
export const LIFETIMES = { sidecar: '5m', native: '1h' } as const;

/** How long a pod may take once the fault is over: kubelet itself tries a volume again after two minutes at most. */
export const RECOVERY_LIMIT_MS = 180_000;

/** The deliveries of a cluster. @param native whether its API server has pod certificates */
export function deliveriesOf(native: boolean): readonly DeliveryName[] {
  return native ? ['sidecar', 'native'] : ['sidecar'];
}

/** The annotations of a pod with this delivery. */
export function annotationsOf(name: string, delivery: DeliveryName): Record<string, string> {
  return {
    [Annotation.name]: `${name}.${FAULTS_NAMESPACE}.svc.cluster.local`,
    [Annotation.delivery]: delivery,
    [Annotation.duration]: LIFETIMES[delivery],
  };
}
