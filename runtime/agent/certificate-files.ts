/**
 * The three files that an application reads, replaced as one set, the way kubelet replaces a projected volume: each
 * name is a link through `..data`, and `..data` is swapped to a new folder by one rename. A reader sees the old set or
 * the new one, never a key beside another key's certificate.
 *
 * Synchronous on purpose: the volume is memory, and the agent has nothing else to do meanwhile.
 * @module
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { CertificateFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { systemCodeOf } from '../lib/system-code.ts';

/** Contents of the files. */
export interface CertificateSet {
  /** Leaf, then intermediates, PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: Secret;
  /** One root or several, PEM. */
  readonly roots: string;
}

/** The link that is swapped. */
const DATA = '..data';

/** Folders of this name hold one set each. */
const GENERATION = /^\.\.set-/;

const MAX_FILE = 1024 * 1024;

/** Whether a set was ever written: cheap, for those who poll. */
export function hasCertificateFiles(dir: string): boolean {
  return fs.existsSync(join(dir, DATA));
}

/** The current set; `undefined` when a file is missing. All three come from the same set. */
export function readCertificateFiles(dir: string): CertificateSet | undefined {
  try {
    const generation = fs.realpathSync(join(dir, DATA));
    const read = (name: string) => readBounded(join(generation, name));
    return {
      certificate: read(CertificateFile.certificate),
      key: new Secret(read(CertificateFile.key)),
      roots: read(CertificateFile.root),
    };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error))) return undefined;
    throw error;
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
  const contents = {
    [CertificateFile.certificate]: set.certificate,
    [CertificateFile.key]: set.key.reveal(),
    [CertificateFile.root]: set.roots,
  };
  fs.mkdirSync(join(dir, generation));
  try {
    for (const [name, content] of Object.entries(contents)) {
      const path = join(dir, generation, name);
      fs.writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
      // Apart from the creation, which the process's umask narrows.
      fs.chmodSync(path, mode);
    }
    // Before the swap: so the first set, too, appears as a whole.
    for (const name of Object.keys(contents)) link(dir, `${DATA}/${name}`, name);
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

function readBounded(path: string): string {
  const { size } = fs.statSync(path);
  if (size > MAX_FILE) {
    throw new AutocertError('INVALID_INPUT', `${path} has ${size} bytes; at most ${MAX_FILE} are read`);
  }
  return fs.readFileSync(path, 'utf8');
}
