/**
 * The programs that the node and the tests run, built from their Go modules into the cache. What is there in the right
 * version is not built again.
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  /** Not installable by itself: built as a dependency of a module made for it. */
  readonly wrapped?: boolean;
}

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
};

const KUBERNETES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy', 'kubectl'];
const GO_ENV = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
const BUILD_TIMEOUT = { timeoutMs: 30 * 60_000 };

/** Builds what is missing of `names` (all when absent); `note` hears of each. */
export async function ensurePrograms(note: (text: string) => void, names = Object.keys(PROGRAMS)): Promise<void> {
  mkdirSync(BIN, { recursive: true });
  for (const name of names) {
    const program = PROGRAMS[name];
    if (program === undefined || (await isCurrent(name, program))) continue;
    needsGo(name);
    note(`building ${name} ${program.version}`);
    await build(name, program);
  }
}

/** Builds the Kubernetes programs of {@link KUBERNETES_VERSION} that are missing: minutes the first time. */
export async function ensureKubernetes(note: (text: string) => void): Promise<void> {
  const missing = KUBERNETES.filter((name) => !existsSync(join(KUBERNETES_BIN, name)));
  if (missing.length === 0) return;
  needsGo(`Kubernetes ${KUBERNETES_VERSION}`);
  mkdirSync(KUBERNETES_BIN, { recursive: true });
  const version = `v${KUBERNETES_VERSION}`;
  const [major = '1', minor = ''] = KUBERNETES_VERSION.split('.');
  const source = await moduleDirectory('k8s.io/kubernetes', version);
  // Outside its own tree, Kubernetes finds its staging modules under their published versions.
  const staging = [...readFileSync(join(source, 'go.mod'), 'utf8').matchAll(/^\s*(k8s\.io\/[a-z-]+) => \.\/staging/gm)];
  const published = `v0.${KUBERNETES_VERSION.replace(/^\d+\./, '')}`;
  const replacements = staging.map(([, name]) => `replace ${name} => ${name} ${published}\n`).join('');
  await inWrapper(
    `require k8s.io/kubernetes ${version}\n${replacements}`,
    missing.map((name) => `k8s.io/kubernetes/cmd/${name}`),
    async (cwd) => {
      const stamp = `-X k8s.io/component-base/version.gitVersion=${version} -X k8s.io/component-base/version.gitMajor=${major} -X k8s.io/component-base/version.gitMinor=${minor} -X k8s.io/client-go/pkg/version.gitVersion=${version}`;
      for (const name of missing) {
        note(`building ${name} ${version}`);
        const target = join(KUBERNETES_BIN, name);
        const argv = ['go', 'build', '-ldflags', `-s -w ${stamp}`, '-o', target, `k8s.io/kubernetes/cmd/${name}`];
        await run(argv, { cwd, env: GO_ENV, ...BUILD_TIMEOUT });
      }
    },
  );
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

async function build(name: string, { module, path, version, wrapped }: GoProgram): Promise<void> {
  const target = path === undefined ? module : `${module}/${path}`;
  if (wrapped !== true) {
    const argv = ['go', 'install', '-ldflags', '-s -w', `${target}@${version}`];
    await run(argv, { cwd: tmpdir(), env: { ...GO_ENV, GOBIN: BIN }, ...BUILD_TIMEOUT });
    return;
  }
  await inWrapper(`require ${module} ${version}\n`, [target], (cwd) =>
    run(['go', 'build', '-ldflags', '-s -w', '-o', join(BIN, name), target], { cwd, env: GO_ENV, ...BUILD_TIMEOUT }),
  );
}

/** Makes a module that depends on `packages`, for the time of `work`. */
async function inWrapper(
  requirements: string,
  packages: readonly string[],
  work: (folder: string) => Promise<unknown>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'autocert-e2e-'));
  try {
    writeFileSync(join(folder, 'go.mod'), `module wrapper\ngo 1.26.0\n${requirements}`);
    const imports = packages.map((name) => `import _ "${name}"\n`).join('');
    writeFileSync(join(folder, 'tools.go'), `//go:build tools\npackage wrapper\n${imports}`);
    await run(['go', 'mod', 'tidy'], { cwd: folder, ...BUILD_TIMEOUT });
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function moduleDirectory(module: string, version: string): Promise<string> {
  const answer = await run(['go', 'mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    ...BUILD_TIMEOUT,
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}
