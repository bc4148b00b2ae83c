/**
 * Flux beside the node: its kustomize-controller, which applies and prunes. What its source-controller would fetch from a
 * repository is laid before it: an archive, and a GitRepository that says where it is.
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fluxDefinitions } from '../programs.ts';
import { BIN } from '../settings.ts';
import { run } from '../shell.ts';
import { Companions, type Place } from './companions.ts';

/** Where its objects are. */
export const FLUX_NAMESPACE = 'flux-system';
/** Name of the GitRepository. */
export const FLUX_SOURCE = 'autocert';

const PORTS = { health: 19_440, metrics: 19_441, archives: 19_442 } as const;

/** Flux that runs. */
export interface Flux {
  /** Lays a folder of manifests before it, as a commit would. */
  publish(manifests: string): Promise<void>;
  /** Ends it. */
  end(): Promise<void>;
}

/** Installs its objects and starts it. */
export async function startFlux(place: Place): Promise<Flux> {
  const { kubectl, folder } = place;
  const definitions = (await fluxDefinitions()).flatMap((file) => ['-f', file]);
  await kubectl.run(['apply', '--server-side', ...definitions]);
  await kubectl.established(definitions);
  await kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: FLUX_NAMESPACE } }]);
  const companions = await Companions.at(place);
  companions.start('archives', ['busybox', 'httpd', '-f', '-p', `127.0.0.1:${PORTS.archives}`, '-h', folder]);
  companions.start(
    'kustomize-controller',
    [
      join(BIN, 'kustomize-controller'),
      ...['--health-addr', `127.0.0.1:${PORTS.health}`, '--metrics-addr', `127.0.0.1:${PORTS.metrics}`],
      ...['--enable-leader-election=false', '--watch-all-namespaces=false', '--requeue-dependency=2s'],
    ],
    { RUNTIME_NAMESPACE: FLUX_NAMESPACE },
  );
  await companions.healthy(`http://127.0.0.1:${PORTS.health}/healthz`);
  const publish = async (manifests: string) => {
    const name = 'manifests.tar.gz';
    await run(['tar', '--create', '--gzip', `--file=${join(folder, name)}`, `--directory=${manifests}`, '.']);
    const sha256 = createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex');
    const metadata = { name: FLUX_SOURCE, namespace: FLUX_NAMESPACE };
    const repository = { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository', metadata };
    await kubectl.apply([{ ...repository, spec: { interval: '1m', url: 'https://git.example.com/autocert' } }]);
    const now = new Date().toISOString();
    const artifact = {
      url: `http://127.0.0.1:${PORTS.archives}/${name}`,
      path: name,
      revision: `main@sha256:${sha256}`,
      digest: `sha256:${sha256}`,
      lastUpdateTime: now,
    };
    const ready = { type: 'Ready', status: 'True', reason: 'Succeeded', message: 'stored', lastTransitionTime: now };
    const patch = JSON.stringify({ status: { artifact, conditions: [ready], observedGeneration: 1 } });
    const target = ['-n', FLUX_NAMESPACE, 'gitrepository', FLUX_SOURCE];
    await kubectl.run(['patch', ...target, '--subresource=status', '--type=merge', '--patch', patch]);
  };
  return { publish, end: () => companions.end() };
}
