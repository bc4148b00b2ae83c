/**
 * `npm run e2e -- --upgrade`: an earlier version is installed, pods greet each other ten times a second, a pod is started
 * every other second; this version is applied over it, then the earlier one again, then this one.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Annotation } from '../../../runtime/contract.ts';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import { autocert } from '../autocert.ts';
import { type CertificateFiles, renewedFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { Greetings } from '../greetings.ts';
import { clusterSteps } from '../steps/cluster.ts';
import { tryToWakeAgent } from '../steps/rights.ts';
import { buildOldVersion, oldCommit } from './old-version.ts';
import { Probes } from './probes.ts';

/** Both have pods: each is served by whatever version runs, and has the agent of the version that it started with. */
const DELIVERIES = ['native', 'sidecar'] as const;
/** A webhook's replica that has ended is asked until the API server hears of it. */
const MOST_REFUSED_MS = 10_000;
const SLOWLY = { timeoutMs: 4 * 60_000, everyMs: 2_000 };

/** All of them. */
export function upgradeSteps(context: Context): Step[] {
  const { kubectl, native, scratch, print, restartKubelet } = context;
  const deliveries = native ? DELIVERIES : (['sidecar'] as const);
  const pairs = deliveries.map((delivery) => {
    const annotations = { [Annotation.delivery]: delivery };
    return { delivery, greetings: new Greetings(kubectl, { namespace: `e2e-upgrade-${delivery}`, annotations }) };
  });
  const apps = pairs.flatMap(({ delivery, greetings }) =>
    [greetings.server, greetings.client].map((app) => ({ app, delivery, greetings })),
  );
  const probes = new Probes(context, 'e2e-upgrade-probes', deliveries);
  const manifests = { old: join(scratch, 'old/dist'), new: join(scratch, 'new') };

  /** Whatever version runs: the pods that have been there from the beginning get new certificates. */
  const renewAll = async () => {
    const read = ({ app, greetings }: (typeof apps)[number]) => greetings.filesOf(app);
    const before = new Map<string, CertificateFiles>();
    for (const one of apps) before.set(one.app, await read(one));
    await autocert(context, ['renew', '--all']);
    await restartKubelet?.();
    for (const one of apps) {
      if (one.delivery === 'native' && restartKubelet === undefined) continue;
      const renewed = async () => {
        const files = await read(one);
        const isNew = files.leaf.serialNumber !== before.get(one.app)?.leaf.serialNumber;
        const { namespace } = one.greetings;
        if (!isNew && one.delivery === 'sidecar') {
          await tryToWakeAgent(context, namespace, `deployment/${one.app}`).catch(() => undefined);
        }
        return files;
      };
      await renewedFiles(one.app, before.get(one.app), renewed, SLOWLY);
    }
  };
  const change = async (version: keyof typeof manifests) => {
    await install(kubectl, manifests[version]);
    await renewAll();
    print(`       ${await probes.report(MOST_REFUSED_MS)}`);
    for (const { greetings } of pairs) {
      await greetings.moreThan((await greetings.count()) + 50);
      await greetings.assertUnbroken();
    }
  };
  const step = (id: string, name: string, work: () => Promise<void>): Step => {
    const run = () =>
      work().catch((error: unknown) => {
        void probes.abort(); // there is no later step to end it
        throw error;
      });
    return { id, name, base: true, run };
  };

  return [
    ...clusterSteps(context).filter(({ base }) => base),
    step('30.1', `the version of ${oldCommit().slice(0, 12)} is installed`, async () => {
      assert(context.importImages, 'the node is ours');
      await context.importImages(await buildOldVersion(join(scratch, 'old')));
      await synthesize(manifests.new);
      await install(kubectl, manifests.old);
    }),
    step('30.2', 'pods greet each other ten times a second, and one is started every other second', async () => {
      for (const { greetings } of pairs) await greetings.start();
      await probes.start();
    }),
    step('30.3', 'upgrade: no request fails, old pods renew, new pods start at any moment', () => change('new')),
    step('30.4', 'rollback: the same', async () => {
      await change('old');
      print(`       left by the newer version: ${(await leftBehind(context, manifests)).join(', ') || 'nothing'}`);
    }),
    step('30.5', 'upgrade once more: the same', () => change('new')),
    step('30.6', 'what is left of the test: nothing', async () => {
      await probes.stop();
      const namespaces = pairs.map(({ greetings }) => greetings.namespace);
      await kubectl.run(['delete', 'namespace', ...namespaces, '--wait=false']);
    }),
  ];
}

/** Objects of the newer manifests that the older ones do not have: `kubectl apply` leaves them. */
async function leftBehind(
  { kubectl }: Context,
  manifests: { readonly old: string; readonly new: string },
): Promise<string[]> {
  const names = async (folder: string) => {
    const list = await kubectl.run(['get', '-f', folder, '-o', 'name', '--ignore-not-found']);
    return list.trim().split('\n');
  };
  const old = new Set(await names(manifests.old));
  return (await names(manifests.new)).filter((name) => !old.has(name));
}
