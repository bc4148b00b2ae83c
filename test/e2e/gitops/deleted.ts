/**
 * What somebody deletes by hand, and Argo CD or the signer brings back.
 * @module
 */
import { Annotation } from '../../../runtime/contract.ts';
import { installed } from '../../../scripts/cluster/installation.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { type Context, SYSTEM } from '../context.ts';
import { caBundle } from '../installed.ts';
import { GITOPS_NAMESPACE } from './fresh-pods.ts';

/** One thing that is deleted. */
export interface Deleted {
  readonly id: string;
  readonly what: string;
  /** As `kubectl` names them; namespaced ones are in Autocert's namespace. */
  readonly objects: (context: Context) => Promise<readonly string[]>;
  /** Comes back at the next synchronization only: Argo CD does not miss a hook. */
  readonly isHook?: boolean;
  /** Waits until it does again what it is there for. */
  readonly isBack?: (context: Context) => Promise<void>;
}

/** A name that no pod of this namespace may have is refused. */
async function refuses({ kubectl }: Context): Promise<void> {
  const pod = testPod(GITOPS_NAMESPACE, 'thief', { annotations: { [Annotation.name]: 'ca.step.svc.cluster.local' } });
  await waitFor('a foreign name to be refused', async () => {
    const { code, stderr } = await kubectl.try(['create', '-f', '-', '--dry-run=server'], {
      input: JSON.stringify(pod),
    });
    return code !== 0 && /ValidatingAdmissionPolicy|denied/.test(stderr);
  });
}

function namesOf(output: string): string[] {
  return output.trim().split('\n');
}

/** All of them. */
export const DELETED: readonly Deleted[] = [
  {
    id: 'webhook',
    what: 'the webhook’s configuration',
    objects: async () => ['mutatingwebhookconfiguration/autocert'],
    isBack: async ({ kubectl }) => void (await caBundle(kubectl)),
  },
  {
    id: 'policies',
    what: 'the admission policies and their bindings',
    objects: async () =>
      ['autocert', 'autocert-annotations', 'autocert-pki-step', 'autocert-signer'].flatMap((name) => [
        `validatingadmissionpolicy/${name}`,
        `validatingadmissionpolicybinding/${name}`,
      ]),
    isBack: refuses,
  },
  {
    id: 'rights',
    what: 'the rights of webhook and signer',
    objects: async () =>
      ['autocert', 'autocert-signer'].flatMap((name) => [`clusterrole/${name}`, `clusterrolebinding/${name}`]),
  },
  {
    id: 'parts',
    what: 'webhook, signer and CA',
    objects: async () => [
      'deployment/autocert',
      'deployment/autocert-signer',
      'statefulset/ca',
      'service/autocert',
      'service/ca',
    ],
    isBack: ({ kubectl }) => installed(kubectl),
  },
  {
    id: 'settings',
    what: 'the configuration of all parts',
    objects: async () => ['configmap/autocert-config', 'configmap/autocert-signer-config', 'configmap/ca-config'],
  },
  {
    id: 'job',
    what: 'the Job',
    isHook: true,
    objects: async ({ kubectl }) => namesOf(await kubectl.run(['-n', SYSTEM, 'get', 'jobs', '-o', 'name'])),
    isBack: ({ kubectl }) => installed(kubectl),
  },
  {
    id: 'trust',
    what: 'the trust bundle',
    objects: async ({ kubectl, native }) =>
      native ? namesOf(await kubectl.run(['get', 'clustertrustbundles', '-o', 'name'])) : [],
  },
];
