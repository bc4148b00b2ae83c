/**
 * Which installation has injected a pod, by what it was given then: a cluster may have several, and the Go original. Pure.
 * @module
 */
import type { V1Container, V1EnvVar, V1Pod, V1VolumeProjection } from '@kubernetes/client-node';
import { AgentEnv, Annotation, ContainerName, STATUS_INJECTED, VolumeName } from '../contract.ts';
import { namespaceOfSigner } from '../policy/cluster-names.ts';
import { isDnsLabel } from '../policy/names.ts';

/** An installation: Autocert, by its namespace, or the Go original. */
export type Origin =
  | { readonly kind: 'autocert'; readonly namespace: string }
  | { readonly kind: 'original'; readonly namespace?: undefined };

const AGENTS: ReadonlySet<string> = new Set(Object.values(ContainerName));
/** What the original's containers, which have the same names, are given, and an agent is not. */
const ORIGINAL_CA_URL = 'STEP_CA_URL';
/** Host of the Service by which agents reach their Autocert, which is in its namespace. */
const SERVICE_HOST = /^[^.]+\.([^.]+)\.svc(?:\.|$)/;

/** `undefined`: it is not injected, or has nothing that tells. */
export function originOf(pod: V1Pod): Origin | undefined {
  const { metadata, spec } = pod;
  if (metadata?.annotations?.[Annotation.status] !== STATUS_INJECTED) return undefined;
  const volume = spec?.volumes?.find(({ name }) => name === VolumeName.certificates);
  const signer = volume?.projected?.sources?.map(signerIn).find((name) => name !== undefined);
  if (signer !== undefined) return autocertIn(namespaceOfSigner(signer));
  const variables = agentVariables(pod);
  const url = variables.find(({ name }) => name === AgentEnv.autocertUrl)?.value;
  if (url !== undefined) return autocertIn(SERVICE_HOST.exec(URL.parse(url)?.hostname ?? '')?.[1]);
  return variables.some(({ name }) => name === ORIGINAL_CA_URL) ? { kind: 'original' } : undefined;
}

/** Containers of a pod that have an agent's name; of the `classic` style there are two. */
export function agentsOf({ spec }: Pick<V1Pod, 'spec'>): V1Container[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].filter(({ name }) => isAgent(name));
}

/** The environment of a pod's agents. */
export function agentVariables(pod: Pick<V1Pod, 'spec'>): V1EnvVar[] {
  return agentsOf(pod).flatMap(({ env }) => env ?? []);
}

/** Whether a container of this name is an agent. */
export function isAgent(name: string): boolean {
  return AGENTS.has(name);
}

/** Whether an installation is that of Autocert in `namespace`. */
export function isAutocertIn(origin: Origin, namespace: string): boolean {
  return origin.kind === 'autocert' && origin.namespace === namespace;
}

/** Whoever creates a pod may write anything into it. */
function autocertIn(namespace: string | undefined): Origin | undefined {
  return namespace !== undefined && isDnsLabel(namespace) ? { kind: 'autocert', namespace } : undefined;
}

function signerIn({ podCertificate }: V1VolumeProjection): string | undefined {
  return podCertificate?.signerName;
}
