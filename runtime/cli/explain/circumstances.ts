/**
 * What a decision depends on, besides the pod: from the cluster, or from files.
 * @module
 */
import type { NamespaceLabel } from '../../contract.ts';
import { namespaceLabels } from '../../kubernetes/cluster-state.ts';
import { AutocertError } from '../../lib/errors.ts';
import { isRecord } from '../../lib/validator.ts';
import { isLabelled, labelOf, labelText } from '../../policy/namespace-label.ts';
import { type Capabilities, capabilitiesOf, findCapabilities } from '../../webhook/capabilities.ts';
import type { Connection } from '../cluster-connection.ts';
import type { Manifest } from '../manifests.ts';
import { configIn, configOfCluster } from './configuration.ts';
import type { InjectorConfig } from './injection.ts';

/** Assumed of a cluster that is not asked: the newest that Autocert is tested with. */
const ASSUMED_VERSION = '1.37';

/** What holds for all pods. */
export interface Surroundings {
  readonly config: InjectorConfig;
  readonly capabilities: Capabilities;
  readonly isEnabled: (namespace: string) => Promise<boolean>;
  /** What has been assumed, for people. */
  readonly assumptions: readonly string[];
}

/** Where to find it. */
export interface SurroundingsOptions {
  /** Text of the file of `--config`, and its name. Absent: the running webhook's. */
  readonly config?: { readonly text: string; readonly source: string };
  /** Absent: the cluster's, or the newest. */
  readonly kubernetesVersion?: string | undefined;
  /** `key=value` pairs separated by commas: labels of the namespaces of a cluster that is not asked. */
  readonly namespaceLabels?: string | undefined;
  readonly autocertNamespace: string;
  /** Absent: no cluster is asked. */
  readonly cluster?: Connection | undefined;
  /** Objects of the documents: namespaces among them count before those of the cluster. */
  readonly objects: readonly Manifest[];
}

/**
 * Finds all of it.
 * @throws AutocertError `INVALID_CONFIG` with every fault of the configuration, `INVALID_INPUT` where there is none, and
 * what the API server refuses
 */
export async function findSurroundings(options: SurroundingsOptions): Promise<Surroundings> {
  const { cluster, kubernetesVersion } = options;
  const config = options.config ? configIn(options.config) : await configOfCluster(cluster, options.autocertNamespace);
  const capabilities =
    cluster && kubernetesVersion === undefined
      ? await findCapabilities(cluster.api)
      : capabilitiesOf(kubernetesVersion ?? ASSUMED_VERSION);
  const label = labelOf(config);
  return { config, capabilities, ...namespacesBy(options, label), assumptions: assumptionsOf(options, label) };
}

function assumptionsOf(
  { cluster, kubernetesVersion, namespaceLabels: labels }: SurroundingsOptions,
  label: NamespaceLabel,
): string[] {
  if (cluster) return [];
  return [
    ...(kubernetesVersion === undefined
      ? [`assumed: Kubernetes ${ASSUMED_VERSION}; --kubernetes-version says otherwise`]
      : []),
    ...(labels === undefined
      ? [
          `assumed: namespaces that the documents lack are labelled ${labelText(label)}; --namespace-labels says otherwise`,
        ]
      : []),
  ];
}

function namespacesBy(
  { cluster, objects, namespaceLabels: given }: SurroundingsOptions,
  label: NamespaceLabel,
): Pick<Surroundings, 'isEnabled'> {
  const inDocuments = new Map(objects.filter(({ kind }) => kind === 'Namespace').map((object) => labelsOf(object)));
  const labels = given === undefined ? { [label.key]: label.value } : parseLabels(given);
  const ofCluster =
    cluster &&
    namespaceLabels(
      cluster.api,
      () => label,
      () => performance.now(),
    );
  return {
    isEnabled: async (namespace) => {
      const own = inDocuments.get(namespace);
      if (own) return isLabelled(own, label);
      return ofCluster ? ofCluster(namespace) : isLabelled(labels, label);
    },
  };
}

function labelsOf({ metadata }: Manifest): [name: unknown, labels: Readonly<Record<string, unknown>>] {
  const { name, labels } = isRecord(metadata) ? metadata : {};
  return [name, isRecord(labels) ? labels : {}];
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const pairs = text === '' ? [] : text.split(',').map((pair) => pair.split('='));
  if (pairs.some((pair) => pair.length !== 2 || pair[0]?.trim() === '')) {
    throw new AutocertError(
      'INVALID_INPUT',
      `--namespace-labels ${JSON.stringify(text.slice(0, 100))}: write key=value, more of them separated by commas`,
    );
  }
  return Object.fromEntries(pairs.map(([key = '', value = '']) => [key.trim(), value.trim()]));
}
