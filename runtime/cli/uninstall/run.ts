/**
 * `autocert uninstall`: shows what would go, or does it, in the order in which nothing gets stuck. What has gone already is
 * passed over, so that it can be run again.
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import { type KubernetesApi, MERGE_PATCH } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { sleep as realSleep, type Sleep } from '../../lib/loops.ts';
import { parseDuration } from '../../policy/duration.ts';
import { type Reporter, textReporter } from '../reporter.ts';
import { checkNamespaceName } from '../rights.ts';
import { painter, printable } from '../terminal.ts';
import type { Target } from './objects.ts';
import {
  isNothingLeft,
  PERMISSION_PATCH,
  planUninstall,
  previewText,
  remainderLines,
  type UninstallPlan,
  type UninstallScope,
} from './plan.ts';

/** Flags of `autocert uninstall`. */
export interface UninstallOptions extends UninstallScope {
  /** Do it; else it is only shown. */
  readonly yes: boolean;
  /** How long to wait for the namespace to go, Go duration. */
  readonly timeout: string;
}

type Api = Pick<KubernetesApi, 'get' | 'request'>;

/** What it has to do with the rest of the world. */
export interface UninstallEffects {
  readonly connect: () => { readonly api: Api };
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** @default by the machine's timers */
  readonly sleep?: Sleep;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Uninstalls, or shows what would go.
 * @throws AutocertError `INVALID_INPUT` for what is asked; what the API server answers; Error when the namespace does not go
 */
export async function uninstall(options: UninstallOptions, effects: UninstallEffects): Promise<void> {
  const { autocertNamespace, yes } = options;
  checkNamespaceName(autocertNamespace, '--autocert-namespace');
  const timeoutMs = parseDuration(options.timeout);
  const { api } = effects.connect();
  const plan = await planUninstall(api, options);
  if (isNothingLeft(plan)) {
    const lines = ['Nothing of it is left to remove.', '', ...remainderLines(plan)];
    return effects.write(`${lines.join('\n').trimEnd()}\n`);
  }
  if (!yes) {
    const text = previewText(plan, painter(effects.colour));
    return effects.write(`This is what would be done; --yes does it.\n\n${text.trimEnd()}\n`);
  }
  const reporter = textReporter(effects.write, effects.colour);
  await remove(api, plan, reporter);
  if (plan.deletePki) await removePki(api, plan, timeoutMs, reporter, effects);
  effects.write(`\nAutocert is uninstalled.\n\n${remainderLines(plan).join('\n').trimEnd()}\n`);
}

async function remove(api: Api, plan: UninstallPlan, reporter: Reporter): Promise<void> {
  await stage(reporter, 'injectors', plan.injectors, (each) => removeObject(api, each, reporter));
  const { label } = plan;
  if (label) {
    await stage(reporter, 'labels', plan.namespaces, async (name) => {
      const patch = { metadata: { labels: { [label.key]: null } } };
      await patched(api, `/api/v1/namespaces/${encodeURIComponent(name)}`, patch);
      reporter.text(printable(`label off  namespace/${name}`));
    });
  }
  if (plan.cleanAnnotations) {
    await stage(reporter, 'templates', plan.templates.own, async ({ label, path, patch }) => {
      await patched(api, path, patch);
      reporter.text(printable(`annotations off  ${label}`));
    });
  }
  await stage(reporter, 'workloads', plan.workloads, (each) => removeObject(api, each, reporter));
}

/** One after the other: the order matters, and a reader sees where it stands. */
async function stage<T>(
  reporter: Reporter,
  name: string,
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  if (items.length === 0) return;
  await reporter.step(name, async () => {
    for (const item of items) await run(item);
    return { line: `${items.length} done`, value: undefined };
  });
}

async function removeObject(api: Api, { label, path }: Target, { text }: Reporter): Promise<void> {
  // Without a policy the Jobs of the API leave their pods behind.
  const gone = await ifFound(api.request('DELETE', path, { body: { propagationPolicy: 'Background' } }));
  text(printable(`${gone === undefined ? 'was gone' : 'deleted'}  ${label}`));
}

async function patched(api: Api, path: string, body: object): Promise<void> {
  await ifFound(api.request('PATCH', path, { body, contentType: MERGE_PATCH }));
}

/** The policy that guards the namespace lets it go for its annotation, and goes after it. */
async function removePki(
  api: Api,
  { autocertNamespace, guard, hasNamespace }: UninstallPlan,
  timeoutMs: number,
  reporter: Reporter,
  { sleep = realSleep, now = () => performance.now() }: UninstallEffects,
): Promise<void> {
  const path = `/api/v1/namespaces/${autocertNamespace}`;
  await reporter.step('PKI', async () => {
    if (hasNamespace) {
      await patched(api, path, PERMISSION_PATCH);
      await removeObject(api, { label: `namespace/${autocertNamespace}`, path }, reporter);
      reporter.text('waiting until all that is in it has gone');
    }
    const end = now() + timeoutMs;
    for (;;) {
      const namespace = await ifFound(api.get<V1Namespace>(path));
      if (!namespace) break;
      if (now() >= end) throw new Error(stuckText(namespace, timeoutMs));
      await sleep(LOOK_EVERY_MS, new AbortController().signal);
    }
    for (const each of guard) await removeObject(api, each, reporter);
    return { line: `namespace/${autocertNamespace} and its keys are gone`, value: undefined };
  });
}

function stuckText({ metadata, status }: V1Namespace, timeoutMs: number): string {
  const why = (status?.conditions ?? [])
    .filter(({ status: is }) => is === 'True')
    .map(({ message = '' }) => `\n  ${printable(message)}`);
  return `namespace ${metadata?.name} has not gone after ${Math.round(timeoutMs / 1000)} s: run this again${why.join('')}`;
}
