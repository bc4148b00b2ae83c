/**
 * Step 11.4: the Component of `examples/kustomize-namespace` on a cluster, after all else is uninstalled.
 * @module
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import { Annotation } from '../../../runtime/contract.ts';
import { installed } from '../../../scripts/cluster/installation.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { autocert, tryAutocert } from '../autocert.ts';
import { CaseNamespace } from '../cases.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { caBundle } from '../installed.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** That of the example. */
const OTHER = 'pki';
const NAMESPACE = CaseNamespace.plain;
const POD = 'elsewhere';

/** The step. `dist/` is as it is committed, for which the Component was made. */
export function otherNamespaceStep(context: Context): Step {
  const { kubectl, scratch } = context;
  const overlay = join(scratch, 'other-namespace');
  const inOther = ['--autocert-namespace', OTHER];
  return {
    id: '11.4',
    long: true,
    name: 'an overlay of kustomize installs in another namespace: status finds it, pods have certificates, and uninstall removes it',
    run: async () => {
      mkdirSync(overlay, { recursive: true });
      const at = (path: string) => relative(overlay, join(ROOT, path));
      const kustomization = {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [at('dist')],
        components: [at('examples/kustomize-namespace/namespace')],
      };
      writeFileSync(join(overlay, 'kustomization.yaml'), stringify(kustomization));
      await kubectl.run(['apply', '-k', overlay]);
      await installed(kubectl, OTHER);
      await caBundle(kubectl, 1, `autocert.${OTHER}`);
      await kubectl.run(['label', 'namespace', NAMESPACE, 'autocert.step.sm=enabled']);
      const name = `${POD}.${NAMESPACE}.svc.cluster.local`;
      for (const delivery of context.native ? ['native', 'sidecar'] : ['sidecar']) {
        const pod = `${POD}-${delivery}`;
        const annotations = { [Annotation.name]: name, [Annotation.delivery]: delivery };
        await kubectl.apply([testPod(NAMESPACE, pod, { annotations })]);
        await kubectl.ready(NAMESPACE, `app=${pod}`);
        assertCertificate(await readFiles(kubectl, NAMESPACE, pod, 'main'), { name });
      }
      const status = await autocert(context, ['status', '-n', NAMESPACE, ...inOther]);
      assert.match(status, new RegExp(`\\b${POD}-sidecar\\b.*\\bsidecar\\b`));
      const diagnosis = await tryAutocert(context, ['doctor', '-o', 'json', ...inOther], '');
      const { findings } = JSON.parse(diagnosis.stdout) as { findings: readonly { readonly object: string }[] };
      const own = findings.filter(({ object }) => object.startsWith(`${OTHER}/`) || object.endsWith(`.${OTHER}`));
      assert.deepEqual(own, []); // of pods from before it may find something
      await autocert(context, ['uninstall', '--yes', '--delete-pki', ...inOther]);
      const { stderr } = await kubectl.try(['get', 'namespace', OTHER]);
      assert.match(stderr, /NotFound/);
      assert.match(await autocert(context, ['uninstall', ...inOther]), /^Nothing of it is left to remove\./);
    },
  };
}
