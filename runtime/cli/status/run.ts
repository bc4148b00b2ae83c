/**
 * `autocert status`: how Autocert is, and what its pods have. Reads only.
 * @module
 */
import { stringify } from 'yaml';
import { AutocertError } from '../../lib/errors.ts';
import type { Connection } from '../cluster-connection.ts';
import { configIfKnown } from '../explain/configuration.ts';
import { type Installation, readInstallation } from '../observed/installation.ts';
import { remember } from '../observed/memory.ts';
import { readOtherInjectors } from '../observed/other-installations.ts';
import { type PodStatuses, readPods } from '../observed/pods.ts';
import { checkNamespaceName } from '../rights.ts';
import type { Paint } from '../terminal.ts';
import { statusText } from './text.ts';

/** Flags of `autocert status`. */
export interface StatusOptions {
  readonly namespace?: string | undefined;
  readonly allNamespaces: boolean;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  /** Again and again: see `watch.ts`. */
  readonly watch?: boolean;
  /** Namespace of Autocert itself. */
  readonly autocertNamespace: string;
}

const READERS = { configOf: configIfKnown, injectorsOf: readOtherInjectors };

/**
 * What hardly ever changes is read from the cluster twice a minute at most: for those who read the same status again and again.
 * @param monotonic milliseconds
 */
export function remembering(monotonic: () => number): typeof READERS {
  return {
    configOf: remember(configIfKnown, monotonic),
    injectorsOf: remember(readOtherInjectors, monotonic, ({ hasFailed }) => !hasFailed),
  };
}

/** What it has to do with the rest of the world. */
export interface StatusEffects {
  readonly connect: () => Connection;
  readonly now: Date;
  readonly paint: Paint;
  /** Reads what hardly ever changes: see {@link remembering}. @default from the cluster each time */
  readonly readers?: typeof READERS;
}

/** Whose pods, and where Autocert is. */
export type StatusScope = Pick<StatusOptions, 'namespace' | 'allNamespaces' | 'autocertNamespace'>;

/** What was read. */
export interface StatusReport extends PodStatuses {
  readonly installation: Installation;
}

/**
 * Reads it.
 * @throws AutocertError as {@link status} does
 */
export async function readStatus(
  scope: StatusScope,
  { connect, readers = READERS }: Pick<StatusEffects, 'connect' | 'readers'>,
): Promise<StatusReport> {
  const { namespace, allNamespaces, autocertNamespace } = scope;
  if (allNamespaces && namespace !== undefined) {
    throw new AutocertError('INVALID_INPUT', 'give either --namespace or --all-namespaces');
  }
  checkNamespaceName(autocertNamespace, '--autocert-namespace');
  const { api, namespace: usual = 'default' } = connect();
  const whose = namespace ?? usual;
  checkNamespaceName(whose);
  const podsOf = allNamespaces ? undefined : whose;
  const config = readers.configOf(api, autocertNamespace);
  const [installation, found] = await Promise.all([
    readInstallation(api, autocertNamespace, config),
    readPods(api, podsOf, autocertNamespace, () => readers.injectorsOf(api, autocertNamespace, podsOf, config)),
  ]);
  return { installation, ...found };
}

/**
 * The status as text.
 * @throws AutocertError `INVALID_INPUT` for what is asked; `INVALID_CONFIG`, `UNAVAILABLE`, `UNAUTHENTICATED` and
 * `FORBIDDEN` for the cluster
 */
export async function status(options: StatusOptions, { now, paint, ...source }: StatusEffects): Promise<string> {
  const { output, watch } = options;
  if (watch && (output === 'json' || output === 'yaml')) {
    throw new AutocertError('INVALID_INPUT', `--watch is for people: with -o table or wide, not ${output}`);
  }
  const report = await readStatus(options, source);
  if (output === 'json') return `${JSON.stringify(report, null, 2)}\n`;
  if (output === 'yaml') return stringify(report, { lineWidth: 0 });
  return statusText(report.installation, report, output === 'wide', now, paint);
}
