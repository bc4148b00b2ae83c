/**
 * Gets Debian packages by `apt-get`, as this machine is configured, without root and without installing anything.
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Where packages come from. */
export interface PackageSource {
  /** The .deb file of this version. `undefined`: it is not to be had. */
  exact(name: string, version: string): Promise<Buffer | undefined>;
  /** The .deb file of the newest version. `undefined`: there is no such package. */
  newest(name: string): Promise<Buffer | undefined>;
}

const TIMEOUT_MS = 300_000;
const NOT_THERE = /was not found|Unable to locate package|no installation candidate|Can't (find|select)/;

/** The archives that this machine's apt knows. */
export class Apt implements PackageSource {
  readonly #cache: string;
  readonly #architecture: string | undefined;
  #fresh: Promise<readonly string[]> | undefined;

  /**
   * @param cache folder for lists of packages, when those of the machine are missing, old, or of another architecture
   * @param architecture by Debian's name. Absent: that of this machine
   */
  constructor(cache: string, architecture?: string) {
    this.#cache = cache;
    this.#architecture = architecture;
  }

  async exact(name: string, version: string): Promise<Buffer | undefined> {
    const wanted = `${name}=${version}`;
    if (this.#architecture !== undefined) return this.#download(wanted, await this.#freshLists());
    // The machine's own lists first: they are there, and an update takes longer than all of the packages.
    return (
      (await this.#download(wanted, []).catch(() => undefined)) ?? this.#download(wanted, await this.#freshLists())
    );
  }

  async newest(name: string): Promise<Buffer | undefined> {
    return this.#download(name, await this.#freshLists());
  }

  /** Lists of our own, made once: those of the machine are root's. */
  #freshLists(): Promise<readonly string[]> {
    this.#fresh ??= (async () => {
      const [lists, archives] = [join(this.#cache, 'lists'), join(this.#cache, 'archives')];
      for (const folder of [lists, archives]) mkdirSync(join(folder, 'partial'), { recursive: true });
      const names = this.#architecture === undefined ? [] : ['APT::Architecture', 'APT::Architectures'];
      const foreign = names.flatMap((name) => ['-o', `${name}=${this.#architecture}`]);
      const options = ['-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${this.#cache}`, ...foreign];
      await aptGet([...options, 'update'], this.#cache);
      return options;
    })();
    return this.#fresh;
  }

  async #download(wanted: string, options: readonly string[]): Promise<Buffer | undefined> {
    mkdirSync(this.#cache, { recursive: true });
    const folder = mkdtempSync(join(this.#cache, 'download-'));
    try {
      await aptGet([...options, 'download', wanted], folder);
      const [file] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
      return file === undefined ? undefined : readFileSync(join(folder, file));
    } catch (error) {
      if (NOT_THERE.test(String((error as { stderr?: string }).stderr))) return undefined;
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function aptGet(args: readonly string[], cwd: string): Promise<void> {
  // Root's apt downloads as another user, who cannot write here; signatures and sums are checked all the same.
  const asRoot = process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
  const env = { ...process.env, LC_ALL: 'C' };
  try {
    await promisify(execFile)('apt-get', ['-q', ...asRoot, ...args], { cwd, env, timeout: TIMEOUT_MS });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      'apt-get is not on PATH: the image is made of Debian packages; make it on Debian or Ubuntu, or by docker build',
      { cause: error },
    );
  }
}
