/**
 * Programs that nobody here wrote, for interoperability tests: those of the system, and those that are built from their Go
 * modules, as for the node of the end-to-end tests. A program that cannot be had fails the tests; nothing is skipped.
 * @module
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { which } from '../../scripts/cluster/packages.ts';
import { ensurePrograms } from '../../scripts/cluster/programs.ts';
import { BIN } from '../../scripts/cluster/settings.ts';

/** What a program said. */
export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs that are built, of the versions in `scripts/cluster/programs.ts`. */
const BUILT = ['step', 'step-ca', 'bbolt', 'zlint'] as const;

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
export type ProgramName = (typeof BUILT)[number] | keyof typeof SYSTEM;

/** Building takes a minute or two on two cores; the first `beforeAll` that needs a program has to allow for it. */
export const BUILD_TIMEOUT_MS = 900_000;

/** Kubernetes takes ten minutes if nothing else has to be done meanwhile; `npm run e2e -- --build` builds it beforehand. */
export const KUBERNETES_BUILD_TIMEOUT_MS = 2_400_000;

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
  if (!isOfSystem(name)) {
    await ensurePrograms(() => undefined, [name]);
    return join(BIN, name);
  }
  const found = which(name);
  if (found) return found;
  throw new Error(`${name} is not on PATH: install it (Debian: apt-get install ${SYSTEM[name]})`);
}

function isOfSystem(name: ProgramName): name is keyof typeof SYSTEM {
  return Object.hasOwn(SYSTEM, name);
}
