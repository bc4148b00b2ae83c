/**
 * Flux after Argo CD: it takes over what is there, heals it, and removes it.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { FLUX_NAMESPACE, FLUX_SOURCE, type Flux, startFlux } from '../../../scripts/cluster/gitops/flux.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import type { Shared } from './index.ts';
import { onlyKeysAreLeft } from './kept.ts';

const TARGET = ['-n', FLUX_NAMESPACE, 'kustomization', 'autocert'];
/** Server-side apply is the only way that Flux has; `wait` has it look at the health of everything it applied. */
const KUSTOMIZATION = {
  apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
  kind: 'Kustomization',
  metadata: { name: 'autocert', namespace: FLUX_NAMESPACE },
  spec: {
    interval: '10s',
    retryInterval: '5s',
    timeout: '3m',
    path: './',
    prune: true,
    wait: true,
    sourceRef: { kind: 'GitRepository', name: FLUX_SOURCE },
  },
};

/** Steps 34.x. */
export function fluxSteps(context: Context, { manifests, pods, onEnd }: Shared): Step[] {
  const { kubectl, scratch, inNetwork } = context;
  let flux: Flux | undefined;
  const ready = () =>
    kubectl.run(['wait', ...TARGET, '--for=condition=Ready', '--timeout=240s'], { timeoutMs: 300_000 });
  return [
    {
      id: '34.1',
      name: 'Flux takes over what is there: its Kustomization is Ready, all that it applied is healthy, and works',
      base: true,
      run: async () => {
        flux = await startFlux({ kubectl, folder: join(scratch, 'flux'), inNetwork });
        onEnd(flux.end);
        await flux.publish(manifests);
        await kubectl.apply([KUSTOMIZATION]);
        await ready();
        await pods.work();
      },
    },
    {
      id: '34.2',
      name: 'the webhook’s configuration, the signer and a policy, deleted by hand, come back, and work',
      run: async () => {
        const objects = [
          'mutatingwebhookconfiguration/autocert',
          'deployment/autocert-signer',
          'validatingadmissionpolicybinding/autocert',
        ];
        await kubectl.run(['-n', SYSTEM, 'delete', ...objects]);
        await waitFor('them to be back', async () => (await kubectl.try(['-n', SYSTEM, 'get', ...objects])).code === 0);
        await ready();
        await pods.work();
      },
    },
    {
      id: '34.3',
      name: 'what nobody changes it does not apply anew: the generations stay as they are',
      run: async () => {
        const before = await generations();
        const attempt = 'jsonpath={.status.history[0].totalReconciliations}';
        const first = Number(await kubectl.run(['get', ...TARGET, '-o', attempt]));
        await waitFor(
          'three more rounds',
          async () => Number(await kubectl.run(['get', ...TARGET, '-o', attempt])) > first + 2,
        );
        assert.equal(await generations(), before);
      },
    },
    {
      id: '34.4',
      name: 'the Kustomization is deleted: the keys stay with their namespace, all else goes',
      run: async () => {
        await kubectl.run(['delete', ...TARGET, '--timeout=240s'], { timeoutMs: 300_000 });
        await flux?.end();
        await onlyKeysAreLeft(context);
      },
    },
  ];

  function generations(): Promise<string> {
    const path = 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\\n"}{end}';
    const kinds =
      'deployments,statefulsets,mutatingwebhookconfigurations,validatingadmissionpolicies,networkpolicies,cronjobs';
    return kubectl.run(['-n', SYSTEM, 'get', kinds, '-o', path]);
  }
}
