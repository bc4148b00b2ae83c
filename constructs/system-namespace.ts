/**
 * The namespace that CA, webhook and signer share.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { metadata } from './objects.ts';

/** Makes the namespace, at the Pod Security level `restricted`: every pod of ours complies with it, and nobody else's starts unseen. */
export function systemNamespace(
  scope: Construct,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): k8s.KubeNamespace {
  const modes = ['enforce', 'audit', 'warn'];
  const level = Object.fromEntries(modes.map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']));
  return new k8s.KubeNamespace(scope, 'Namespace', { metadata: { ...metadata(name, undefined, level), annotations } });
}
