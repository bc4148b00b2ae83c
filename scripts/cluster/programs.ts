/**
 * The programs that the node and the tests run, built from their Go modules into the cache. What is there in the right
 * version is not built again.
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { which } from './packages.ts';
import { BIN, CACHE, KUBERNETES_BIN, KUBERNETES_VERSION } from './settings.ts';
import { run, tryRun } from './shell.ts';

interface GoProgram {
  readonly module: string;
  /** Package below the module; absent: the module itself. */
  readonly path?: string;
  readonly version: string;
  /** Not installable by itself: built as a dependency of a module made for it, with its replacements by other versions. */
  readonly wrapped?: boolean;
  /** Built only where it is asked for by name. */
  readonly onRequest?: boolean;
}

/** One binary, which is controller, repository server and more, by the name that it is called. */
const ARGO_CD = { module: 'github.com/argoproj/argo-cd/v3', version: 'v3.3.0' } as const;

/** Of Flux, the part that applies. */
const FLUX = { module: 'github.com/fluxcd/kustomize-controller', version: 'v1.9.6' } as const;

/** Its definitions only. */
const FLUX_SOURCES = { module: 'github.com/fluxcd/source-controller', version: 'v1.9.0' } as const;

/** kubelet 1.36 and later want containerd 2; etcd 3.4 is too old for Kubernetes 1.37. */
const PROGRAMS: Readonly<Record<string, GoProgram>> = {
  'step-ca': { module: 'github.com/smallstep/certificates', path: 'cmd/step-ca', version: 'v0.30.2' },
  step: { module: 'github.com/smallstep/cli', path: 'cmd/step', version: 'v0.21.0' },
  coredns: { module: 'github.com/coredns/coredns', version: 'v1.15.0' },
  containerd: { module: 'github.com/containerd/containerd/v2', path: 'cmd/containerd', version: 'v2.3.7' },
  'containerd-shim-runc-v2': {
    module: 'github.com/containerd/containerd/v2',
    path: 'cmd/containerd-shim-runc-v2',
    version: 'v2.3.7',
  },
  ctr: { module: 'github.com/containerd/containerd/v2', path: 'cmd/ctr', version: 'v2.3.7' },
  'kube-router': { module: 'github.com/cloudnativelabs/kube-router/v2', path: 'cmd/kube-router', version: 'v2.1.0' },
  etcd: { module: 'go.etcd.io/etcd/server/v3', version: 'v3.6.16', wrapped: true },
  argocd: { ...ARGO_CD, path: 'cmd', wrapped: true, onRequest: true },
  // Argo CD runs it
  kustomize: { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.1', onRequest: true },
  'kustomize-controller': { ...FLUX, wrapped: true, onRequest: true },
  // Of the version that step-ca has inside.
  bbolt: { module: 'go.etcd.io/bbolt', path: 'cmd/bbolt', version: 'v1.4.3', onRequest: true },
  zlint: { module: 'github.com/zmap/zlint/v3', path: 'cmd/zlint', version: 'v3.7.3', onRequest: true },
};

const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl'];

/**
 * What Go builds by, here and in tests: what it has compiled for one it then finds for all. No facts for debuggers, which
 * linking would throw away, and a compiler that collects garbage less often while memory lasts: together some 10 % of the
 * processor time of a first build, for the same programs.
 */
export const GO_ENV = {
  CGO_ENABLED: '0',
  GOFLAGS: '-buildvcs=false -gcflags=all=-dwarf=false',
  GOGC: '800',
  GOMEMLIMIT: '2GiB',
} as const;

const BUILD_TIMEOUT = { timeoutMs: 30 * 60_000 };

/** What every node needs. */
const USUAL = Object.keys(PROGRAMS).filter((name) => PROGRAMS[name]?.onRequest !== true);

/** Builds what is missing of `names` (what every node needs, when absent); `note` hears of each. */
export async function ensurePrograms(note: (text: string) => void, names: readonly string[] = USUAL): Promise<void> {
  const modules = new Map<string, [name: string, program: GoProgram][]>();
  for (const name of names) {
    const program = PROGRAMS[name];
    if (program === undefined || (await isCurrent(name, program))) continue;
    needsGo(name);
    const { module } = program;
    modules.set(module, [...(modules.get(module) ?? []), [name, program]]);
  }
  for (const [module, missing] of modules) {
    const programs = missing.map(([, program]) => program);
    note(`building ${missing.map(([name]) => name).join(', ')} of ${module} ${programs[0]?.version}`);
    await builtInto(
      BIN,
      missing.map(([name]) => name),
      async (folder) => {
        if (programs.some(({ wrapped }) => wrapped))
          for (const [name, program] of missing) await build(join(folder, name), program);
        else await install(folder, programs);
      },
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
  const source = await moduleDirectory('k8s.io/kubernetes', version);
  // Outside its own tree, Kubernetes finds its staging modules under their published versions.
  const replacements = await replacementsOf(source, `v0.${KUBERNETES_VERSION.replace(/^\d+\./, '')}`);
  const packages = missing.map((name) => `k8s.io/kubernetes/cmd/${name}`);
  await inWrapper(`require k8s.io/kubernetes ${version}\n${replacements}`, packages, async (cwd) => {
    const stamp = `-X k8s.io/component-base/version.gitVersion=${version} -X k8s.io/component-base/version.gitMajor=${major} -X k8s.io/component-base/version.gitMinor=${minor} -X k8s.io/client-go/pkg/version.gitVersion=${version}`;
    note(`building ${missing.join(', ')} ${version}`);
    await builtInto(KUBERNETES_BIN, missing, async (folder) => {
      // All at once: Go links one program while it compiles for the next.
      const argv = ['go', 'build', '-ldflags', `-s -w ${stamp}`, '-o', `${folder}/`, ...packages];
      await run(argv, { cwd, env: GO_ENV, ...BUILD_TIMEOUT });
    });
  });
}

/**
 * Builds a program of a Go module of this machine.
 * @param folder that of the module
 * @param path package in it, such as `./server`
 * @returns the program, static
 */
export async function goProgram(folder: string, path: string): Promise<Buffer> {
  if (which('go') === undefined) throw new Error(`${path} of ${folder} is built with Go, which is not on PATH`);
  return inFolder(tmpdir(), async (aside) => {
    const file = join(aside, 'program');
    // Without -trimpath: with it, the standard library would be compiled once more.
    const argv = ['go', 'build', '-C', folder, '-ldflags', '-s -w', '-o', file, path];
    await run(argv, { env: GO_ENV, ...BUILD_TIMEOUT });
    return readFileSync(file);
  });
}

function needsGo(what: string): void {
  if (which('go') === undefined)
    throw new Error(`${what} is not in ${CACHE} and is built with Go, which is not on PATH`);
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

/** What `work` builds is moved into place when it is whole: others may build the same, and a build may be ended. */
async function builtInto(
  bin: string,
  names: readonly string[],
  work: (folder: string) => Promise<void>,
): Promise<void> {
  mkdirSync(bin, { recursive: true });
  await inFolder(bin, async (folder) => {
    await work(folder);
    for (const name of names) renameSync(join(folder, name), join(bin, name));
  });
}

/** A folder for the time of `work`. */
async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(parent, 'autocert-e2e-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Builds programs of one module at once: what they share is compiled once, and one is linked beside the other. */
async function install(folder: string, programs: readonly GoProgram[]): Promise<void> {
  const packages = programs.map((program) => `${packageOf(program)}@${program.version}`);
  const argv = ['go', 'install', '-ldflags', '-s -w', ...packages];
  await run(argv, { cwd: tmpdir(), env: { ...GO_ENV, GOBIN: folder }, ...BUILD_TIMEOUT });
}

/** Builds a program that is wrapped. */
async function build(file: string, program: GoProgram): Promise<void> {
  const { module, version } = program;
  const target = packageOf(program);
  const source = await moduleDirectory(module, version);
  await inWrapper(`require ${module} ${version}\n${await replacementsOf(source)}`, [target], (cwd) =>
    run(['go', 'build', '-ldflags', '-s -w', '-o', file, target], { cwd, env: GO_ENV, ...BUILD_TIMEOUT }),
  );
}

/** Makes a module that depends on `packages`, for the time of `work`. */
async function inWrapper(
  requirements: string,
  packages: readonly string[],
  work: (folder: string) => Promise<unknown>,
): Promise<void> {
  await inFolder(tmpdir(), async (folder) => {
    writeFileSync(join(folder, 'go.mod'), `module wrapper\ngo 1.26.0\n${requirements}`);
    const imports = packages.map((name) => `import _ "${name}"\n`).join('');
    writeFileSync(join(folder, 'tools.go'), `//go:build tools\npackage wrapper\n${imports}`);
    await run(['go', 'mod', 'tidy'], { cwd: folder, ...BUILD_TIMEOUT });
    await work(folder);
  });
}

interface GoMod {
  readonly Replace: readonly { readonly Old: { readonly Path: string }; readonly New: GoVersion }[] | null;
}
interface GoVersion {
  readonly Path: string;
  readonly Version?: string;
}

/**
 * What a module wants others replaced by, which Go heeds in the main module alone. Of folders of its own tree those in
 * `staging` are published, too, in this version.
 */
async function replacementsOf(source: string, staging?: string): Promise<string> {
  const { Replace } = JSON.parse(await run(['go', 'mod', 'edit', '-json'], { cwd: source })) as GoMod;
  const lines = (Replace ?? []).flatMap(({ Old, New }) => {
    const isStaged = staging !== undefined && New.Path.startsWith('./staging/');
    const [path, version] = isStaged ? [Old.Path, staging] : [New.Path, New.Version];
    return version === undefined ? [] : [`replace ${Old.Path} => ${path} ${version}\n`];
  });
  return lines.join('');
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

async function moduleDirectory(module: string, version: string): Promise<string> {
  const answer = await run(['go', 'mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    ...BUILD_TIMEOUT,
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}
