/**
 * Synthesizes constructs and finds things in what they make.
 * @module
 */
import { App, Chart } from 'cdk8s';

/** An object as it is applied; tests look into the parts they are about. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly rules?: readonly PolicyRule[];
  readonly roleRef?: object;
  readonly subjects?: readonly object[];
  // biome-ignore lint/suspicious/noExplicitAny: what is in a spec depends on the kind
  readonly spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: of a webhook configuration
  readonly webhooks?: any;
}

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A container of a pod template. */
export interface ContainerManifest {
  readonly name: string;
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
    readonly privileged?: boolean;
  };
  readonly resources?: { readonly requests?: object; readonly limits?: object };
}

/** What `build` puts into an empty chart, as objects. */
export function synth(build: (chart: Chart) => void): readonly Manifest[] {
  const chart = new Chart(new App(), 'test');
  build(chart);
  return chart.toJson();
}

/** The one object of that kind and name. */
export function find(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const all = manifests.map((one) => `${one.kind}/${one.metadata.name}`).join(', ');
    throw new Error(`${found.length} of ${kind}/${name ?? '*'} in: ${all}`);
  }
  return only;
}

/** Kind and name of each, for assertions on what is there and what is not. */
export function listed(manifests: readonly Manifest[]): readonly string[] {
  return manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
}

/** A JSON file in a ConfigMap. */
export function configOf(manifests: readonly Manifest[], configMap: string, file: string) {
  return JSON.parse(find(manifests, 'ConfigMap', configMap).data?.[file] ?? 'null');
}

/** Pod specs of every workload, by kind and name. */
// biome-ignore lint/suspicious/noExplicitAny: a pod spec
export function podSpecs(manifests: readonly Manifest[]): ReadonlyMap<string, any> {
  const found = manifests.flatMap(({ kind, metadata, spec }) => {
    const template = spec?.template ?? spec?.jobTemplate?.spec.template;
    return template?.spec === undefined ? [] : [[`${kind}/${metadata.name}`, template.spec] as const];
  });
  return new Map(found);
}

/**
 * Why Pod Security `restricted` would refuse a pod of ours; empty: it would not.
 * Stricter than the standard in what we promise besides: read-only root, and limits.
 */
// biome-ignore lint/suspicious/noExplicitAny: a pod spec
export function restrictedFaults(spec: any): readonly string[] {
  const faults: string[] = [];
  const want = (holds: boolean, fault: string) => void (holds || faults.push(fault));
  const pod = spec.securityContext ?? {};
  want(pod.runAsNonRoot === true && pod.runAsUser > 0, 'does not run as another user than root');
  want(pod.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile');
  want(!spec.hostNetwork && !spec.hostPID && !spec.hostIPC, 'shares namespaces of the host');
  for (const volume of spec.volumes ?? []) {
    const kinds = ['configMap', 'secret', 'projected', 'emptyDir', 'persistentVolumeClaim'];
    want(
      kinds.some((kind) => kind in volume),
      `volume ${volume.name} is of a kind that is not allowed`,
    );
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers] as ContainerManifest[]) {
    const context = container.securityContext ?? {};
    want(context.allowPrivilegeEscalation === false, `${container.name} may escalate`);
    want(context.privileged !== true, `${container.name} is privileged`);
    want(context.readOnlyRootFilesystem === true, `${container.name} may write to its root`);
    want(context.capabilities?.drop?.includes('ALL') === true, `${container.name} does not drop all capabilities`);
    const added = context.capabilities?.add ?? [];
    want(
      added.every((one) => one === 'NET_BIND_SERVICE'),
      `${container.name} adds ${added}`,
    );
    want(container.resources?.limits !== undefined, `${container.name} has no limits`);
  }
  return faults;
}
