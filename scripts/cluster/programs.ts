/**
 * The programs that the node and the tests run, built from their Go modules into the cache. What is there in the right
 * version is not built again.
 * @module
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BUILD_TIMEOUT,
  buildAll,
  builtInto,
  GO_ENV,
  inWrapper,
  moduleDirectory,
  needsGo,
  replacementsOf,
  type Wrapper,
} from './go-builds.ts';
import { BASE_KUBERNETES_VERSION, BIN, KUBERNETES_BIN, KUBERNETES_VERSION } from './settings.ts';
import { run, tryRun } from './shell.ts';

interface GoProgram {
  readonly module: string;
  /** Package below the module; absent: the module itself. */
  readonly path?: string;
  readonly version: string;
  /**
   * `with Kubernetes`: in one module with it, {@link nodeModule}. `wrapped`: in a module of its own, with its replacements by
   * other versions, since Go installs no module that has any. @default - as `go install` does it
   */
  readonly how?: 'with Kubernetes' | 'wrapped';
  /** Source of a main package, in place of the module's own. */
  readonly main?: string;
  /** Built only where it is asked for by name. */
  readonly onRequest?: boolean;
}

/** One binary, which is controller, repository server and more, by the name that it is called. */
const ARGO_CD = { module: 'github.com/argoproj/argo-cd/v3', version: 'v3.3.0' } as const;

/** Of Flux, the part that applies. */
const FLUX = { module: 'github.com/fluxcd/kustomize-controller', version: 'v1.9.6' } as const;

/** Its definitions only. */
const FLUX_SOURCES = { module: 'github.com/fluxcd/source-controller', version: 'v1.9.0' } as const;

/** CoreDNS with the plugins that `addons.yaml` names; its own main package brings the clients of three clouds along. */
const COREDNS_PLUGINS = ['cache', 'errors', 'health', 'kubernetes', 'ready'];
const COREDNS = {
  module: 'github.com/coredns/coredns',
  version: 'v1.15.0',
  how: 'with Kubernetes',
  main: `package main
import (
  "github.com/coredns/coredns/coremain"
${COREDNS_PLUGINS.map((plugin) => `  _ "github.com/coredns/coredns/plugin/${plugin}"\n`).join('')})
func main() { coremain.Run() }
`,
} as const;

/** It does not compile with the CRI of Kubernetes 1.37, so it is built by itself. */
const CONTAINERD = { module: 'github.com/containerd/containerd/v2', version: 'v2.3.7' } as const;

/** kubelet 1.36 and later want containerd 2; Kubernetes 1.37 requires this version of etcd, and no earlier one. */
const PROGRAMS: Readonly<Record<string, GoProgram>> = {
  'step-ca': {
    module: 'github.com/smallstep/certificates',
    path: 'cmd/step-ca',
    version: 'v0.30.2',
    how: 'with Kubernetes',
  },
  step: { module: 'github.com/smallstep/cli', path: 'cmd/step', version: 'v0.21.0' },
  coredns: COREDNS,
  containerd: { ...CONTAINERD, path: 'cmd/containerd' },
  'containerd-shim-runc-v2': { ...CONTAINERD, path: 'cmd/containerd-shim-runc-v2' },
  ctr: { ...CONTAINERD, path: 'cmd/ctr' },
  'kube-router': {
    module: 'github.com/cloudnativelabs/kube-router/v2',
    path: 'cmd/kube-router',
    version: 'v2.1.0',
    how: 'with Kubernetes',
  },
  etcd: { module: 'go.etcd.io/etcd/server/v3', version: 'v3.7.2', how: 'with Kubernetes' },
  argocd: { ...ARGO_CD, path: 'cmd', how: 'wrapped', onRequest: true },
  // Argo CD runs it
  kustomize: { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.1', onRequest: true },
  'kustomize-controller': { ...FLUX, how: 'wrapped', onRequest: true },
  // Of the version that step-ca has inside.
  bbolt: { module: 'go.etcd.io/bbolt', path: 'cmd/bbolt', version: 'v1.4.3', onRequest: true },
  zlint: { module: 'github.com/zmap/zlint/v3', path: 'cmd/zlint', version: 'v3.7.3', onRequest: true },
};

const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl'];

/** What every node needs. */
const USUAL = Object.keys(PROGRAMS).filter((name) => PROGRAMS[name]?.onRequest !== true);

/** Builds what is missing of `names` (what every node needs, when absent); `note` hears of each. */
export async function ensurePrograms(note: (text: string) => void, names: readonly string[] = USUAL): Promise<void> {
  const groups = new Map<string, Map<string, GoProgram>>();
  for (const name of names) {
    const program = PROGRAMS[name];
    if (program === undefined || (await isCurrent(name, program))) continue;
    needsGo(name);
    const group = program.how === 'with Kubernetes' ? program.how : program.module;
    groups.set(group, (groups.get(group) ?? new Map()).set(name, program));
  }
  for (const missing of groups.values()) {
    note(`building ${[...missing].map(([name, { version }]) => `${name} ${version}`).join(', ')}`);
    await builtInto(BIN, [...missing.keys()], (folder) => build(folder, missing));
    for (const [name, program] of missing)
      if (!(await isCurrent(name, program)))
        throw new Error(
          `${name} was not built of ${program.module} ${program.version}: another module requires a later one; see go version -m ${join(BIN, name)}`,
        );
  }
}

/** Builds the Kubernetes programs of {@link KUBERNETES_VERSION} that are missing: minutes the first time. */
export async function ensureKubernetes(note: (text: string) => void): Promise<void> {
  const missing = KUBERNETES.filter((name) => !existsSync(join(KUBERNETES_BIN, name)));
  if (missing.length === 0) return;
  needsGo(`Kubernetes ${KUBERNETES_VERSION}`);
  const version = `v${KUBERNETES_VERSION}`;
  const [major = '1', minor = ''] = KUBERNETES_VERSION.split('.');
  const stamp = `-X k8s.io/component-base/version.gitVersion=${version} -X k8s.io/component-base/version.gitMajor=${major} -X k8s.io/component-base/version.gitMinor=${minor} -X k8s.io/client-go/pkg/version.gitVersion=${version}`;
  const targets = new Map(missing.map((name) => [name, kubernetesPackage(name)]));
  note(`building ${missing.join(', ')} ${version}`);
  await builtInto(KUBERNETES_BIN, missing, async (folder) => {
    const isBase = KUBERNETES_VERSION === BASE_KUBERNETES_VERSION;
    const wrapper = isBase
      ? await nodeModule()
      : { requirements: await requireKubernetes(KUBERNETES_VERSION), packages: [...targets.values()] };
    await inWrapper(wrapper, (cwd) => buildAll(folder, targets, cwd, `-s -w ${stamp}`));
  });
}

/**
 * One module for most of what a node runs. Each by itself they would have the libraries of Kubernetes, and many others, in as many
 * versions, and Go would compile all of them.
 */
async function nodeModule(): Promise<Wrapper> {
  const programs = Object.entries(PROGRAMS).filter(([, { how }]) => how === 'with Kubernetes');
  const modules = new Set(programs.map(([, { module, version }]) => `require ${module} ${version}\n`));
  return {
    requirements: (await requireKubernetes(BASE_KUBERNETES_VERSION)) + [...modules].join(''),
    packages: [
      ...KUBERNETES.map(kubernetesPackage),
      ...programs.flatMap(([, program]) => (program.main === undefined ? [packageOf(program)] : [])),
    ],
    mains: Object.fromEntries(programs.flatMap(([name, { main }]) => (main === undefined ? [] : [[name, main]]))),
  };
}

/** Outside its own tree, Kubernetes finds its staging modules under their published versions. */
async function requireKubernetes(number: string): Promise<string> {
  const source = await moduleDirectory('k8s.io/kubernetes', `v${number}`);
  const replacements = await replacementsOf(source, `v0.${number.replace(/^\d+\./, '')}`);
  return `require k8s.io/kubernetes v${number}\n${replacements}`;
}

const kubernetesPackage = (name: string) => `k8s.io/kubernetes/cmd/${name}`;

/** Builds programs that have one module: their own, or {@link nodeModule}. */
async function build(folder: string, programs: ReadonlyMap<string, GoProgram>): Promise<void> {
  const targets = new Map(
    [...programs].map(([name, one]) => [name, one.main === undefined ? packageOf(one) : `./${name}`]),
  );
  const [first] = programs.values();
  if (first === undefined) return;
  const { how, module, version } = first;
  if (how === 'with Kubernetes') return inWrapper(await nodeModule(), (cwd) => buildAll(folder, targets, cwd));
  if (how === 'wrapped') {
    const requirements = `require ${module} ${version}\n${await replacementsOf(await moduleDirectory(module, version))}`;
    return inWrapper({ requirements, packages: [...targets.values()] }, (cwd) => buildAll(folder, targets, cwd));
  }
  const packages = [...targets.values()].map((target) => `${target}@${version}`);
  const argv = ['go', 'install', '-ldflags', '-s -w', ...packages];
  await run(argv, { cwd: tmpdir(), env: { ...GO_ENV, GOBIN: folder }, ...BUILD_TIMEOUT });
}

/** Go writes into each program which modules it was built from. Without Go what is there has to do. */
async function isCurrent(name: string, { module, version }: GoProgram): Promise<boolean> {
  const file = join(BIN, name);
  if (!existsSync(file)) return false;
  const { code, stdout } = await tryRun(['go', 'version', '-m', file]);
  return code === 127 || stdout.split('\n').some((line) => line.includes(`\t${module}\t${version}`));
}

function packageOf({ module, path }: GoProgram): string {
  return path === undefined ? module : `${module}/${path}`;
}

/** The Custom Resource Definitions of Argo CD, as its module has them. */
export async function argoCdDefinitions(): Promise<string> {
  return join(await moduleDirectory(ARGO_CD.module, ARGO_CD.version), 'manifests/crds');
}

/** Those of Flux that its kustomize-controller works with: files and folders. */
export async function fluxDefinitions(): Promise<string[]> {
  const [own, sources] = await Promise.all([FLUX, FLUX_SOURCES].map((one) => moduleDirectory(one.module, one.version)));
  return [own, sources].map((folder) => join(folder ?? '', 'config/crd/bases'));
}
