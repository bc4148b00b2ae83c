/**
 * The sets of files that step-ca runs with, in a folder in memory: `sets/ID/…`, with `current` leading to the one that
 * counts. It is switched by renaming a link, so that nobody ever finds half of one set and half of another.
 * @module
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { CaConfigFile } from '../contract.ts';
import type { CaSet } from './ca-set.ts';

/** Sets below a folder. */
export class SetStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The set that counts; `undefined` before the first. */
  get current(): string | undefined {
    try {
      return basename(readlinkSync(join(this.#folder, 'current')));
    } catch {
      return undefined;
    }
  }

  /** Writes the set, unless it is there, and makes it the one that counts. Of the others only `keep` stays. */
  install(set: CaSet, keep?: string): void {
    const sets = join(this.#folder, 'sets');
    const folder = join(sets, set.id);
    if (!existsSync(folder)) {
      // What an earlier life of this program did not finish.
      rmSync(`${folder}.new`, { recursive: true, force: true });
      mkdirSync(`${folder}.new`, { recursive: true, mode: 0o700 });
      for (const [name, content] of set.files(folder)) {
        writeFileSync(join(`${folder}.new`, name), content.reveal(), { mode: 0o600 });
      }
      renameSync(`${folder}.new`, folder);
    }
    this.select(set.id);
    for (const name of readdirSync(sets)) {
      if (name !== set.id && name !== keep) rmSync(join(sets, name), { recursive: true, force: true });
    }
  }

  /** Makes a set that is there the one that counts. */
  select(id: string): void {
    this.#link('current', join('sets', id));
    // For people: step-ca's configuration is where its manual says.
    this.#link(CaConfigFile.template, join('current', CaConfigFile.template));
  }

  #link(name: string, target: string): void {
    const link = join(this.#folder, name);
    rmSync(`${link}.new`, { force: true });
    symlinkSync(target, `${link}.new`);
    renameSync(`${link}.new`, link);
  }
}
