/**
 * Manifests of what the tests deploy: namespaces, and pods of `alpine` that sleeps, with what a test wants changed.
 * @module
 */

import { NAMESPACE_LABEL } from '../../runtime/contract.ts';

/** What a test changes of a pod. */
export interface PodOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Merged over the pod's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Merged over the container `main`. */
  readonly container?: Readonly<Record<string, unknown>>;
}

/** Metadata and spec of a pod; `app=<name>` labels it. */
export function podTemplate(name: string, { annotations, labels, spec, container }: PodOptions = {}) {
  const main = {
    name: 'main',
    image: 'alpine',
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'], // ends when it is told to
    ...container,
  };
  return {
    metadata: { labels: { app: name, ...labels }, ...(annotations && { annotations }) },
    spec: { terminationGracePeriodSeconds: 5, containers: [main], ...spec },
  };
}

/** A namespace whose pods get certificates. */
export function enabledNamespace(name: string): object {
  const labels = { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** A bare pod. */
export function testPod(namespace: string, name: string, options?: PodOptions) {
  const { metadata, spec } = podTemplate(name, options);
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name, namespace }, spec };
}

/** A container's security context by Pod Security `restricted`. */
export const HARDENED = {
  runAsNonRoot: true,
  runAsUser: 1000,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
