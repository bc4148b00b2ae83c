/**
 * Runs the container that was injected into a pod, as kubelet would: with its volumes made (in a temporary folder),
 * its service-account token kept fresh, exactly its environment, its command, and its `postStart` hook awaited.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Container, V1EnvVar, V1ServiceAccountTokenProjection } from '@kubernetes/client-node';
import {
  AgentCommand,
  AgentEnv,
  AttestationToken,
  CERTIFICATE_DIR,
  CertificateFile,
  ContainerName,
  Program,
} from '../../contract.ts';
import { AutocertError } from '../../lib/errors.ts';
import { sleep } from '../../lib/loops.ts';
import type { Secret } from '../../lib/secret.ts';
import type { ChildProcesses } from './child-processes.ts';
import type { Pod } from './pod-file.ts';

/** What running a pod needs from outside. */
export interface KubeletOptions {
  /** Where the pods' volumes are made. */
  readonly dir: string;
  readonly children: ChildProcesses;
  /** The agent's shell script, which is the image's program {@link Program.agent}. */
  readonly agentScript: string;
  /** The executable that the script starts for each piece of work. */
  readonly agentWorker: string;
  /** Ends what is kept fresh. */
  readonly signal: AbortSignal;
  readonly issueToken: (pod: Pod, audience: string, lifetimeSeconds: number) => Promise<Secret>;
}

/** A pod whose agent runs. */
export interface RunningPod {
  /** Where on this machine the pod's certificate folder is. */
  readonly certificateDir: string;
}

/** Kubelet replaces a token when so much of its lifetime is gone. */
const TOKEN_REFRESH = 0.8;
/** Milliseconds between two looks at the files of a pod. */
const LOOK_MS = 50;

/** Makes the pod's volumes; the folder of each by its name. */
async function makeVolumes(options: KubeletOptions, pod: Pod): Promise<(name: string) => string> {
  const folder = (name: string) => join(options.dir, pod.metadata.name, name);
  for (const { name, projected } of pod.spec.volumes ?? []) {
    mkdirSync(folder(name), { recursive: true });
    for (const { serviceAccountToken } of projected?.sources ?? []) {
      if (serviceAccountToken) await keepToken(options, pod, serviceAccountToken, folder(name));
    }
  }
  return folder;
}

/** Projects a token into a folder, and replaces it in time. */
async function keepToken(
  { issueToken, signal }: KubeletOptions,
  pod: Pod,
  { audience = '', expirationSeconds = 3600, path }: V1ServiceAccountTokenProjection,
  folder: string,
): Promise<void> {
  const write = async () => {
    const token = await issueToken(pod, audience, expirationSeconds);
    writeFileSync(join(folder, `.${path}`), token.reveal(), { mode: 0o600 });
    renameSync(join(folder, `.${path}`), join(folder, path));
  };
  const refresh = async () => {
    const pause = () => sleep(expirationSeconds * 1000 * TOKEN_REFRESH, signal);
    for (await pause(); !signal.aborted; await pause()) await write();
  };
  await write();
  void refresh();
}

/** The value of an environment variable; of the downward API, the two fields that the agent is given. */
function resolveEnv({ value, valueFrom }: V1EnvVar, { metadata }: Pod): string {
  const field = valueFrom?.fieldRef?.fieldPath;
  if (field === 'metadata.name') return metadata.name;
  if (field === 'metadata.namespace') return metadata.namespace;
  return value ?? '';
}

function injectedContainer({ metadata, spec }: Pod): V1Container {
  const names: string[] = [ContainerName.renewer, ContainerName.bootstrapper];
  const container = spec.initContainers?.find(({ name }) => names.includes(name));
  if (container) return container;
  throw new AutocertError('INVALID_INPUT', `pod ${metadata.name} has no injected container`);
}

/**
 * Starts the pod's agent. Resolves when the hook has returned, which is when app containers would start; or, for a plain
 * init container, when it has ended.
 * @throws AutocertError `INVALID_INPUT` if the pod has no agent, `UNAVAILABLE` if agent or hook fails
 */
export async function runPod(options: KubeletOptions, pod: Pod): Promise<RunningPod> {
  const container = injectedContainer(pod);
  const volume = await makeVolumes(options, pod);
  const mounted = (path: string) => {
    const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === path);
    if (!mount) throw new AutocertError('INVALID_INPUT', `the injected container mounts nothing at ${path}`);
    return volume(mount.name);
  };
  const certificateDir = mounted(CERTIFICATE_DIR);
  const env = {
    ...Object.fromEntries(container.env?.map((variable) => [variable.name, resolveEnv(variable, pod)]) ?? []),
    // in place of the mounts, which need root, and of the image's own program
    [AgentEnv.certificateDir]: certificateDir,
    [AgentEnv.tokenFile]: join(mounted(AttestationToken.dir), AttestationToken.file),
    [AgentEnv.worker]: options.agentWorker,
  };
  const start = (suffix: string, [program, ...args]: readonly string[], ends: boolean) => {
    if (program !== Program.agent) {
      throw new AutocertError('INVALID_INPUT', `the injected container runs ${program}, not ${Program.agent}`);
    }
    const command = ['/bin/sh', options.agentScript, ...args];
    return options.children.start(`${pod.metadata.name}-${suffix}`, command, { env, ends });
  };
  const main = start('agent', container.command ?? [], container.command?.[1] === AgentCommand.once);
  const hook = container.lifecycle?.postStart?.exec?.command;
  const code = await (hook ? start('post-start', hook, true) : main);
  if (code === 0) return { certificateDir };
  throw new AutocertError('UNAVAILABLE', `the agent of pod ${pod.metadata.name} ended with ${code}`);
}

/** Calls back with the new leaf each time an agent has replaced the files of its pod, until the signal aborts. */
export async function watchRenewals(
  { certificateDir }: RunningPod,
  signal: AbortSignal,
  onRenewal: (leaf: X509Certificate) => void,
): Promise<void> {
  const current = () => readlinkSync(join(certificateDir, '..data'));
  let before = current();
  while (!signal.aborted) {
    await sleep(LOOK_MS, signal);
    if (signal.aborted || current() === before) continue;
    before = current();
    onRenewal(new X509Certificate(readFileSync(join(certificateDir, CertificateFile.certificate))));
  }
}
