/**
 * The containers of the CA's pod: step-ca, of its official image; the supervisor, of ours, which prepares what step-ca runs
 * with and says when it starts; and an init container that brings the shell for that into step-ca's.
 * @module
 */
import type { k8s } from 'cdk8s-plus-27';
import { CaConfigFile, CaPort, CONTAINER_PORT, PkiFile, Program, STEP_PATH } from '../runtime/contract.ts';
import { type ContainerImage, type ContainerResources, confined, probe, quantities, SHORT_LIVED } from './pods.ts';
import { CaFolder } from './step-ca-config.ts';

/** CPU and memory of step-ca, unless a prop says otherwise. */
export const CA_RESOURCES: ContainerResources = {
  // Idle, step-ca holds about 40 MiB; what it has read of its database counts as well, and is given back when needed.
  requests: { cpu: '100m', memory: '64Mi' },
  limits: { cpu: '1', memory: '512Mi' },
};

/** CPU and memory of the supervisor: idle at about 75 MiB but for a look a second, now and then busy with the database. */
const SUPERVISOR_RESOURCES = quantities({
  requests: { cpu: '10m', memory: '96Mi' },
  limits: { cpu: '1', memory: '256Mi' },
});

const mount = (name: string, mountPath: string): k8s.VolumeMount => ({ name, mountPath });
const mountReadOnly = (name: string, mountPath: string): k8s.VolumeMount => ({ name, mountPath, readOnly: true });

/** Copies the shell and its script: the image of step-ca may have neither. */
export function programsContainer(image: ContainerImage): k8s.Container {
  return {
    name: 'programs',
    ...image,
    command: [Program.busybox, 'cp', Program.busybox, Program.ca, CaFolder.programs],
    securityContext: confined(),
    resources: SHORT_LIVED,
    volumeMounts: [mount('programs', CaFolder.programs)],
  };
}

/** step-ca, started and stopped by a script as the supervisor says. */
export function caContainer(image: ContainerImage, resources: ContainerResources, shared: boolean): k8s.Container {
  const script = `${CaFolder.programs}/${Program.ca.split('/').at(-1)}`;
  return {
    name: 'step-ca',
    ...image,
    command: [`${CaFolder.programs}/busybox`, 'sh', script, CaFolder.control, CaFolder.config],
    env: [
      { name: 'STEPPATH', value: STEP_PATH },
      // For `kubectl exec … -- step ca …`.
      { name: 'STEP_CA_URL', value: `https://localhost:${CONTAINER_PORT}` },
      { name: 'STEP_ROOT', value: `${CaFolder.certificates}/${PkiFile.root}` },
      ...memoryLimit(resources),
    ],
    ports: [
      { name: 'https', containerPort: CONTAINER_PORT },
      { name: 'metrics', containerPort: CaPort.metrics },
    ],
    // The file step-ca of the official image has the capability NET_BIND_SERVICE set on it. We need no low port, but
    // without the capability in the container's bounding set the kernel refuses to execute the file at all (EPERM).
    securityContext: confined('NET_BIND_SERVICE'),
    resources: quantities(resources),
    // No other probe: the supervisor restarts a step-ca that does not answer, and lets one wait that cannot start yet.
    // Kubelet would kill the container for it, and wait up to five minutes before it starts another.
    readinessProbe: probe('/health', CONTAINER_PORT, 'HTTPS', { periodSeconds: 5 }),
    volumeMounts: [
      mountReadOnly('programs', CaFolder.programs),
      mount('control', CaFolder.control),
      mountReadOnly('config', CaFolder.config),
      mountReadOnly('certs', CaFolder.certificates),
      mountReadOnly('secrets', CaFolder.secrets),
      ...(shared ? [] : [mount('db', CaFolder.database)]),
    ],
  };
}

/**
 * Has Go collect garbage harder when four fifths of the container's memory are taken: a request of 150 MB, of whose size
 * step-ca has no bound, takes 495 MiB then instead of 753.
 */
function memoryLimit({ limits }: ContainerResources): k8s.EnvVar[] {
  const [, number, unit] = /^(\d+)([KMG]i)$/.exec(limits?.memory ?? '') ?? [];
  if (number === undefined || unit === undefined) return [];
  const kibibytes = Number(number) * { Ki: 1, Mi: 1024, Gi: 1024 ** 2 }[unit as 'Ki' | 'Mi' | 'Gi'];
  return [{ name: 'GOMEMLIMIT', value: `${Math.floor(kibibytes * 0.8)}KiB` }];
}

/** What prepares step-ca's configuration and database, and tells whether certificates can be had. */
export function supervisorContainer(image: ContainerImage, shared: boolean): k8s.Container {
  const probed = (path: string, timing: Omit<k8s.Probe, 'httpGet'>) => probe(path, CaPort.supervisor, 'HTTP', timing);
  return {
    name: 'supervisor',
    ...image,
    command: [Program.autocert, 'supervisor', '--config', `${CaFolder.template}/${CaConfigFile.supervisor}`],
    ports: [{ name: 'supervisor', containerPort: CaPort.supervisor }],
    securityContext: confined(),
    resources: SUPERVISOR_RESOURCES,
    readinessProbe: probed('/readyz', { periodSeconds: 2 }),
    livenessProbe: probed('/healthz', { initialDelaySeconds: 10, periodSeconds: 10, failureThreshold: 6 }),
    volumeMounts: [
      mountReadOnly('template', CaFolder.template),
      mountReadOnly('provisioners', CaFolder.provisioners),
      mountReadOnly('certs', CaFolder.certificates),
      mountReadOnly('secrets', CaFolder.secrets),
      mount('config', CaFolder.config),
      mount('control', CaFolder.control),
      ...(shared
        ? [mountReadOnly('data-source', CaFolder.dataSource)]
        : [mount('db', CaFolder.database), mount('scratch', CaFolder.scratch)]),
    ],
  };
}
