/**
 * `autocert pki create`, `upkeep`, `init`, `status`, `intermediate` and `rotate`: flags, files and the cluster on one side, text on the other.
 * @module
 */
import { PKI_DRAFT, PkiObject } from '../contract.ts';
import { KubernetesApi } from '../kubernetes/client.ts';
import type { KubeconfigFlags } from '../kubernetes/credentials.ts';
import { AutocertError } from '../lib/errors.ts';
import { jsonLog } from '../lib/log.ts';
import { Secret } from '../lib/secret.ts';
import { readTextFile } from '../lib/text-file.ts';
import { ClusterObjects } from '../pki/cluster-objects.ts';
import { createPkiIn, type InitOptions, initPki, keepPki } from '../pki/init-in-cluster.ts';
import type { PermittedNames } from '../pki/intermediate.ts';
import { renewIntermediate } from '../pki/renew-intermediate.ts';
import { retire } from '../pki/retire.ts';
import type { RootKeyFile } from '../pki/root-key.ts';
import { abort, announce, switchRoot } from '../pki/rotation.ts';
import { readStatus } from '../pki/status.ts';
import { statusText } from '../pki/status-text.ts';
import { inNamespace, type NeededRights } from './rights.ts';

const KEY = `secret/${PkiObject.intermediateKey}`;
const deleting: NeededRights = {
  rights: 'the verbs get, create, update and delete for secrets and configmaps',
  canI: `update ${KEY}`,
};
const Needed = {
  creating: {
    rights: `the verb create for secrets and configmaps, get, update and delete for secret/${PKI_DRAFT}, and get for configmap/${PkiObject.certificates}`,
    canI: 'create secrets',
  },
  reading: { rights: 'the verb get for secrets and configmaps', canI: `get ${KEY}` },
  writing: { rights: 'the verbs get, create and update for secrets and configmaps', canI: `update ${KEY}` },
  deleting,
  retiring: {
    ...deleting,
    elsewhere: { rights: 'the verb list for pods in all namespaces', canI: 'list pods --all-namespaces' },
  },
} as const;

/** Flags of all of them. */
interface NamespaceFlag extends KubeconfigFlags {
  readonly namespace: string;
}

/** Flag of those that may make a PKI. */
interface CaNameFlag {
  readonly caName: string;
}

/** Flags of those that sign. */
interface RootKeyFlags {
  readonly rootKey?: string;
  readonly rootKeyPasswordFile?: string;
}

/** The flag that says which names an intermediate may sign. */
interface PermitFlag {
  /** Separated by commas. */
  readonly permit?: string;
}

const log = () => jsonLog({ component: 'pki' });

/** Makes the PKI where there is none. */
export async function createInCluster(flags: NamespaceFlag & CaNameFlag & PermitFlag): Promise<void> {
  await inCluster(flags, Needed.creating, (api) => createPkiIn(api, initOptions(flags)));
}

/** Makes again what was lost, and renews what is due. */
export async function upkeepInCluster(flags: NamespaceFlag & PermitFlag): Promise<void> {
  await inCluster(flags, Needed.writing, (api) => keepPki(api, initOptions(flags)));
}

/** Both. */
export async function initInCluster(flags: NamespaceFlag & CaNameFlag & PermitFlag): Promise<void> {
  await inCluster(flags, Needed.writing, (api) => initPki(api, initOptions(flags)));
}

/**
 * Prints the state of the PKI.
 * @throws AutocertError `UNAVAILABLE` with `check` when there is something to do
 */
export async function status(
  flags: NamespaceFlag & { readonly json: boolean; readonly check: boolean },
): Promise<void> {
  const now = new Date();
  const found = await inCluster(flags, Needed.reading, (api, objects) => readStatus(api, objects, now));
  process.stdout.write(flags.json ? `${JSON.stringify(found, null, 2)}\n` : statusText(found, now));
  if (flags.check && found.todo.length > 0) {
    throw new AutocertError('UNAVAILABLE', `the PKI needs a hand: ${found.todo.map(({ text }) => text).join('; ')}`);
  }
}

/** Replaces the intermediate. */
export async function intermediate(
  flags: NamespaceFlag & RootKeyFlags & PermitFlag & { readonly force: boolean },
): Promise<void> {
  const options = { ...rootKeyOf(flags), ...permittedOf(flags), force: flags.force, now: new Date() };
  process.stdout.write(await inCluster(flags, Needed.writing, (_, objects) => renewIntermediate(objects, options)));
}

/** One step of the root's rotation. */
export async function rotate(
  step: 'announce' | 'switch' | 'retire' | 'abort',
  flags: NamespaceFlag & RootKeyFlags & { readonly force?: boolean },
): Promise<void> {
  const options = { ...rootKeyOf(flags), now: new Date() };
  const steps: Readonly<Record<typeof step, (api: KubernetesApi, objects: ClusterObjects) => Promise<string>>> = {
    announce: (_, objects) => announce(objects, options),
    switch: (_, objects) => switchRoot(objects, options),
    retire: (api, objects) => retire(api, objects, { force: flags.force ?? false, now: options.now }),
    abort: (_, objects) => abort(objects),
  };
  const { writing, deleting, retiring } = Needed;
  const neededBy = { announce: writing, switch: writing, retire: retiring, abort: deleting } as const;
  process.stdout.write(await inCluster(flags, neededBy[step], steps[step]));
}

/** In the cluster that the flags name, else that of kubeconfig or service account; refusals are explained. */
function inCluster<T>(
  { namespace, ...cluster }: NamespaceFlag,
  needed: NeededRights,
  run: (api: KubernetesApi, objects: ClusterObjects) => Promise<T>,
): Promise<T> {
  return inNamespace(namespace, needed, () => {
    const api = KubernetesApi.load(cluster);
    return run(api, new ClusterObjects(api, namespace));
  });
}

function initOptions(flags: NamespaceFlag & Partial<CaNameFlag> & PermitFlag): InitOptions {
  const { namespace, caName } = flags;
  return { namespace, ...(caName !== undefined && { caName }), ...permittedOf(flags), log: log() };
}

function permittedOf({ permit }: PermitFlag): { readonly permitted?: PermittedNames } {
  if (permit === undefined) return {};
  return { permitted: permit === 'any' ? permit : permit.split(',').map((name) => name.trim()) };
}

function rootKeyOf({ rootKey: file, rootKeyPasswordFile }: RootKeyFlags): { readonly rootKey?: RootKeyFile } {
  if (file === undefined) {
    if (rootKeyPasswordFile === undefined) return {};
    throw new AutocertError('INVALID_INPUT', '--root-key-password-file is of use with --root-key FILE only');
  }
  const read = (name: string) => readTextFile(name, 'INVALID_INPUT');
  return {
    rootKey: {
      file,
      pem: new Secret(read(file)),
      ...(rootKeyPasswordFile !== undefined && { password: new Secret(read(rootKeyPasswordFile).trimEnd()) }),
    },
  };
}
