/**
 * Runs the container that was injected into a pod, as kubelet would: with its volumes made (in a temporary folder),
 * exactly its environment, its command, and its `postStart` hook awaited.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentCommand, AgentEnv, AttestationToken, CERTIFICATE_DIR, ContainerName, Program } from '../../contract.ts';
import { AutocertError } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import type { Pod } from './pod-file.ts';
import type { Processes } from './processes.ts';

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly lifecycle?: { readonly postStart?: { readonly exec?: { readonly command: readonly string[] } } };
}

interface Volume {
  readonly name: string;
  readonly projected?: {
    readonly sources: readonly {
      readonly serviceAccountToken?: {
        readonly audience: string;
        readonly expirationSeconds: number;
        readonly path: string;
      };
    }[];
  };
}

/** What running a pod needs from outside. */
export interface Kubelet {
  /** Where the pods' volumes are made. */
  readonly dir: string;
  readonly processes: Processes;
  /** This program's script, for `node`. */
  readonly program: string;
  issueToken(pod: Pod, audience: string, lifetime: number): Secret;
}

/** A pod whose agent runs. */
export interface RunningPod {
  /** Where on this machine the pod's certificate folder is. */
  readonly certificateDir: string;
  /** Resolves when the hook has returned, which is when app containers would start; or, for a plain init container, when it has ended. */
  readonly ready: Promise<void>;
}

function makeVolumes(kubelet: Kubelet, pod: Pod): (name: string) => string {
  const root = join(kubelet.dir, pod.metadata.name);
  for (const volume of (pod.spec.volumes ?? []) as Volume[]) {
    mkdirSync(join(root, volume.name), { recursive: true });
    for (const { serviceAccountToken: token } of volume.projected?.sources ?? []) {
      if (!token) continue;
      const jwt = kubelet.issueToken(pod, token.audience, token.expirationSeconds);
      writeFileSync(join(root, volume.name, token.path), jwt.reveal(), { mode: 0o600 });
    }
  }
  return (name) => join(root, name);
}

/** The value of an environment variable; of the downward API, the two fields that the agent is given. */
function resolveEnv({ value, valueFrom }: EnvVar, { metadata }: Pod): string {
  const field = valueFrom?.fieldRef?.fieldPath;
  if (field === 'metadata.name') return metadata.name;
  if (field === 'metadata.namespace') return metadata.namespace;
  return value ?? '';
}

/** Program and arguments as `node` runs them here: the image's program is this program's `agent` command. */
function argumentsOf(command: readonly string[] | undefined, program: string): string[] {
  const [name, ...rest] = command ?? [];
  if (name !== Program.agent) {
    throw new AutocertError(
      'INVALID_INPUT',
      `the injected container runs ${JSON.stringify(name)}, not ${Program.agent}`,
    );
  }
  return [program, 'agent', ...rest];
}

/**
 * Starts the pod's agent.
 * @throws AutocertError `INVALID_INPUT` if the pod has none
 */
export function runPod(kubelet: Kubelet, pod: Pod): RunningPod {
  const names: string[] = [ContainerName.renewer, ContainerName.bootstrapper];
  const container = ((pod.spec.initContainers ?? []) as Container[]).find(({ name }) => names.includes(name));
  if (!container) throw new AutocertError('INVALID_INPUT', `pod ${pod.metadata.name} has no injected container`);
  const volume = makeVolumes(kubelet, pod);
  const mounted = (path: string) => {
    const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === path);
    if (!mount) throw new AutocertError('INVALID_INPUT', `the injected container mounts nothing at ${path}`);
    return volume(mount.name);
  };
  const certificateDir = mounted(CERTIFICATE_DIR);
  const env = {
    ...Object.fromEntries((container.env ?? []).map((variable) => [variable.name, resolveEnv(variable, pod)])),
    // in place of the mounts, which need root
    [AgentEnv.certificateDir]: certificateDir,
    [AgentEnv.tokenFile]: join(mounted(AttestationToken.dir), AttestationToken.file),
  };
  const { name } = pod.metadata;
  const start = (suffix: string, command: readonly string[] | undefined, ends: boolean) =>
    kubelet.processes.node(`${name}-${suffix}`, argumentsOf(command, kubelet.program), { env, ends });
  const once = container.command?.[1] === AgentCommand.once;
  const main = start('agent', container.command, once);
  const hook = container.lifecycle?.postStart?.exec?.command;
  const ready = hook ? start('post-start', hook, true) : main;
  return { certificateDir, ready: ready.then(() => undefined) };
}
