/**
 * What `autocert uninstall` would do, and the words for it. Reads only.
 * @module
 */
import { ALLOW_DELETION, DOMAIN, type NamespaceLabel, PART_OF, PkiObject } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { AutocertError } from '../../lib/errors.ts';
import { type Paint, printable } from '../terminal.ts';
import { labelInCluster } from './label.ts';
import { guard, injectors, type ReadObject, type Target, workloads } from './objects.ts';
import { annotatedTemplates, type Counted, enabledNamespaces, injectedPods, type Templates } from './users.ts';

/** Flags that say what goes. */
export interface UninstallScope {
  /** Namespace of Autocert itself. */
  readonly autocertNamespace: string;
  readonly deletePki: boolean;
  readonly cleanAnnotations: boolean;
}

/** What there is. */
export interface UninstallPlan extends UninstallScope {
  readonly injectors: readonly Target[];
  /** Absent: nothing in the cluster says which it is, so that none is taken off. */
  readonly label?: NamespaceLabel;
  readonly namespaces: readonly string[];
  readonly templates: Templates;
  readonly pods: Counted;
  readonly workloads: readonly Target[];
  readonly guard: readonly Target[];
  /** The namespace with the keys is there. */
  readonly hasNamespace: boolean;
}

const SECRETS = [
  PkiObject.rootKey,
  PkiObject.intermediateKey,
  PkiObject.provisioners,
  PkiObject.caPassword,
  PkiObject.autocertPassword,
];

/**
 * Looks at the cluster.
 * @throws AutocertError `INVALID_INPUT` where the namespace is not Autocert's own and is to go; what the API server answers
 */
export async function planUninstall(
  api: Pick<KubernetesApi, 'get' | 'request'>,
  scope: UninstallScope,
): Promise<UninstallPlan> {
  const { autocertNamespace: name, deletePki } = scope;
  const found = await ifFound(api.get<ReadObject>(`/api/v1/namespaces/${name}`));
  if (deletePki && found && found.metadata?.labels?.[PART_OF.key] !== PART_OF.value) {
    throw new AutocertError(
      'INVALID_INPUT',
      `namespace ${name} is not Autocert's own, and may hold what is not: delete the Secrets one by one, see docs/uninstall.md`,
    );
  }
  const label = await labelInCluster(api, name);
  const [first, namespaces, templates, pods, then, last] = await Promise.all([
    injectors(api, name),
    label ? enabledNamespaces(api, label) : [],
    annotatedTemplates(api, name),
    injectedPods(api),
    workloads(api, name),
    guard(api, name),
  ]);
  const rest = { templates, pods, workloads: then, guard: last, hasNamespace: found !== undefined };
  return { ...scope, ...(label && { label }), injectors: first, namespaces, ...rest };
}

/** Whether there is anything to do. */
export function isNothingLeft(plan: UninstallPlan): boolean {
  const pki = plan.deletePki && (plan.hasNamespace || plan.guard.length > 0);
  const annotations = plan.cleanAnnotations && plan.templates.own.length > 0;
  return plan.injectors.length + plan.namespaces.length + plan.workloads.length === 0 && !pki && !annotations;
}

/** What would be done, and what stays; ends in a newline. */
export function previewText(plan: UninstallPlan, paint: Paint): string {
  const deleted = (targets: readonly Target[]) => targets.map(({ label }) => `delete  ${label}`);
  const { autocertNamespace: namespace, templates, deletePki, cleanAnnotations } = plan;
  const stages: readonly [string, readonly string[]][] = [
    ['no pod is injected any more', deleted(plan.injectors)],
    ['labels off', plan.namespaces.map((name) => `label   namespace/${name} ${plan.label?.key}-`)],
    [
      `annotations ${DOMAIN}/… out of templates, which makes new pods of them`,
      cleanAnnotations ? templates.own.map(({ label }) => `patch   ${label}`) : [],
    ],
    ['what runs, and its rights', deleted(plan.workloads)],
    [
      paint('red', 'the PKI: the root key goes for good. Save it first: autocert pki backup --out FILE'),
      deletePki ? [...(plan.hasNamespace ? [`delete  namespace/${namespace}`] : []), ...deleted(plan.guard)] : [],
    ],
  ];
  const shown = stages
    .filter(([, lines]) => lines.length > 0)
    .flatMap(([title, lines], index) => [`${index + 1}. ${title}`, ...lines.map((line) => `   ${printable(line)}`)]);
  return `${[...shown, '', ...remainderLines(plan)].join('\n')}\n`;
}

/** What stays, and what people have to see to. */
export function remainderLines(plan: UninstallPlan): string[] {
  const { autocertNamespace: namespace, deletePki, hasNamespace, templates, cleanAnnotations, pods } = plan;
  const kept = `Kept: namespace/${namespace} with the Secrets that hold keys and passwords (${SECRETS.join(', ')}), its
ConfigMaps, network policies and the volume of the CA's database; and validatingadmissionpolicy/autocert-pki-${namespace}, which
guards the keys. autocert install brings the rest back with the same root; --delete-pki deletes them, too.`;
  const annotated = `Templates with annotations ${DOMAIN}/…: ${templates.own.length}${templates.more ? ' and more' : ''}. They do nothing without Autocert; --clean-annotations takes
them out, which makes new pods.`;
  const unknown = `Which label turned it on in namespaces is not known, for its configuration is gone: none is taken off. Do it by
kubectl label namespace NAME KEY-`;
  return [
    ...(plan.label === undefined && plan.workloads.length > 0 ? [unknown, ''] : []),
    ...(hasNamespace && !deletePki ? [kept, ''] : []),
    ...(templates.own.length > 0 && !cleanAnnotations ? [annotated, ''] : []),
    ...counted('Annotated templates that other objects make', templates.owned, 'Change those.'),
    ...counted(
      'Injected pods',
      pods,
      'They keep their files and are renewed no more. With native delivery they cannot start again: make new ones.',
    ),
  ];
}

function counted(what: string, { count, names }: Counted, advice: string): string[] {
  if (count === 0) return [];
  const more = count > names.length ? [`  … and ${count - names.length} more`] : [];
  return [`${what}: ${count}. ${advice}`, ...names.map((name) => `  ${printable(name)}`), ...more, ''];
}

/** What allows the namespace with the keys to be deleted, as a merge patch. */
export const PERMISSION_PATCH = { metadata: { annotations: { [ALLOW_DELETION]: 'true' } } } as const;
