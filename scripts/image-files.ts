/**
 * The files of the image, from what it is made of.
 * @module
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type DebianPackage, packagedFile } from './debian-packages.ts';
import type { ImageIngredients } from './image-packages.ts';
import { baseFiles, copyOf, file, type ImageUser, link, textFile } from './root-files.ts';
import { withLibraries } from './shared-libraries.ts';
import type { TarEntry } from './tar.ts';

const ROOT = join(import.meta.dirname, '..');

/** Who its programs run as. */
export const USER: ImageUser = { name: 'nonroot', id: 65532, home: '/' };

/** Programs of the image that Node runs; `step` is `autocert` under the name that the tutorial's commands use. */
const PROGRAMS = { 'autocert-agent-worker': 'agent.cjs', autocert: 'autocert.cjs', step: 'autocert.cjs' } as const;

/** What the agent's script needs of a shell; all of it is one busybox, which the CA's pod copies, with its own script. */
const APPLETS = ['sh', 'sleep', 'date', 'rm'] as const;

const SHELL_PACKAGE = 'busybox-static';

/**
 * How programs start Node. Each trusts the roots that it is given and no others: the image has no public ones. Without the
 * flag Node would parse the hundred and more that it brings along, in a thread beside the program, before it ends: a tenth
 * of an agent's start.
 */
const INTERPRETER = '#!/usr/local/bin/node --use-openssl-ca';

const COMMON_LICENSES = 'usr/share/common-licenses/';

/** Node with what it loads: the lower layer, also of the hello-mtls images of the end-to-end tests. */
export function nodeFiles({ node, packages, platform }: ImageIngredients): TarEntry[] {
  const others = packages.filter(({ name }) => name !== SHELL_PACKAGE);
  const { machine, triplet } = platform;
  const find = (name: string): TarEntry | undefined => {
    // A loader has a path, a library a name. Since Debian 13 packages have both below /usr.
    const places = name.includes('/')
      ? [name, `usr/${name}`]
      : [`lib/${triplet}/${name}`, `usr/lib/${triplet}/${name}`];
    const content = places.map((path) => packagedFile(others, path)?.content).find((each) => each !== undefined);
    return content && file(name.includes('/') ? name : `lib/${triplet}/${name}`, content, 0o755);
  };
  const program = file('/usr/local/bin/node', node.content, 0o755);
  return [
    ...baseFiles(USER),
    ...withLibraries([program], machine, find),
    file('/usr/share/licenses/node/LICENSE', node.license),
    ...descriptions(others, packages),
    ...['etc/os-release', 'usr/lib/os-release'].flatMap((path) => others.flatMap(({ files }) => files.get(path) ?? [])),
  ];
}

/** A shell for the agent, which sleeps in it. */
export function shellFiles({ packages }: ImageIngredients): TarEntry[] {
  const shell = packages.filter(({ name }) => name === SHELL_PACKAGE);
  const busybox = packagedFile(shell, 'bin/busybox') ?? packagedFile(shell, 'usr/bin/busybox');
  if (busybox === undefined) throw new Error(`Debian package ${SHELL_PACKAGE} has no /bin/busybox`);
  const links = APPLETS.map((name) => link(`/bin/${name}`, '/bin/busybox'));
  return [file('/bin/busybox', busybox.content, 0o755), ...links, ...descriptions(shell, packages)];
}

/** The synthesized manifests, which `autocert install` applies. */
const MANIFESTS = 'dist';

/** What `npm run build` wrote, and the manifests. */
export function ownFiles(): TarEntry[] {
  const built = (name: string) => join(ROOT, 'build', name);
  return [
    ...[...new Set(Object.values(PROGRAMS))].map((name) => copyOf(built(name), `/app/${name}`)),
    ...Object.entries(PROGRAMS).map(([name, bundle]) =>
      textFile(`/usr/local/bin/${name}`, `${INTERPRETER}\nrequire('/app/${bundle}');\n`, 0o755),
    ),
    copyOf(built('agent.sh'), '/usr/local/bin/autocert-agent', 0o755),
    copyOf(built('ca.sh'), '/usr/local/share/autocert/ca.sh', 0o755),
    ...manifestFiles(join(ROOT, MANIFESTS)),
    copyOf(join(ROOT, 'LICENSE'), '/usr/share/licenses/autocert/LICENSE'),
    copyOf(built('THIRD_PARTY_LICENSES'), '/usr/share/licenses/autocert/THIRD_PARTY_LICENSES'),
  ];
}

function manifestFiles(source: string): TarEntry[] {
  const names = readdirSync(source)
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  if (names.length === 0) throw new Error(`${source} has no manifests: npm run synth writes them`);
  return names.map((name) => copyOf(join(source, name), `/usr/local/share/autocert/${MANIFESTS}/${name}`));
}

/**
 * What tells which packages these files are from, and under which licences: their copyright files with the texts to which
 * they refer, and their descriptions where scanners of images look for them.
 * @param all where the texts are
 */
function descriptions(packages: readonly DebianPackage[], all: readonly DebianPackage[]): TarEntry[] {
  const copyrights = packages.flatMap(({ name, files }) => {
    const documents = `usr/share/doc/${name}`;
    const found = [documents, `${documents}/copyright`].flatMap((path) => files.get(path) ?? []);
    const useful = found.filter(({ type }) => type !== 'directory');
    if (useful.length === 0) throw new Error(`Debian package ${name} has no /${documents}/copyright`);
    return useful;
  });
  const texts = copyrights.map((entry) => (entry.type === 'file' ? Buffer.from(entry.content).toString('utf8') : ''));
  const named = texts.flatMap((text) => [...text.matchAll(/\/(usr\/share\/common-licenses\/[\w.-]*\w)/g)]);
  const licenses = [...new Set(named.map(([, path = '']) => path))].map((path) => {
    const text = packagedFile(all, path);
    if (text === undefined) throw new Error(`/${path}, which a package's copyright file names, is in no package`);
    return file(`${COMMON_LICENSES}${basename(path)}`, text.content);
  });
  const status = packages.map(({ name, control }) => textFile(`/var/lib/dpkg/status.d/${name}`, control));
  return [...copyrights, ...licenses, ...status];
}
