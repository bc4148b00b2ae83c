/**
 * `autocert install`: looks whether the cluster can take what the manifests have, applies it, waits until it works.
 * @module
 */
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { AutocertError } from '../../lib/errors.ts';
import { sleep as realSleep, type Sleep } from '../../lib/loops.ts';
import { shown } from '../../lib/validator.ts';
import { parseDuration } from '../../policy/duration.ts';
import { textReporter } from '../reporter.ts';
import { printable } from '../terminal.ts';
import { type Bundle, DEFAULT_IMAGE, labelOf, ownManifests, readBundle } from './bundle.ts';
import { type ApplyFlags, applyObject, type Change, type PlannedObject, planChanges } from './changes.ts';
import { checkVersion, locate } from './checks.ts';
import { closingText } from './closing.ts';
import { checkPermissions, isServiceAccount } from './permissions.ts';
import { awaitReady } from './readiness.ts';

/** Flags of `autocert install`. */
export interface InstallOptions {
  /** Folder of the manifests. Absent: those that come with this program. */
  readonly dir?: string | undefined;
  /** Image of Autocert's own containers. Absent: that by which this runs, where it is Autocert's, else what the manifests name. */
  readonly image?: string | undefined;
  /** Go duration. */
  readonly timeout: string;
  readonly dryRun: boolean;
  readonly forceConflicts: boolean;
  readonly showPasswords: boolean;
}

/** What it needs of the Kubernetes API. */
export type InstallApi = Pick<KubernetesApi, 'get' | 'create' | 'apply' | 'request'>;

/** What it has to do with the rest of the world. */
export interface InstallEffects {
  readonly connect: () => { readonly api: InstallApi; readonly namespace?: string | undefined };
  /** The running script: its manifests are beside it. */
  readonly program: string;
  /** The image of the pod in which this runs, if it does. */
  readonly ownImage: (api: InstallApi) => Promise<string | undefined>;
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** @default by the machine's timers */
  readonly sleep?: Sleep;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** A reference of an image, as far as it is looked at here. */
const IMAGE = /^[\w.:/@-]{1,512}$/;
const WORDS: Readonly<Record<Change, string>> = { create: 'to create', change: 'to change', none: 'as it should be' };

/**
 * Installs.
 * @throws AutocertError `INVALID_INPUT` for what is asked and for conflicts; `INVALID_CONFIG` for a cluster that lacks what
 * it takes; `FORBIDDEN` with the rights that are missing; `UNAVAILABLE`; Error when it is not ready in time
 */
export async function install(options: InstallOptions, effects: InstallEffects): Promise<void> {
  const timeoutMs = parseDuration(options.timeout);
  if (options.image !== undefined && !IMAGE.test(options.image)) {
    throw new AutocertError(
      'INVALID_INPUT',
      `--image ${shown(options.image)} is not an image, such as ${DEFAULT_IMAGE}`,
    );
  }
  const { api, namespace: usualNamespace = 'default' } = effects.connect();
  const reporter = textReporter((text) => effects.write(text), effects.colour);
  const bundle = await readAll(options, effects, api);
  reporter.text(`${bundle.objects.length} objects of ${bundle.files} files in ${bundle.folder}`);
  const flags: ApplyFlags = { usualNamespace, force: options.forceConflicts };

  const report = await reporter.step('Kubernetes', async () => {
    const found = await checkVersion(api);
    return { line: found.version, value: found };
  });
  for (const each of report.lacks) reporter.text(`without ${each}`);
  const located = await reporter.step('APIs', async () => {
    const value = await locate(api, bundle.objects);
    return { line: `all ${new Set(value.map(({ kind }) => kind)).size} kinds are there`, value };
  });
  const asker = await reporter.step('rights', async () => {
    const value = await checkPermissions(api, located);
    return { line: printable(`${value.name ?? 'you'} may apply all of it`), value };
  });
  const planned = await reporter.step('dry run', async () => {
    const value = await planChanges(api, located, flags);
    return { line: summary(value), value };
  });
  if (options.dryRun) {
    for (const each of planned) reporter.text(`${WORDS[each.change].padEnd(16)}${describe(each)}`);
    effects.write('\nNothing was applied (--dry-run).\n');
    return;
  }
  await reporter.step('apply', async () => {
    const changes = planned.filter(({ change }) => change !== 'none');
    for (const each of changes) {
      await applyObject(api, each, flags);
      reporter.text(`${each.change === 'create' ? 'created' : 'changed'}  ${describe(each)}`);
    }
    return { line: changes.length === 0 ? 'there was nothing to do' : `${changes.length} objects`, value: undefined };
  });
  await reporter.step('ready', async () => {
    const { sleep = realSleep, now = () => performance.now() } = effects;
    const patience = { timeoutMs, sleep, now, say: reporter.text, signal: new AbortController().signal };
    const count = await awaitReady(api, planned, bundle.namespace, patience);
    return { line: `all ${count}`, value: undefined };
  });
  const { showPasswords } = options;
  const byServiceAccount = isServiceAccount(asker);
  effects.write(await closingText(api, { namespace: bundle.namespace, showPasswords, byServiceAccount }));
}

/** With the image of this pod where it is Autocert's, so that `kubectl run autocert-init --image` names one for all. */
async function readAll({ dir, image }: InstallOptions, effects: InstallEffects, api: InstallApi): Promise<Bundle> {
  const { folder, inImage } = dir === undefined ? ownManifests(effects.program) : { folder: dir, inImage: false };
  const wanted = image ?? (inImage ? await effects.ownImage(api) : undefined);
  return readBundle(folder, wanted === DEFAULT_IMAGE ? undefined : wanted);
}

function summary(planned: readonly PlannedObject[]): string {
  const counts = (Object.keys(WORDS) as Change[]).map((change) => {
    const count = planned.filter((each) => each.change === change).length;
    return count === 0 ? [] : [`${count} ${WORDS[change]}`];
  });
  return counts.flat().join(', ');
}

function describe(object: PlannedObject): string {
  const { namespace } = object;
  return printable(`${labelOf(object)}${namespace === undefined ? '' : ` in namespace ${namespace}`}`);
}
