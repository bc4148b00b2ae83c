/**
 * The images of the node, made from this repository, from the programs in the cache and from what the distribution
 * brings: nothing is pulled. Whoever brings a cluster of their own loads the files that {@link writeProjectImages} writes.
 * @module
 */
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { writeImages } from '../docker-archive.ts';
import { autocertImage, defaultTag } from '../image.ts';
import { nodeFiles } from '../image-files.ts';
import { imageIngredients } from '../image-packages.ts';
import type { Image } from '../oci-image.ts';
import { baseFiles, copyOf, file as fileOf, folder, link, textFile } from '../root-files.ts';
import type { TarEntry } from '../tar.ts';
import { PAUSE_IMAGE } from './components.ts';
import { goProgram } from './go-builds.ts';
import { program, staticBusybox } from './machine-programs.ts';
import { which } from './packages.ts';
import { BIN } from './settings.ts';
import { run } from './shell.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples/hello-mtls');

/** Version of step-ca that the manifests name. */
const STEP_CA_IMAGE = 'docker.io/smallstep/step-ca:0.30.2';

/** Writes the image of this repository, from the bundles that were built before, and those of the hello-mtls examples into one archive. */
export async function writeProjectImages(file: string): Promise<void> {
  // The day on which Debian publishes an update must not be a day on which nothing can be tested.
  const ingredients = await imageIngredients('newer');
  const node = nodeFiles(ingredients);
  const shell = await alpineFiles();
  const example = (name: string, files: readonly string[], command: readonly string[]): Image => ({
    tags: [`hello-mtls-${name}:latest`],
    layers: [node, files.map((path) => copyOf(join(EXAMPLES, 'node', path), `/app/${path}`))],
    config: { Cmd: command, Env: ['PATH=/usr/local/bin'], User: '1000', WorkingDir: '/app' },
  });
  const goExample = async (role: 'server' | 'client'): Promise<Image> => {
    const [name, content] = [`hello-mtls-${role}`, await goProgram(join(EXAMPLES, 'go'), `./${role}`)];
    return {
      tags: [`${name}-go:latest`],
      layers: [[fileOf(`/${name}`, content, 0o755)]],
      config: { Entrypoint: [`/${name}`], User: '65532' },
    };
  };
  writeImages(file, [
    autocertImage([defaultTag()], ingredients, node),
    await goExample('server'),
    await goExample('client'),
    example('server-node', ['tls-files.mjs', 'server.mjs'], ['node', 'server.mjs']),
    example('client-node', ['tls-files.mjs', 'client.mjs'], ['node', 'client.mjs']),
    {
      tags: ['hello-mtls-client-curl:latest'],
      layers: [shell, [copyOf(join(EXAMPLES, 'curl/client.sh'), '/usr/local/bin/client.sh', 0o755)]],
      config: { Cmd: ['/usr/local/bin/client.sh'], Env: ['PATH=/usr/local/bin:/usr/bin:/bin'], User: '65534' },
    },
  ]);
}

/**
 * Writes the image of this repository once more, with a library by which its programs can be given another time.
 * @param library libfaketime of this machine
 * @param place where the image has it
 */
export async function writeSkewedImage(file: string, tag: string, library: string, place: string): Promise<void> {
  const { layers, ...image } = autocertImage([tag], await imageIngredients('newer'));
  writeImages(file, [{ ...image, layers: [...layers, [copyOf(library, place, 0o755)]] }]);
}

/** Writes what a cluster elsewhere would pull: step-ca, CoreDNS, a small shell, and the pods' first process. */
export async function writePulledImages(file: string): Promise<void> {
  const shell = await alpineFiles();
  writeImages(file, [
    {
      tags: [PAUSE_IMAGE],
      layers: [[copyOf(staticBusybox(), '/busybox', 0o755)]],
      config: { Entrypoint: ['/busybox', 'sleep', '2147483647'], User: '65535:65535' },
    },
    {
      tags: ['docker.io/library/alpine:latest', 'docker.io/library/alpine:3'],
      layers: [shell],
      config: { Cmd: ['/bin/sh'], Env: ['PATH=/usr/local/bin:/usr/bin:/bin:/sbin'] },
    },
    {
      tags: ['registry.k8s.io/coredns/coredns:v1'],
      layers: [[...baseFiles({ name: 'nonroot', id: 65532, home: '/' }), ...program(join(BIN, 'coredns'), '/coredns')]],
      config: { Entrypoint: ['/coredns'] },
    },
    {
      tags: [STEP_CA_IMAGE],
      layers: [shell, stepFiles()],
      config: {
        Cmd: ['step-ca', '--password-file', '/home/step/secrets/password', '/home/step/config/ca.json'],
        Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'STEPPATH=/home/step'],
        User: 'step',
        WorkingDir: '/home/step',
      },
    },
  ]);
}

/** A shell, its tools and curl. `apk add curl`, which the tutorial has one type, finds curl installed. */
async function alpineFiles(): Promise<TarEntry[]> {
  const curl = which('curl');
  if (curl === undefined) throw new Error('curl is not on PATH');
  const applets = (await run([staticBusybox(), '--list']))
    .trim()
    .split('\n')
    .filter((name) => name !== 'busybox');
  return [
    ...baseFiles({ name: 'nobody', id: 65534, home: '/' }),
    copyOf(staticBusybox(), '/bin/busybox', 0o755),
    ...applets.map((name) => link(`/bin/${name}`, '/bin/busybox')),
    ...program(curl, '/usr/bin/curl'),
    textFile('/etc/ssl/certs/ca-certificates.crt', rootCertificates.join('\n')), // the public ones
    textFile('/sbin/apk', '#!/bin/sh\necho "OK: $* (in this image already)"\n', 0o755),
    folder('/root', 0o700),
  ];
}

function stepFiles(): TarEntry[] {
  return [
    ...baseFiles({ name: 'step', id: 1000, home: '/home/step' }),
    ...['step', 'step-ca'].flatMap((name) => program(join(BIN, name), `/usr/local/bin/${name}`)),
    folder('/home/step', 0o755, 1000),
  ];
}
