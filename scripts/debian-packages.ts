/**
 * Debian packages by version and SHA-256: what an image is made of does not depend on what the machine has installed.
 * @module
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PackageSource } from './apt.ts';
import { sha256 } from './project-files.ts';
import type { TarEntry } from './tar.ts';
import { entriesOf } from './tar-reader.ts';

/** One package as the lock file has it. */
export interface PackagePin {
  readonly name: string;
  readonly version: string;
  /** Of the .deb file, in hex. */
  readonly sha256: string;
}

/** A package and what is in it. */
export interface DebianPackage extends PackagePin {
  /** Its description, as dpkg keeps it. */
  readonly control: string;
  /** Its files by path, without a leading slash. */
  readonly files: ReadonlyMap<string, TarEntry>;
}

/**
 * Which versions are taken: `pinned` those of the lock file and no others; `newer` what the archive has instead when it no
 * longer has one of these, with a warning; `newest` whatever is newest, for a new lock file.
 */
export type PackageChoice = 'pinned' | 'newer' | 'newest';

/** What {@link takePackages} works with. */
export interface PackageRoom {
  readonly source: PackageSource;
  /** Folder of the .deb files that were there before. */
  readonly cache: string;
  readonly warn: (text: string) => void;
}

/** How to get out of it, for messages. */
const UPDATE = '`npm run image -- --update-packages` pins what there is now';
const DEB_LIMIT = 256 * 1024 * 1024;

/** Takes these packages, and those that have their copyright files, in this order. */
export async function takePackages(
  names: readonly string[],
  pins: readonly PackagePin[],
  choice: PackageChoice,
  room: PackageRoom,
): Promise<DebianPackage[]> {
  const taken: DebianPackage[] = [];
  const queue = [...names];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const pin = pins.find((each) => each.name === name);
    const found = await packageOf(name, pin, choice, room);
    if (found.name !== name) throw new Error(`the package ${name} says that it is ${found.name}`);
    taken.push(found);
    // Packages of one source have their copyright file once: the others' folder is a link to it.
    const documents = found.files.get(`usr/share/doc/${name}`);
    if (documents?.type !== 'symlink') continue;
    const [other] = documents.target.split('/');
    if (other && ![...queue, ...taken.map((each) => each.name)].includes(other)) queue.push(other);
  }
  return taken;
}

async function packageOf(
  name: string,
  pin: PackagePin | undefined,
  choice: PackageChoice,
  room: PackageRoom,
): Promise<DebianPackage> {
  const { source, cache, warn } = room;
  if (choice !== 'newest' && pin !== undefined) {
    const file = fileOf(cache, pin);
    if (existsSync(file) && sha256(readFileSync(file)) === pin.sha256) return openPackage(file);
    const deb = await source.exact(name, pin.version);
    if (deb !== undefined) return openPackage(keep(cache, checked(deb, pin)));
  }
  const wanted = pin === undefined ? name : `${name} ${pin.version}`;
  if (choice === 'pinned') {
    const place = pin && `; whoever has the package from elsewhere may put it at ${fileOf(cache, pin)}`;
    throw new Error(
      pin === undefined
        ? `Debian package ${name} has no version in scripts/image-packages.json: ${UPDATE}`
        : `Debian package ${wanted} is in no archive that this machine knows any more: ${UPDATE}, and --allow-newer-packages takes it this once${place}`,
    );
  }
  const deb = await source.newest(name);
  if (deb === undefined) throw new Error(`there is no Debian package ${name} in the archives that this machine knows`);
  const found = await openPackage(keep(cache, deb));
  if (choice === 'newest') return found;
  const { version } = found;
  if (pin !== undefined && isOlder(version, pin.version)) {
    throw new Error(
      `Debian package ${wanted} is not to be had here, and ${version} is older: take a newer release of Debian`,
    );
  }
  warn(
    `warning: ${wanted} is pinned but not to be had; ${version} is taken, so the image has another digest. ${UPDATE}.`,
  );
  return found;
}

/** @throws Error for a package that is not the one that was pinned */
function checked(deb: Buffer, { name, version, sha256: wanted }: PackagePin): Buffer {
  const got = sha256(deb);
  if (got === wanted) return deb;
  throw new Error(
    `Debian package ${name} ${version} has SHA-256 ${got}, but scripts/image-packages.json says ${wanted}: it is not the same package, and is not used`,
  );
}

function keep(cache: string, deb: Buffer): string {
  mkdirSync(cache, { recursive: true });
  const file = fileOf(cache, { sha256: sha256(deb) });
  // Moved into place: others may be at it.
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, deb);
  renameSync(aside, file);
  return file;
}

function fileOf(cache: string, { sha256 }: Pick<PackagePin, 'sha256'>): string {
  return join(cache, `${sha256}.deb`);
}

async function openPackage(file: string): Promise<DebianPackage> {
  const run = promisify(execFile);
  const { stdout: control } = await run('dpkg-deb', ['--field', file]);
  const { stdout } = await run('dpkg-deb', ['--fsys-tarfile', file], { encoding: 'buffer', maxBuffer: DEB_LIMIT });
  const [name, version] = [controlField(control, 'Package'), controlField(control, 'Version')];
  if (name === undefined || version === undefined) throw new Error(`${file} has no name or version`);
  return { name, version, sha256: sha256(readFileSync(file)), control, files: entriesOf(stdout) };
}

/** A field of a package's description. */
export function controlField(control: string, field: string): string | undefined {
  return new RegExp(`^${field}: *(.*)$`, 'm').exec(control)?.[1];
}

function isOlder(version: string, than: string): boolean {
  try {
    execFileSync('dpkg', ['--compare-versions', version, 'lt', than], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A file of one of the packages: symbolic links are followed, also from one package to another. */
export function packagedFile(
  packages: readonly DebianPackage[],
  path: string,
  depth = 0,
): Extract<TarEntry, { type: 'file' }> | undefined {
  const entry = packages.map(({ files }) => files.get(path)).find((each) => each !== undefined);
  if (entry?.type === 'file') return entry;
  if (entry?.type !== 'symlink' || depth > 8) return undefined;
  const { target } = entry;
  const absolute = target.startsWith('/') ? target : join('/', path, '..', target);
  return packagedFile(packages, absolute.slice(1), depth + 1);
}
