/**
 * Programs that nobody here wrote, for interoperability tests: found on PATH or in the cache, else built from their Go
 * modules. A program that cannot be had fails the tests; nothing is skipped.
 * @module
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** What a program said. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs that are built, and what their `version` says, since other programs have the same names. */
const MODULES = {
  step: { module: 'github.com/smallstep/cli/cmd/step@v0.21.0', version: ['version'], proof: /Smallstep CLI/ },
  'step-ca': {
    module: 'github.com/smallstep/certificates/cmd/step-ca@v0.30.2',
    version: ['version'],
    proof: /Smallstep CA/,
  },
  // Of the version of bbolt that step-ca has inside.
  bbolt: { module: 'go.etcd.io/bbolt/cmd/bbolt@v1.4.3', version: ['version'], proof: /bbolt Version/ },
  zlint: { module: 'github.com/zmap/zlint/v3/cmd/zlint@v3.7.3', version: ['-version'], proof: /ZLint/ },
} as const;

/** Programs of the system, and the Debian package of each. */
const SYSTEM = {
  openssl: 'openssl',
  curl: 'curl',
  chromium: 'chromium',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  'docker-registry': 'docker-registry',
  zsh: 'zsh',
  fish: 'fish',
  'qemu-aarch64': 'qemu-user',
  'qemu-x86_64': 'qemu-user',
} as const;

/** Names that {@link program} knows. */
export type ProgramName = keyof typeof MODULES | keyof typeof SYSTEM;

/** Building takes a minute or two on two cores; the first `beforeAll` that needs a program has to allow for it. */
export const BUILD_TIMEOUT_MS = 900_000;

/** Kubernetes takes ten minutes if nothing else has to be done meanwhile; `npm run e2e -- --build` builds it beforehand. */
export const KUBERNETES_BUILD_TIMEOUT_MS = 2_400_000;

const CACHE = join(process.env.AUTOCERT_E2E_CACHE ?? join(homedir(), '.cache', 'autocert-e2e'), 'bin');
const OUTPUT_LIMIT = 16_777_216;
const run = promisify(execFile);

/** Runs a program and waits for its end, whatever its exit code. */
export async function output(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = '',
): Promise<Output> {
  const running = run(file, args, { env: { ...process.env, ...env }, maxBuffer: OUTPUT_LIMIT });
  // A program that ends without reading its input is no failure.
  running.child.stdin?.on('error', () => {}).end(input);
  try {
    return { code: 0, ...(await running) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** Path of a program. */
export async function program(name: ProgramName): Promise<string> {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  if (isOfSystem(name)) {
    const found = onPath.find(isExecutable);
    if (found) return found;
    throw new Error(`${name} is not on PATH: install it (Debian: apt-get install ${SYSTEM[name]})`);
  }
  for (const file of [...onPath, join(CACHE, name)])
    if (isExecutable(file) && (await isGenuine(file, name))) return file;
  return build(name);
}

function isOfSystem(name: ProgramName): name is keyof typeof SYSTEM {
  return Object.hasOwn(SYSTEM, name);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function isGenuine(file: string, name: keyof typeof MODULES): Promise<boolean> {
  const { version, proof } = MODULES[name];
  const { stdout, stderr } = await output(file, version).catch(() => ({ stdout: '', stderr: '' }));
  return proof.test(stdout + stderr);
}

/** Built aside and moved into place: test files run at the same time. */
async function build(name: keyof typeof MODULES): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const aside = mkdtempSync(join(CACHE, `.${name}-`));
  const { module } = MODULES[name];
  try {
    const { code, stderr } = await output('go', ['install', '-trimpath', module], { GOBIN: aside, CGO_ENABLED: '0' });
    if (code !== 0) throw new Error(`go install ${module} failed: ${stderr.slice(-2000)}`);
    renameSync(join(aside, name), join(CACHE, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `${name} is neither on PATH nor in ${CACHE}, and there is no Go to build it with: install Go, or ${name}`,
    );
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
  return join(CACHE, name);
}
