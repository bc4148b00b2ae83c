/**
 * Faults of what the cluster allows: labels, quotas, RBAC, the webhook's registration, trust bundle and Lease.
 * @module
 */
import { NAMESPACE_LABEL, TRUST_BUNDLE_NAME } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { type Course, type Fault, once } from './fault.ts';
import { type Lab, PARTS } from './lab.ts';
import { withoutObject } from './objects.ts';
import { FAULTS_NAMESPACE } from './settings.ts';

const REGISTRATION = 'mutatingwebhookconfiguration/autocert';

/** Allows no pod besides those that are there, until the fault is ended. */
async function quota(lab: Lab, namespace: string): Promise<Course> {
  const object = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'exhausted', namespace },
    spec: { hard: { pods: '0' } },
  };
  await lab.kubectl.apply([object]);
  return {
    end: async () => {
      await lab.kubectl.run(['-n', namespace, 'delete', 'resourcequota', 'exhausted']);
    },
  };
}

function patchBundle(lab: Lab, patch: object): Promise<string> {
  return lab.kubectl.run(['patch', REGISTRATION, '--type=json', '-p', JSON.stringify([patch])]);
}

const BUNDLE = '/webhooks/0/clientConfig/caBundle';

/** The faults. */
export const rightsFaults: readonly Fault[] = [
  {
    id: 'label-removed',
    name: 'namespace label removed, and put back',
    happens: 'Pods that are made meanwhile have no certificate; those that run go on with theirs.',
    forces: ['injection'],
    inject: async (lab) => {
      const label = (change: string) =>
        lab.kubectl.run(['label', 'namespace', FAULTS_NAMESPACE, change, '--overwrite']);
      await label(`${NAMESPACE_LABEL.key}-`);
      return {
        end: async () => {
          await label(`${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`);
        },
      };
    },
  },
  {
    id: 'quota-pods',
    name: 'ResourceQuota of the pods’ namespace exhausted',
    happens: 'The API server refuses pods until there is room.',
    inject: (lab) => quota(lab, FAULTS_NAMESPACE),
  },
  {
    id: 'quota-system',
    name: 'ResourceQuota of `step` exhausted; CA, a webhook and a signer killed',
    happens: 'The killed pods are not made again until there is room; new pods wait for the CA.',
    inject: async (lab) => {
      const course = await quota(lab, SYSTEM);
      for (const part of ['ca', 'webhook', 'signer'] as const) {
        await lab.kubectl.killPods((await lab.podsOf(part)).slice(0, 1));
      }
      return course;
    },
  },
  ...(['webhook', 'signer'] as const).map(
    (part): Fault => ({
      id: `rbac-${part}`,
      name: `ClusterRoleBinding of the ${part} deleted; put back`,
      happens:
        part === 'webhook'
          ? 'Agents wait: the webhook may not ask who they are.'
          : 'Pods with native delivery wait: the signer may not answer them.',
      inject: (lab) => withoutObject(lab, [`clusterrolebinding/${PARTS[part]}`]),
    }),
  ),
  {
    id: 'rbac-lease',
    name: 'RoleBinding of the signer deleted; put back',
    happens: 'Nobody can lead. Pods with native delivery wait.',
    lastsMs: 20_000,
    inject: (lab) => withoutObject(lab, ['-n', SYSTEM, `rolebinding/${PARTS.signer}`]),
  },
  {
    id: 'lease-deleted',
    name: 'Lease of the signer deleted',
    happens: 'A replica makes it again, and leads.',
    inject: once(async (lab) => lab.kubectl.run(['-n', SYSTEM, 'delete', 'lease', PARTS.signer])),
  },
  {
    id: 'ca-bundle-removed',
    name: '`caBundle` removed from the webhook’s registration',
    happens: 'Annotated pods are refused until Autocert has put it back.',
    inject: once((lab) => patchBundle(lab, { op: 'remove', path: BUNDLE })),
  },
  {
    id: 'ca-bundle-foreign',
    name: '`caBundle` replaced by another root: that of the API server',
    happens: 'Annotated pods are refused until Autocert has put its own back.',
    inject: once(async (lab) => {
      const { data } = await lab.kubectl.json<{ data: Record<string, string> }>([
        ...['-n', SYSTEM, 'get', 'configmap', 'kube-root-ca.crt'],
      ]);
      const value = Buffer.from(data['ca.crt'] ?? '').toString('base64');
      return patchBundle(lab, { op: 'replace', path: BUNDLE, value });
    }),
  },
  {
    id: 'registration-deleted',
    name: 'MutatingWebhookConfiguration deleted, and applied again from the manifests',
    happens: 'Pods that are made meanwhile have no certificate. Then `caBundle` is put back.',
    forces: ['injection'],
    inject: async (lab) => {
      await lab.kubectl.run(['delete', REGISTRATION]);
      return {
        end: async () => {
          await lab.kubectl.run(['apply', '-f', lab.ports.manifests]);
        },
      };
    },
  },
  {
    id: 'trust-bundle-deleted',
    name: 'ClusterTrustBundle deleted',
    happens: 'Pods with native delivery wait until the signer has made it again.',
    inject: once(async (lab) => lab.kubectl.run(['delete', 'clustertrustbundle', TRUST_BUNDLE_NAME])),
  },
];
