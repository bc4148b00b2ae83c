/**
 * What a cluster must have before anything is applied to it: a version, the kinds of the manifests, and rights.
 * @module
 */
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { hasPodCertificates } from '../../kubernetes/cluster-state.ts';
import { type ApiResource, resourceFinder } from '../../kubernetes/discovery.ts';
import { isAtLeast, type Version } from '../../kubernetes/version.ts';
import { AutocertError } from '../../lib/errors.ts';
import { shown } from '../../lib/validator.ts';
import { printable } from '../terminal.ts';
import { type InstallObject, labelOf } from './bundle.ts';

/** An object, and the resource that it is one of. */
export interface Located extends InstallObject {
  readonly resource: ApiResource;
}

/** Oldest version that Autocert supports. */
const OLDEST: Version = [1, 22];

const NO_NATIVE_DELIVERY =
  'native delivery (Kubernetes 1.37, certificates.k8s.io/v1): pods get an agent as a sidecar instead';

/** What older versions lack, by the version that has it. */
const FEATURES: readonly { readonly since: Version; readonly lacks: string }[] = [
  {
    since: [1, 30],
    lacks:
      'ValidatingAdmissionPolicy (1.30): Deployments are not refused, pods are, and nothing keeps the keys from being deleted',
  },
  { since: [1, 29], lacks: "native sidecars (1.29): pods get an init container and a sidecar (sidecar: 'classic')" },
];

/** The props that do without an API, by its kind. */
const WITHOUT: Readonly<Record<string, string>> = {
  ValidatingAdmissionPolicy:
    'retain: false and guard: false of StepCa, guard: false of AutocertWebhook, Injector.webhook({ workloadPolicy: false })',
  MutatingAdmissionPolicy: 'Injector.webhook()',
  PodMonitor: 'no AutocertMonitoring, or install the Prometheus operator first',
  PrometheusRule: 'no AutocertMonitoring, or install the Prometheus operator first',
};

/** What was found out about the version. */
export interface VersionReport {
  /** As the API server tells it, such as `v1.37.0`. */
  readonly version: string;
  readonly lacks: readonly string[];
}

/**
 * Asks for the version.
 * @throws AutocertError `INVALID_CONFIG` when it is too old, or none
 */
export async function checkVersion(api: Pick<KubernetesApi, 'get'>): Promise<VersionReport> {
  const [answer, isNative] = await Promise.all([
    api.get<Readonly<Record<'major' | 'minor' | 'gitVersion', unknown>>>('/version'),
    hasPodCertificates(api),
  ]);
  const [major, minor] = [String(answer.major), String(answer.minor)];
  const version = printable(String(answer.gitVersion ?? `v${major}.${minor}`)).slice(0, 60);
  if (!isAtLeast([0, 0], major, minor)) {
    throw new AutocertError('INVALID_CONFIG', `${shown(version)} is no version of Kubernetes: what answers there?`);
  }
  if (!isAtLeast(OLDEST, major, minor)) {
    throw new AutocertError('INVALID_CONFIG', `Kubernetes is ${version}: Autocert needs ${OLDEST.join('.')} or later`);
  }
  const missing = FEATURES.filter(({ since }) => !isAtLeast(since, major, minor)).map(({ lacks }) => lacks);
  return { version, lacks: isNative ? missing : [NO_NATIVE_DELIVERY, ...missing] };
}

/**
 * Finds the resource of each object.
 * @throws AutocertError `INVALID_CONFIG` with all kinds that the API server does not have, and what does without
 */
export async function locate(api: Pick<KubernetesApi, 'get'>, objects: readonly InstallObject[]): Promise<Located[]> {
  const find = resourceFinder(api);
  const found = await Promise.all(
    objects.map(async (object) => ({ ...object, resource: await find(object.apiVersion, object.kind) })),
  );
  const missing = found.filter(({ resource }) => resource === undefined);
  if (missing.length > 0) throw new AutocertError('INVALID_CONFIG', missingText(missing));
  return found.filter((each): each is Located => each.resource !== undefined);
}

function missingText(missing: readonly InstallObject[]): string {
  const byKind = Map.groupBy(missing, ({ apiVersion, kind }) => `${apiVersion} ${kind}`);
  const lines = [...byKind].map(([what, objects]) => {
    const kind = objects[0]?.kind.replace(/Binding$/, '') ?? '';
    const way = WITHOUT[kind] ? `; without it: ${WITHOUT[kind]}, and synthesize anew` : '';
    return `  ${what} (${objects.slice(0, 3).map(labelOf).join(', ')}${objects.length > 3 ? ', …' : ''})${way}`;
  });
  return `the cluster does not have what the manifests need, or has it switched off:\n${lines.join('\n')}`;
}
