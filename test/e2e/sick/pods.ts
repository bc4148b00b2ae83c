/**
 * What steps 26.x break of a namespace with annotated pods, and beside Autocert.
 * @module
 */
import { Annotation, NAMESPACE_LABEL, STATUS_INJECTED } from '../../../runtime/contract.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { podTemplate, testPod } from '../../../scripts/cluster/workloads.ts';
import { type Context, SYSTEM } from '../context.ts';
import { withForeignBundle } from './autocert.ts';
import { type Breakage, besides, DOCTOR_NAMESPACES, hands, nameOf } from './breakages.ts';

const { pods: PODS } = DOCTOR_NAMESPACES;
const REFUSED = 'refused';
const LABEL = `${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`;

function deployment(name: string, container: object = {}): object {
  const template = podTemplate(name, { annotations: nameOf(name), container: { ...container } });
  const selector = { matchLabels: { app: name } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: PODS },
    spec: { selector, template },
  };
}

/** What no policy looks at before there are pods. */
function replicaSet(name: string, annotations: Readonly<Record<string, string>>): object {
  const template = podTemplate(name, { annotations });
  const spec = { selector: { matchLabels: { app: name } }, template };
  return { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name, namespace: PODS }, spec };
}

/** A webhook that nobody answers for, about pods with a label that none has. */
function foreignWebhook(name: string, webhook: object): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'doctor.e2e.test',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        objectSelector: { matchLabels: { 'e2e-doctor': 'nobody' } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        clientConfig: { service: { namespace: PODS, name: 'nobody' } },
        ...webhook,
      },
    ],
  };
}

/** All of them. */
export function podBreakages({ kubectl }: Context): readonly Breakage[] {
  const { applied, labelled, scaled } = hands(kubectl);
  /** Once the API server refuses such pods: else the controller is through before it does. */
  const refused = async (annotations: Readonly<Record<string, string>>) => {
    const input = JSON.stringify(testPod(PODS, REFUSED, { annotations }));
    await waitFor('such pods to be refused', async () => {
      return (await kubectl.try(['create', '--dry-run=server', '-f', '-'], { input })).code !== 0;
    });
    return applied([replicaSet(REFUSED, annotations)], ['-n', PODS, 'replicaset', REFUSED]);
  };
  /** One that drains goes on answering. */
  const withoutWebhook = async () =>
    besides(await scaled(SYSTEM, 'deployment/autocert'), async () => {
      const left = () => kubectl.run(['-n', SYSTEM, 'get', 'pods', '-l', 'app=autocert', '-o', 'name']);
      await waitFor('the webhook to be gone', async () => (await left()) === '');
    });
  return [
    {
      name: 'pods are refused since the webhook is down',
      check: 'webhook-down',
      object: /^e2e-doctor\/replicaset\/refused$/,
      break: async () => besides(await withoutWebhook(), () => refused(nameOf(REFUSED))),
    },
    {
      name: 'pods are refused since the API server does not trust the webhook',
      check: 'ca-bundle',
      object: /^e2e-doctor\/replicaset\/refused$/,
      break: async () => besides(await withForeignBundle(kubectl), () => refused(nameOf(REFUSED))),
    },
    {
      name: 'pods are refused by Autocert itself',
      check: 'refused',
      object: /^e2e-doctor\/replicaset\/refused$/,
      break: () => refused({ [Annotation.name]: 'pay.bank.svc' }),
    },
    {
      name: 'a namespace with annotated pods loses its label',
      check: 'namespace-label',
      object: /^namespace\/e2e-doctor$/,
      break: () => labelled(PODS, `${NAMESPACE_LABEL.key}-`, LABEL),
    },
    {
      name: 'an excluded namespace is labelled',
      check: 'excluded-namespace',
      object: /^namespace\/kube-system$/,
      break: () => labelled('kube-system', LABEL, `${NAMESPACE_LABEL.key}-`),
    },
    {
      name: 'a NetworkPolicy shuts agents in',
      check: 'network-policy',
      object: /^e2e-doctor\/networkpolicy\/deny-all$/,
      break: () => {
        const metadata = { name: 'deny-all', namespace: PODS };
        const spec = { podSelector: {}, policyTypes: ['Egress'] };
        const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
        return applied([policy], ['-n', PODS, 'networkpolicy', 'deny-all']);
      },
    },
    {
      name: 'an image cannot be pulled',
      check: 'image-pull',
      object: /^e2e-doctor\/pod\/imageless-/,
      break: () =>
        applied([deployment('imageless', { image: '127.0.0.1:9/none:1' })], ['-n', PODS, 'deployment', 'imageless']),
    },
    {
      name: 'Pod Security refuses pods',
      check: 'pod-security',
      object: /^e2e-doctor\/replicaset\/insecure-/,
      break: async () => {
        const key = 'pod-security.kubernetes.io/enforce';
        const unlabel = await labelled(PODS, `${key}=restricted`, `${key}-`);
        return besides(unlabel, () => applied([deployment('insecure')], ['-n', PODS, 'deployment', 'insecure']));
      },
    },
    {
      name: 'a quota has no room',
      check: 'quota',
      object: /^e2e-doctor\/replicaset\/roomless-/,
      break: async () => {
        const metadata = { name: 'small', namespace: PODS };
        const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '0' } } };
        const raise = await applied([quota], ['-n', PODS, 'resourcequota', 'small']);
        return besides(raise, () => applied([deployment('roomless')], ['-n', PODS, 'deployment', 'roomless']));
      },
    },
    {
      name: 'a webhook of others has nobody behind it',
      check: 'other-webhook',
      object: /\/e2e-doctor$/,
      break: () => applied([foreignWebhook('e2e-doctor', {})], ['mutatingwebhookconfiguration', 'e2e-doctor']),
    },
    {
      name: 'a pod has an agent of an earlier version',
      check: 'old-agent',
      object: /^namespace\/e2e-doctor$/,
      break: () => {
        const agent = {
          ...podTemplate('x').spec.containers[0],
          name: 'autocert-renewer',
          image: 'autocert:0.0.9',
          imagePullPolicy: 'Never',
        };
        const annotations = { ...nameOf('old'), [Annotation.status]: STATUS_INJECTED };
        const pod = testPod(PODS, 'old', { annotations, spec: { initContainers: [agent] } });
        return applied([pod], ['-n', PODS, 'pod', 'old']);
      },
    },
    {
      name: 'the Go original is registered as well',
      check: 'two-installations',
      object: /autocert-webhook-config$/,
      break: () => {
        const namespaceSelector = { matchLabels: { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value } };
        const original = foreignWebhook('autocert-webhook-config', { namespaceSelector, failurePolicy: 'Ignore' });
        return applied([original], ['mutatingwebhookconfiguration', 'autocert-webhook-config']);
      },
    },
  ];
}
