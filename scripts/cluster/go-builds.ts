/**
 * How Go programs are built: flags, folders, and modules made for the time of a build.
 * @module
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { which } from './packages.ts';
import { CACHE } from './settings.ts';
import { run } from './shell.ts';

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

/** A first build on a busy machine. */
export const BUILD_TIMEOUT = { timeoutMs: 30 * 60_000 };

/** A module that is made for the time of a build. */
export interface Wrapper {
  /** Lines of its `go.mod`: what it requires, and what it replaces. */
  readonly requirements: string;
  /** What is imported, so that it stays required: packages that are built, and those that others bring. */
  readonly packages: readonly string[];
  /** Main packages of its own: their source by their folder. */
  readonly mains?: Readonly<Record<string, string>>;
}

/** Makes a module that depends on packages, for the time of `work`. */
export async function inWrapper(
  { requirements, packages, mains = {} }: Wrapper,
  work: (folder: string) => Promise<unknown>,
): Promise<void> {
  await inFolder(tmpdir(), async (folder) => {
    const write = (name: string, text: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    };
    write('go.mod', `module wrapper\ngo 1.26.0\n${requirements}`);
    const imports = packages.map((name) => `import _ "${name}"\n`).join('');
    write('tools.go', `//go:build tools\npackage wrapper\n${imports}`);
    for (const [name, source] of Object.entries(mains)) write(join(name, 'main.go'), source);
    await run(['go', 'mod', 'tidy'], { cwd: folder, ...BUILD_TIMEOUT });
    await work(folder);
  });
}

/**
 * Builds programs, all at once: what they share is compiled once, and Go links one while it compiles for the next.
 * @param targets their packages, by the names that the programs are to have
 * @param cwd folder of the module
 */
export async function buildAll(
  folder: string,
  targets: ReadonlyMap<string, string>,
  cwd: string,
  ldflags = '-s -w',
): Promise<void> {
  const packages = [...targets.values()];
  await run(['go', 'build', '-ldflags', ldflags, '-o', `${folder}/`, ...packages], {
    cwd,
    env: GO_ENV,
    ...BUILD_TIMEOUT,
  });
  for (const [name, target] of targets) renameSync(join(folder, executableOf(target)), join(folder, name));
}

/** What Go calls the program of a package: the last part of its path that is no version. */
function executableOf(target: string): string {
  return target.split('/').findLast((part) => !/^v\d+$/.test(part)) ?? target;
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

/** @throws Error where there is no Go: what is built with it, and where it would have been found */
export function needsGo(what: string): void {
  if (which('go') === undefined)
    throw new Error(`${what} is not in ${CACHE} and is built with Go, which is not on PATH`);
}

/** What `work` builds is moved into place when it is whole: others may build the same, and a build may be ended. */
export async function builtInto(
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
export async function replacementsOf(source: string, staging?: string): Promise<string> {
  const { Replace } = JSON.parse(await run(['go', 'mod', 'edit', '-json'], { cwd: source })) as GoMod;
  const lines = (Replace ?? []).flatMap(({ Old, New }) => {
    const isStaged = staging !== undefined && New.Path.startsWith('./staging/');
    const [path, version] = isStaged ? [Old.Path, staging] : [New.Path, New.Version];
    return version === undefined ? [] : [`replace ${Old.Path} => ${path} ${version}\n`];
  });
  return lines.join('');
}

/** The folder of a module, downloaded. */
export async function moduleDirectory(module: string, version: string): Promise<string> {
  const answer = await run(['go', 'mod', 'download', '-json', `${module}@${version}`], {
    cwd: tmpdir(),
    ...BUILD_TIMEOUT,
  });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}
