/**
 * Argo CD itself, from the first synchronization to the removal of its Application.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startArgoCd } from '../../../scripts/cluster/gitops/argo-cd.ts';
import type { Companions } from '../../../scripts/cluster/gitops/companions.ts';
import { installed } from '../../../scripts/cluster/installation.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { autocert } from '../autocert.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { seconds } from '../runner.ts';
import { buildOldVersion, oldCommit } from '../upgrade/old-version.ts';
import { Application, Repository } from './application.ts';
import { DELETED, type Deleted } from './deleted.ts';
import type { Shared } from './index.ts';
import { onlyKeysAreLeft } from './kept.ts';

const MINUTE = 60_000;

/** Steps 32.x. */
export function argoCdSteps(context: Context, { manifests, pods, onEnd }: Shared): Step[] {
  const { kubectl, scratch, print, long, inNetwork } = context;
  const minutes = long ? 10 : 2;
  let argo: Companions | undefined;
  let its: { readonly application: Application; readonly repository: Repository } | undefined;

  const parts = () => {
    assert(its, 'Argo CD runs');
    return its;
  };
  const uidsOf = (objects: readonly string[]) =>
    Promise.all(
      objects.map((object) =>
        kubectl.run(['-n', SYSTEM, 'get', object, '-o', 'jsonpath={.metadata.uid}', '--ignore-not-found']),
      ),
    );
  const comesBack = async ({ what, objects, isHook, isBack }: Deleted) => {
    const names = await objects(context);
    if (names.length === 0) return;
    const before = await uidsOf(names);
    await kubectl.run(['-n', SYSTEM, 'delete', ...names, '--wait=false']);
    if (isHook) await parts().application.synchronize();
    const areNew = async () => (await uidsOf(names)).every((uid, index) => uid !== '' && uid !== before[index]);
    await waitFor(`${what} to be back`, areNew, { timeoutMs: 2 * MINUTE });
    await isBack?.(context);
    await pods.work();
  };
  const bring = async (revision: string) => {
    const { application } = parts();
    await application.refresh();
    await application.synced(revision);
    await installed(kubectl);
    await pods.work();
  };

  return [
    {
      id: '32.1',
      name: 'Argo CD runs, and there is a repository',
      base: true,
      run: async () => {
        argo = await startArgoCd({ kubectl, folder: join(scratch, 'argo-cd'), inNetwork });
        onEnd(argo.end.bind(argo));
        const repository = await Repository.create(join(scratch, 'repository'));
        its = { repository, application: new Application(kubectl, repository) };
      },
    },
    {
      id: '32.2',
      name: 'from nothing to Synced and Healthy, with self-heal and prune, nothing ignored; pods get certificates',
      base: true,
      run: async () => {
        const { application, repository } = parts();
        const revision = await repository.commit(manifests, 'Autocert');
        const started = Date.now();
        await application.create();
        await application.synced(revision);
        print(`       Synced and Healthy after ${seconds(started)}`);
        await pods.work();
      },
    },
    ...DELETED.map((deleted) => ({
      id: `32.3.${deleted.id}`,
      name: `${deleted.what}: deleted by hand, it comes back, and works`,
      run: () => comesBack(deleted),
    })),
    {
      id: '32.4',
      name: `${oldCommit().slice(0, 12)}, an earlier version, by a commit: Synced and Healthy, and works`,
      run: async () => {
        assert(context.importImages, 'the node is ours');
        const old = join(scratch, 'old');
        await context.importImages(await buildOldVersion(old));
        await bring(await parts().repository.commit(join(old, 'dist'), 'an earlier version'));
      },
    },
    {
      id: '32.5',
      name: 'this version again, by a revert: Synced and Healthy, and works',
      restsOn: ['32.4'],
      run: async () => bring(await parts().repository.revert()),
    },
    {
      id: '32.6',
      name: `Synced and Healthy for ${minutes} minutes, while certificates are renewed and pods start`,
      run: async () => {
        const over = new AbortController();
        const busy = (async () => {
          while (!over.signal.aborted) {
            await autocert(context, ['renew', '--all']);
            await pods.work();
          }
        })();
        busy.catch(() => undefined);
        const bad = await parts().application.watch(minutes * MINUTE);
        over.abort();
        await busy;
        assert.deepEqual(bad, []);
      },
    },
    {
      id: '32.7',
      name: 'the Application is deleted with its finalizer: the keys stay with their namespace, all else goes',
      base: true,
      run: async () => {
        await parts().application.delete();
        await argo?.end();
        await onlyKeysAreLeft(context);
      },
    },
  ];
}
