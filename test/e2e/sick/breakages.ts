/**
 * What a thing to break is, for steps 26.x, the namespaces that it happens to, and the hands that break objects and mend them.
 * @module
 */
import { Annotation } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { enabledNamespace, testPod } from '../../../scripts/cluster/workloads.ts';

/** Mends what was broken. */
export type Mend = () => Promise<unknown>;

/** One thing to break. */
export interface Breakage {
  readonly name: string;
  /** The check that names it. */
  readonly check: string;
  /** The object that is named. */
  readonly object: RegExp;
  /** Namespace in which Autocert is looked for. @default step */
  readonly namespace?: string;
  readonly break: () => Promise<Mend>;
}

/** With the label, and with a CA of its own. */
export const DOCTOR_NAMESPACES = { pods: 'e2e-doctor', ca: 'e2e-doctor-ca' } as const;

const { pods: PODS } = DOCTOR_NAMESPACES;

/** The annotation of a pod of these steps. */
export const nameOf = (pod: string) => ({ [Annotation.name]: `${pod}.${PODS}.svc.cluster.local` });

/** Namespaces, and a pod with an agent. */
export async function prepareNamespaces(kubectl: Kubectl): Promise<void> {
  const ca = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: DOCTOR_NAMESPACES.ca } };
  const annotations = { ...nameOf('patient'), [Annotation.delivery]: 'sidecar' };
  await kubectl.apply([enabledNamespace(PODS), ca]);
  await kubectl.apply([testPod(PODS, 'patient', { annotations })]);
  await kubectl.ready(PODS, 'app=patient');
}

/** Breaks more; what was broken before is mended if that fails. */
export async function besides(mend: Mend, breakMore: () => Promise<unknown>): Promise<Mend> {
  try {
    const more = await breakMore();
    return () => Promise.all([mend(), typeof more === 'function' ? more() : undefined]);
  } catch (error) {
    await mend();
    throw error;
  }
}

/** Breaks objects. */
export function hands(kubectl: Kubectl) {
  const applied = async (objects: readonly object[], which: readonly string[]): Promise<Mend> => {
    await kubectl.apply(objects);
    return () => kubectl.run(['delete', ...which, '--ignore-not-found']);
  };
  const scaled = async (namespace: string, workload: string): Promise<Mend> => {
    const which = ['-n', namespace, workload];
    const replicas = await kubectl.run(['get', ...which, '-o', 'jsonpath={.spec.replicas}']);
    await kubectl.run(['scale', ...which, '--replicas=0']);
    return async () => {
      await kubectl.run(['scale', ...which, `--replicas=${replicas}`]);
      await kubectl.rolledOut(namespace, workload);
    };
  };
  const patched = async (which: readonly string[], patch: object, back: object): Promise<Mend> => {
    const apply = (one: object) => kubectl.run(['patch', ...which, '--type=json', '-p', JSON.stringify([one])]);
    await apply(patch);
    return () => apply(back);
  };
  const labelled = async (namespace: string, change: string, back: string): Promise<Mend> => {
    await kubectl.run(['label', 'namespace', namespace, change, '--overwrite']);
    return () => kubectl.run(['label', 'namespace', namespace, back, '--overwrite']);
  };
  return { applied, scaled, patched, labelled };
}
