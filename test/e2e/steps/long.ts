/**
 * Steps 14.x, only with `--long`: kubelet renews by itself, in a pod with the shortest lifetime that the API allows, at
 * the earliest time that it allows. That is ten minutes after the certificate's first, and up to five more by chance.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR } from '../../../runtime/contract.ts';
import { enabledNamespace, testPod } from '../../../scripts/cluster/workloads.ts';
import { assertCertificate, type CertificateFiles, readFiles, renewedFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';

/** Namespace of the pod. */
export const LONG_NAMESPACE = 'e2e-long';

const NAMESPACE = LONG_NAMESPACE;
const POD = 'short-lived';
const NAME = `${POD}.${NAMESPACE}.svc.cluster.local`;
const EARLIEST_MS = 10 * 60_000;
/** A certificate is valid since so long before it was made. */
const BACKDATED_MS = 60_000;
/** Kubelet's own five minutes by chance, its rounds, and a machine that has other things to do. */
const IN_TIME = { timeoutMs: 18 * 60_000, everyMs: 5_000 };

/** The step that deploys, for as early as can be, and the one that waits: before anything restarts kubelet. */
export function longSteps({ kubectl, native, long, print }: Context): {
  readonly deploy: readonly Step[];
  readonly look: readonly Step[];
} {
  if (!native || !long) return { deploy: [], look: [] };
  let before: CertificateFiles | undefined;
  let folder: string | undefined;
  const filesNow = () => readFiles(kubectl, NAMESPACE, POD, 'main');
  const folderNow = () => kubectl.exec(NAMESPACE, POD, 'main', ['readlink', `${CERTIFICATE_DIR}/..data`]);
  return {
    deploy: [
      {
        id: '14.0',
        name: 'a pod starts whose certificate lives an hour, the shortest time that kubelet can ask for',
        run: async () => {
          const annotations = {
            [Annotation.name]: NAME,
            [Annotation.duration]: '1h',
            [Annotation.delivery]: 'native',
          };
          await kubectl.apply([enabledNamespace(NAMESPACE), testPod(NAMESPACE, POD, { annotations })]);
          await kubectl.ready(NAMESPACE, `app=${POD}`);
          before = await filesNow();
          folder = await folderNow();
          assertCertificate(before, { name: NAME, hours: 1 });
        },
      },
    ],
    look: [
      {
        id: '14.1',
        name: 'kubelet by itself has renewed it: new serial, new key, files swapped, the container not restarted',
        run: async () => {
          assert(before, 'there is a certificate from before');
          const after = await renewedFiles(POD, before, filesNow, IN_TIME);
          assertCertificate(after, { name: NAME, hours: 1 });
          assert.notEqual(await folderNow(), folder, 'another folder behind ..data');
          const elapsed = after.leaf.validFromDate.getTime() - before.leaf.validFromDate.getTime();
          assert(elapsed >= EARLIEST_MS - BACKDATED_MS, `${elapsed} ms between both`);
          assert.equal(await kubectl.restarts(NAMESPACE, `app=${POD}`), 0, 'the container was not restarted');
          print(`       kubelet renewed ${(elapsed / 60_000).toFixed(1)} min after the first certificate`);
        },
      },
    ],
  };
}
