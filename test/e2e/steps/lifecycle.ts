/**
 * Steps 10.x and 11.x: Argo CD's view of what was applied, and uninstalling as the guide says.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, PkiObject, STATUS_INJECTED } from '../../../runtime/contract.ts';
import { isReady, type Pod } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { podTemplate, testPod } from '../../../scripts/cluster/workloads.ts';
import { autocert } from '../autocert.ts';
import { CaseNamespace } from '../cases.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { caBundle, caBundleNow, manifestsOf } from '../installed.ts';
import { Typist } from '../typist.ts';
import { installFromInside, QUALIFIED_IMAGE } from './install-command.ts';
import { TUTORIAL } from './tutorial.ts';

/** A cluster that lacks a kind says so; the guide tells that this does not matter. */
const COMPLAINTS = /doesn't have a resource type|^Warning: /;
const ARGO = ['--server-side', '--field-manager=argocd-controller'];

/** Steps 10.x and 11.x. */
export function lifecycleSteps(context: Context): Step[] {
  const { kubectl } = context;
  const tutorial = new Typist(context, TUTORIAL);
  const guide = new Typist(context, 'docs/uninstall.md');
  const annotations = { [Annotation.name]: `again.${CaseNamespace.plain}.svc.cluster.local` };
  const again = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'again', namespace: CaseNamespace.plain },
    spec: { selector: { matchLabels: { app: 'again' } }, template: podTemplate('again', { annotations }) },
  };
  return [
    {
      id: '10.1',
      name: 'server-side apply by another field manager meets no conflict and leaves no difference',
      run: async () => {
        const dist = manifestsOf(context);
        const bundle = await caBundleNow(kubectl);
        assert.match(bundle, /BEGIN CERTIFICATE/);
        await kubectl.run(['apply', ...ARGO, '-f', dist]); // fails on a conflict
        const { code, stdout, stderr } = await kubectl.try(['diff', ...ARGO, '-f', dist]);
        assert.equal(code, 0, stdout + stderr);
        assert.equal(await caBundleNow(kubectl), bundle, 'caBundle stays');
      },
    },
    {
      id: '11.0',
      name: "the tutorial's clean-up: its workloads, labels, annotated pods and templates, Secrets",
      run: async () => {
        const [pods = '', templates = ''] = await tutorial.type('11.0', 'found');
        assert.match(pods, /^default\/hello-mtls-/m);
        assert.match(templates, /^Deployment default\/sleep$/m);
        await kubectl.rolledOut('default', 'deployment/hello-mtls-client-curl');
        const [pod] = await kubectl.pods('default', 'app=hello-mtls-client-curl');
        assert.equal(pod?.metadata.annotations?.[Annotation.status], undefined, 'it is an ordinary pod again');
        const label = ['label', 'namespace', 'default', '--overwrite', 'autocert.step.sm=enabled'];
        await kubectl.run(label); // if it was taken off before
        await tutorial.type('11.0');
        await kubectl.run(label);
      },
    },
    {
      id: '11.1',
      name: 'the guide to uninstall finds everything and removes it; pods keep running',
      run: async () => {
        const before = await waitFor('some injected pods', async () => {
          const pods = await injectedPods(context);
          return pods.length > 5 && pods;
        });
        await guide.type('11.1', 'keep the PKI', { complaints: COMPLAINTS });
        for (const secret of [PkiObject.rootKey, PkiObject.caPassword]) {
          await kubectl.run(['-n', SYSTEM, 'get', 'secret', secret]);
        }
        const { stderr } = await kubectl.try(['delete', 'namespace', SYSTEM, '--wait=false']);
        assert.match(stderr, /autocert pki backup/, 'the namespace with the keys is kept');
        await guide.type('11.1', 'remove everything', { complaints: COMPLAINTS });
        await waitFor('the namespace step to go', async () => {
          const { stderr } = await kubectl.try(['get', 'namespace', 'step']);
          return stderr.includes('NotFound');
        });
        assert.deepEqual(await remains(context), []);
        const labelled = await kubectl.run(['get', 'namespaces', '-l', 'autocert.step.sm=enabled', '-o', 'name']);
        assert.equal(labelled, '');
        const after = new Map((await injectedPods(context)).map((pod) => [pod.metadata.uid, pod]));
        for (const { metadata } of before) {
          const pod = after.get(metadata.uid);
          assert(pod !== undefined && isReady(pod), `${metadata.namespace}/${metadata.name} keeps running`);
        }
      },
    },
    {
      id: '11.2',
      name: 'an annotated pod is an ordinary pod again',
      run: async () => {
        const annotations = { [Annotation.name]: `after.${CaseNamespace.plain}.svc.cluster.local` };
        await kubectl.apply([testPod(CaseNamespace.plain, 'after', { annotations })]);
        const pod = await kubectl.ready(CaseNamespace.plain, 'app=after');
        assert.equal(pod.metadata.annotations?.[Annotation.status], undefined);
      },
    },
    {
      id: '11.3',
      name: 'kubectl run autocert-init installs its own image where nothing is, and autocert uninstall --yes, with --clean-annotations, then with --delete-pki, leaves nothing behind',
      run: async () => {
        const said = await installFromInside(context);
        assert.match(said, /created {2}statefulset\/ca in namespace step/);
        assert.match(said, /fingerprint \(SHA-256\) {2}[0-9a-f]{64}/);
        const image = 'jsonpath={.spec.template.spec.containers[*].image}';
        const running = await kubectl.run(['-n', SYSTEM, 'get', 'deployment', 'autocert', '-o', image]);
        assert.equal(running, QUALIFIED_IMAGE);
        await caBundle(kubectl);
        await kubectl.run(['label', 'namespace', CaseNamespace.plain, 'autocert.step.sm=enabled']);
        await kubectl.apply([again]);
        const pod = await kubectl.ready(CaseNamespace.plain, 'app=again');
        assert.equal(pod.metadata.annotations?.[Annotation.status], STATUS_INJECTED);
        const [removed = ''] = await guide.type('11.3');
        assert(removed.includes(`annotations off  deployment/again in namespace ${CaseNamespace.plain}`), removed);
        assert.match(removed, /namespace\/step and its keys are gone/);
        assert.deepEqual(await remains(context), []);
        await kubectl.rolledOut(CaseNamespace.plain, 'deployment/again');
        const [plain] = await kubectl.pods(CaseNamespace.plain, 'app=again');
        assert.doesNotMatch(JSON.stringify(plain?.metadata.annotations ?? {}), /autocert\.step\.sm/);
        assert.match(
          await autocert(context, ['uninstall', '--yes', '--delete-pki']),
          /^Nothing of it is left to remove\./,
        );
      },
    },
  ];
}

/** Pods that are injected, ready, and not on their way out. */
async function injectedPods({ kubectl }: Context): Promise<Pod[]> {
  const { items } = await kubectl.json<{ items: readonly Pod[] }>(['get', 'pods', '-A']);
  const runs = (pod: Pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined;
  return items.filter((pod) => pod.metadata.annotations?.[Annotation.status] !== undefined && runs(pod));
}

/** Names of objects of any kind that are Autocert's by label or by name; events and other people's pods are not. */
async function remains({ kubectl }: Context): Promise<string[]> {
  const listed = await kubectl.run(['api-resources', '--verbs=list', '-o', 'name']);
  const kinds = listed
    .trim()
    .split('\n')
    .filter((kind) => !/^events|^componentstatuses|^pods\b|metrics\.k8s\.io/.test(kind));
  const columns =
    'custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name,PART:.metadata.labels.app\\.kubernetes\\.io/part-of';
  const table = await kubectl.run(['get', kinds.join(','), '-A', '--no-headers', '-o', columns]);
  return table.split('\n').filter((line) => /\bautocert\b/.test(line) || /\bstep +\S+ +\S+$/.test(line));
}
