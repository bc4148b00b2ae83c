/**
 * `autocert explain`: what Autocert would do with pods, and why.
 * @module
 */
import { stringify } from 'yaml';
import { AutocertError } from '../../lib/errors.ts';
import type { Connection } from '../cluster-connection.ts';
import { MAX_OBJECTS, objectsIn, readManifestText, STDIN, sourceName } from '../manifests.ts';
import { checkNamespaceName } from '../rights.ts';
import type { Paint } from '../terminal.ts';
import { findSurroundings } from './circumstances.ts';
import { type Explanation, explain, type Subject } from './explanation.ts';
import { namedObjects, subjectOf, subjectsIn } from './subjects.ts';
import { explanationsText } from './text.ts';

/** Flags of `autocert explain`. */
export interface ExplainOptions {
  /** Files with manifests; `-`: standard input. */
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly output: 'table' | 'json' | 'yaml';
  readonly diff: boolean;
  /** File with the webhook's configuration, or with the ConfigMap that has it. */
  readonly config?: string;
  readonly autocertNamespace: string;
  readonly kubernetesVersion?: string;
  readonly namespaceLabels?: string;
}

/** What it has to do with the rest of the world. */
export interface ExplainEffects {
  readonly connect: () => Connection;
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly paint: Paint;
}

/** The text, and whether the rules refuse a pod. */
export interface Explained {
  readonly text: string;
  readonly refused: boolean;
}

function connected(connect: () => Connection): Connection {
  try {
    return connect();
  } catch (cause) {
    throw new AutocertError('INVALID_CONFIG', 'there is no cluster to ask, and -f with --config FILE does without', {
      cause,
    });
  }
}

/** Where objects are that name no namespace. */
const DEFAULT_NAMESPACE = 'default';

/**
 * Explains objects of the cluster (`words`, such as `pod/web-0`) and those of files.
 * @throws AutocertError `INVALID_INPUT` and `INVALID_CONFIG` for what is asked or read; `UNAVAILABLE`, `UNAUTHENTICATED`
 * and `FORBIDDEN` for the cluster
 */
export async function explainAll(
  words: readonly string[],
  options: ExplainOptions,
  { connect, stdin, paint }: ExplainEffects,
): Promise<Explained> {
  const { filename: files = [], output, diff, autocertNamespace } = options;
  if (words.length === 0 && files.length === 0) {
    throw new AutocertError('INVALID_INPUT', 'name what to explain: KIND/NAME of the cluster, or -f FILE');
  }
  if ([...files, options.config].filter((file) => file === STDIN).length > 1) {
    throw new AutocertError('INVALID_INPUT', 'standard input (-) can be read once');
  }
  const named = namedObjects(words);
  const objects = [];
  for (const file of files) objects.push(...objectsIn(await readManifestText(file, stdin), sourceName(file)));
  if (objects.length > MAX_OBJECTS)
    throw new AutocertError('INVALID_INPUT', `there are more than ${MAX_OBJECTS} objects`);
  const config =
    options.config === undefined
      ? undefined
      : { text: await readManifestText(options.config, stdin), source: sourceName(options.config) };

  const cluster = named.length > 0 || !config ? connected(connect) : undefined;
  const namespace = options.namespace ?? cluster?.namespace ?? DEFAULT_NAMESPACE;
  checkNamespaceName(namespace);
  const inFiles = subjectsIn(objects, namespace);
  if (named.length === 0 && inFiles.length === 0) {
    throw new AutocertError(
      'INVALID_INPUT',
      `${files.map(sourceName).join(', ')}: no pod is in it, and nothing that makes pods`,
    );
  }
  const { kubernetesVersion, namespaceLabels } = options;
  const where = { kubernetesVersion, namespaceLabels, autocertNamespace, cluster, objects, ...(config && { config }) };
  const { isEnabled, assumptions, ...surroundings } = await findSurroundings(where);
  const all: Explanation[] = [];
  const add = async (subject: Subject) =>
    all.push(explain(subject, { ...surroundings, namespaceEnabled: await isEnabled(subject.namespace) }));
  for (const object of named) if (cluster) await add(await subjectOf(object, namespace, cluster));
  for (const subject of inFiles) await add(subject);
  const refused = all.some(({ outcome }) => outcome === 'refused' || outcome === 'reported');
  if (output === 'table') return { refused, text: explanationsText(all, assumptions, diff, paint) };
  const items = all.map(({ diff: lines, ...one }) => ({ ...one, ...(diff && lines && { diff: lines.join('\n') }) }));
  const value = { items, assumptions };
  return {
    refused,
    text: output === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringify(value, { lineWidth: 0 }),
  };
}
