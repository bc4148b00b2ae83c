/**
 * The image's bill of materials, as CycloneDX 1.6 (ECMA-424). Not that of `npm sbom`: it lists what is installed for
 * development, knows neither Node nor Debian's packages, and has another number and time each time. Not SPDX 2.3: it must
 * have a time, and the same image is to have the same bill.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type BundledPackage, builtPackages } from './bundled-packages.ts';
import { controlField, type DebianPackage, packagedFile } from './debian-packages.ts';
import type { ImageIngredients } from './image-packages.ts';
import { ROOT, readJson } from './project-files.ts';

/** Licences of Debian's packages, as their copyright files say it in words; of the parts that are in the image. */
const DEBIAN_LICENSES: readonly (readonly [name: RegExp, license: string])[] = [
  [/^libc6$/, 'LGPL-2.1-or-later'],
  [/^(libstdc\+\+6|libgcc-s1|gcc-\d+-base)$/, 'GPL-3.0-or-later WITH GCC-exception-3.1'],
  [/^busybox-static$/, 'GPL-2.0-only'],
  [/^base-files$/, 'GPL-2.0-or-later'],
];

/** What of `process.versions` is no software that Node contains. */
const NO_SOFTWARE = ['node', 'modules', 'napi', 'cldr', 'tz', 'unicode'];

/** A component, in the words of CycloneDX. */
interface Component {
  readonly type: 'application' | 'container' | 'library';
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly [field: string]: unknown;
}

/**
 * @param tags names of the image
 * @param digest of its manifest
 */
export function imageBom(tags: readonly string[], digest: string, ingredients: ImageIngredients): string {
  const { packages, platform } = ingredients;
  const { version, license } = readJson<{ version: string; license: string }>('package.json');
  const bundled = builtPackages().map(npmComponent);
  const own = component('application', 'cdk8s-autocert', version, `pkg:npm/cdk8s-autocert@${version}`, license);
  const image = {
    ...component(
      'container',
      'autocert',
      digest,
      `pkg:oci/autocert@${encodeURIComponent(digest)}?arch=${platform.architecture}`,
      license,
    ),
    hashes: [{ alg: 'SHA-256', content: digest.replace('sha256:', '') }],
    properties: tags.map((value) => ({ name: 'autocert:tag', value })),
  };
  const distribution = `debian-${debianVersion(packages)}`;
  const below = [own, nodeComponent(ingredients), ...packages.map((each) => debianComponent(each, distribution))];
  return seal({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: image },
    components: sorted([...below, ...bundled], (each) => each['bom-ref']),
    dependencies: [
      { ref: image['bom-ref'], dependsOn: below.map((each) => each['bom-ref']).sort() },
      { ref: own['bom-ref'], dependsOn: bundled.map((each) => each['bom-ref']).sort() },
    ],
  });
}

/** Adds a number that is made from the content: the same bill has the same, another has another. */
function seal({ bomFormat, specVersion, ...rest }: Record<string, unknown>): string {
  const hash = createHash('sha256').update(JSON.stringify(rest)).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80; // version 8: made in one's own way (RFC 9562, §5.8)
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const uuid = hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
  return `${JSON.stringify({ bomFormat, specVersion, serialNumber: `urn:uuid:${uuid}`, ...rest }, undefined, 2)}\n`;
}

function component(type: Component['type'], name: string, version: string, purl: string, license: string): Component {
  const licenses = [{ expression: license, acknowledgement: 'declared' }];
  return { type, 'bom-ref': purl, name, version, licenses, purl };
}

function npmComponent({ name, version, license, sha512 }: BundledPackage): Component {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { ...component('library', name, version, purl, license), hashes: [{ alg: 'SHA-512', content: sha512 }] };
}

function nodeComponent({ node: { version, sha256 }, platform }: ImageIngredients): Component {
  // This machine's Node, of the same version: one for another architecture would not run here, and has the same inside.
  const program = join(ROOT, 'node_modules/node/bin/node');
  const report = execFileSync(program, ['-p', 'JSON.stringify(process.versions)'], { encoding: 'utf8', env: {} });
  const parts = Object.entries(JSON.parse(report) as Record<string, string>);
  const inside = parts.filter(([name, part]) => part !== '' && !NO_SOFTWARE.includes(name));
  return {
    ...component('application', 'node', version, `pkg:generic/node@${version}`, 'MIT'),
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    properties: [{ name: 'autocert:npm-package', value: `${platform.nodePackage}@${version}` }],
    // No package URL of their own: a scanner would look for packages that nobody made.
    components: sorted(inside, ([name]) => name).map(([name, part]) => ({
      type: 'library',
      'bom-ref': `node/${name}@${part}`,
      name,
      version: part,
    })),
  };
}

function debianComponent({ name, version, sha256, control }: DebianPackage, distribution: string): Component {
  const license = DEBIAN_LICENSES.find(([pattern]) => pattern.test(name))?.[1];
  if (license === undefined) throw new Error(`Debian package ${name}: say in scripts/sbom.ts which licence it has`);
  const [source, sourceVersion = version] = (controlField(control, 'Source') ?? name).split(/ \(|\)/);
  const architecture = controlField(control, 'Architecture') ?? 'all';
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${distribution}`;
  const builtUsing = controlField(control, 'Built-Using');
  return {
    ...component('library', name, version, purl, license),
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    properties: [
      { name: 'debian:source', value: `${source} ${sourceVersion}` },
      ...(builtUsing === undefined ? [] : [{ name: 'debian:built-using', value: builtUsing }]),
    ],
  };
}

function debianVersion(packages: readonly DebianPackage[]): string {
  const release = Buffer.from(packagedFile(packages, 'etc/os-release')?.content ?? []).toString('utf8');
  const version = /^VERSION_ID="?([\w.]+)"?$/m.exec(release)?.[1];
  if (version === undefined) throw new Error('/etc/os-release of the package base-files has no VERSION_ID');
  return version;
}

function sorted<T>(values: readonly T[], by: (value: T) => string): T[] {
  return values.toSorted((a, b) => (by(a) < by(b) ? -1 : 1));
}
