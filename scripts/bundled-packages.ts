/**
 * The npm packages that are in the bundles: those of which esbuild took a byte, not those that are installed.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { readJson } from './project-files.ts';

/** One package. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Where it is installed, one place or several. */
  readonly places: readonly string[];
  /** SHA-512 of its tarball, as package-lock.json has it, in hex. */
  readonly sha512: string;
  /** Texts of its licence and notices. */
  readonly texts: readonly string[];
}

/** Licences that may be in the bundles: each lets everybody pass the code on, also in a program of another licence. */
const ALLOWED = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'];

const TEXT_FILE = /^(licen[cs]e|copying|notice|copyrightnotice)([.-].*)?$/i;

/** Packages that come without a text, and who holds the copyright, by their package.json. All are MIT. */
const WITHOUT_TEXT: Readonly<Record<string, string>> = { 'abstract-logging': 'James Sumners' };

const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/**
 * Reads what the metafiles name.
 * @param root folder that has node_modules and package-lock.json
 * @throws Error for a package without a text, or under a licence that is not among those that may be
 */
export function bundledPackages(root: string, metafiles: readonly Metafile[]): BundledPackage[] {
  const inputs = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs)),
  );
  const used = inputs
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => PACKAGE.exec(path) ?? []);
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as PackageLock;
  const found = new Map<string, BundledPackage>();
  for (const place of [...new Set(used)].sort()) {
    const read = readPackage(root, place, lock);
    const key = `${read.name}@${read.version}`;
    const known = found.get(key);
    found.set(key, { ...read, places: [...(known?.places ?? []), place] });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

interface PackageLock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
}

function readPackage(root: string, place: string, lock: PackageLock): BundledPackage {
  const folder = join(root, place);
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const what = `${place} (${name} ${version}), which is in a bundle,`;
  if (!ALLOWED.includes(license)) {
    throw new Error(
      `${what} has the licence ${JSON.stringify(license)}, but it takes one of ${ALLOWED.join(', ')}: use something else, or add it in scripts/bundled-packages.ts if whoever passes the bundle on may do so`,
    );
  }
  const files = readdirSync(folder).filter((each) => TEXT_FILE.test(each));
  const texts = files.sort().map((each) => readFileSync(join(folder, each), 'utf8').replaceAll('\r\n', '\n').trim());
  const holder = WITHOUT_TEXT[name];
  if (texts.length === 0 && (holder === undefined || license !== 'MIT')) {
    throw new Error(`${what} has no licence text: say in scripts/bundled-packages.ts who holds the copyright`);
  }
  const locked = lock.packages[place];
  const integrity = /^sha512-(\S+)$/.exec(locked?.integrity ?? '')?.[1];
  if (locked?.version !== version || integrity === undefined) {
    throw new Error(`${what} is not what package-lock.json has: run npm ci`);
  }
  const sha512 = Buffer.from(integrity, 'base64').toString('hex');
  return { name, version, license, places: [place], sha512, texts: texts.length > 0 ? texts : [mit(holder ?? '')] };
}

/** Those that `npm run build` found. */
export function builtPackages(): readonly BundledPackage[] {
  return readJson('build/bundled-packages.json');
}

/** All texts, each once, under the packages that have it. */
export function licensesText(packages: readonly BundledPackage[]): string {
  const byText = new Map<string, string[]>();
  for (const { name, version, license, texts } of packages) {
    const text = texts.join('\n\n');
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const parts = [...byText].map(([text, names]) => `${'='.repeat(80)}\n${names.join('\n')}\n\n${text}\n`);
  return `Autocert's programs contain code of these packages.\n\n${parts.join('\n')}`;
}

function mit(holder: string): string {
  return `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}
