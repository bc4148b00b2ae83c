/**
 * The three files that an application reads, replaced as one set, the way kubelet replaces a projected volume: each
 * name is a link through `..data`, and `..data` is swapped to a new folder by one rename. A reader sees the old set or
 * the new one, never a key beside another key's certificate. Hidden files beside them hold what the agent wants to know.
 *
 * Synchronous on purpose: the volume is memory, and the agent has nothing else to do meanwhile.
 * @module
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { CertificateFile } from '../contract.ts';
import { Secret } from '../lib/secret.ts';
import { systemCodeOf } from '../lib/system-code.ts';
import { readTextFile } from '../lib/text-file.ts';
import { formatFields, numberOf, readFields } from './fields.ts';

/** A set of files. */
export interface CertificateSet {
  /** Leaf, then intermediates, PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: Secret;
  /** One root or several, PEM. */
  readonly roots: string;
  /** Hidden: roots by which to trust the certificate endpoint, PEM. */
  readonly anchors: string;
  /** Hidden: when the certificate expires, for the shell. */
  readonly notAfter: Date;
  /** Hidden: when it was obtained, by this machine's clock. */
  readonly obtainedAt: Date;
  /** Hidden: it was requested after everything issued before this time was to be replaced. */
  readonly replaces?: Date | undefined;
}

/** The link that is swapped. */
const DATA = '..data';

/** Folders of this name hold one set each. */
const GENERATION = /^\.\.set-/;

/** Hidden files of a set. */
const HIDDEN = { anchors: '.anchors.crt', about: '.about' } as const;

/** What a set of usual size takes, with room to spare: a file system gives each file whole pages. */
const USUAL_BYTES = 64 * 1024;

/** The current set; `undefined` when a file is missing. All come from the same set. */
export function readCertificateFiles(dir: string): CertificateSet | undefined {
  try {
    const generation = fs.realpathSync(join(dir, DATA));
    const path = (name: string) => join(generation, name);
    const files = [...Object.values(CertificateFile), ...Object.values(HIDDEN)];
    if (!files.every((name) => fs.existsSync(path(name)))) return undefined;
    const { notAfter, obtainedAt, replaces } = readFields(path(HIDDEN.about));
    const replacesMs = numberOf(replaces);
    return {
      certificate: readTextFile(path(CertificateFile.certificate)),
      key: new Secret(readTextFile(path(CertificateFile.key))),
      roots: readTextFile(path(CertificateFile.root)),
      anchors: readTextFile(path(HIDDEN.anchors)),
      notAfter: new Date((numberOf(notAfter) ?? 0) * 1000),
      obtainedAt: new Date(numberOf(obtainedAt) ?? 0),
      replaces: replacesMs === undefined ? undefined : new Date(replacesMs),
    };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error))) return undefined;
    throw error;
  }
}

/**
 * Proves that a set can be written, by writing and removing a file larger than one: a certificate that cannot be stored
 * is not to be asked for.
 * @param bytes that the set takes at least
 */
export function assertRoomForFiles(dir: string, bytes = 0): void {
  const file = join(dir, '..room');
  try {
    fs.writeFileSync(file, Buffer.alloc(Math.max(USUAL_BYTES, 2 * bytes)), { mode: 0o600 });
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/**
 * Replaces the set in one step. Whatever fails, the set before stays. The previous set's folder is kept until the next
 * replacement, for readers that resolved `..data` just before it was swapped.
 * @param mode of each file, such as `0o644`
 */
export function replaceCertificateFiles(dir: string, set: CertificateSet, mode: number): void {
  const generation = `..set-${Date.now()}-${randomBytes(4).toString('hex')}`;
  const previous = readLink(join(dir, DATA));
  const visible = {
    [CertificateFile.certificate]: set.certificate,
    [CertificateFile.key]: set.key.reveal(),
    [CertificateFile.root]: set.roots,
  };
  const about = formatFields({
    notAfter: Math.floor(set.notAfter.getTime() / 1000),
    obtainedAt: set.obtainedAt.getTime(),
    replaces: set.replaces?.getTime(),
  });
  fs.mkdirSync(join(dir, generation));
  try {
    const contents = { ...visible, [HIDDEN.anchors]: set.anchors, [HIDDEN.about]: about };
    for (const [name, content] of Object.entries(contents)) {
      const path = join(dir, generation, name);
      fs.writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
      // Apart from the creation, which the process's umask narrows.
      fs.chmodSync(path, mode);
    }
    // Before the swap: so the first set, too, appears as a whole.
    for (const name of Object.keys(visible)) link(dir, `${DATA}/${name}`, name);
    link(dir, generation, DATA);
  } catch (error) {
    fs.rmSync(join(dir, generation), { recursive: true, force: true });
    throw error;
  }
  for (const entry of fs.readdirSync(dir)) {
    const isOld = GENERATION.test(entry) && entry !== generation && entry !== previous;
    if (isOld) fs.rmSync(join(dir, entry), { recursive: true, force: true });
  }
}

/** Makes the link `name` point to `target`, replacing in one step whatever is there. */
function link(dir: string, target: string, name: string): void {
  if (readLink(join(dir, name)) === target) return;
  const temporary = join(dir, `..new-${name}`);
  fs.rmSync(temporary, { force: true });
  fs.symlinkSync(target, temporary);
  fs.renameSync(temporary, join(dir, name));
}

function readLink(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch {
    return undefined;
  }
}
