/**
 * Steps 23.x: each account may do what it does and no more, nobody changes what a pod was admitted with, and the pods run
 * as whom a platform like OpenShift says.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Annotation, CERTIFICATE_DIR, ContainerName, NAMESPACE_LABEL, PkiObject } from '../../../runtime/contract.ts';
import { installed, synthesize } from '../../../scripts/cluster/installation.ts';
import type { Pod } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, testPod } from '../../../scripts/cluster/workloads.ts';
import { ACCOUNT_RIGHTS, rightsIn } from '../../support/account-rights.ts';
import type { PolicyRule } from '../../support/manifests.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { manifestsOf } from '../installed.ts';
import { PLATFORM_NAMESPACE, PLATFORM_POLICIES, PLATFORM_USER } from '../platform.ts';

/** Namespace of the pods whose annotations are to be changed. */
export const FIXED_NAMESPACE = 'e2e-fixed';

const NAME = `web.${FIXED_NAMESPACE}.svc.cluster.local`;
const OTHER = `api.${FIXED_NAMESPACE}.svc.cluster.local`;
const REGISTRATION = ['mutatingwebhookconfiguration', 'autocert'];
const POD = ['-n', FIXED_NAMESPACE, 'pod', 'web'];
const as = (account: string) => ['--as', `system:serviceaccount:${SYSTEM}:${account}`];

/** Steps 23.x. */
export function privilegeSteps(context: Context): Step[] {
  const { kubectl, native } = context;

  /** The call must be refused by one of our policies, or by RBAC. */
  const refused = async (by: RegExp, args: readonly string[], input?: object): Promise<void> => {
    const { code, stderr } = await kubectl.try(args, input && { input: JSON.stringify(input) });
    assert.notEqual(code, 0, `was done: kubectl ${args.join(' ')}`);
    assert.match(stderr, by);
  };
  const patched = (args: readonly string[], patch: object) => [
    'patch',
    ...args,
    `--type=${Array.isArray(patch) ? 'json' : 'merge'}`,
    '-p',
    JSON.stringify(patch),
  ];
  const annotations = (values: Record<string, string | null>) => ({ metadata: { annotations: values } });

  /** What `kubectl auth can-i --list` shows, less what everybody may. */
  const rightsOf = async (account: string, namespace: string): Promise<readonly string[]> => {
    const ask = async (who: string) => {
      const body = { kind: 'SelfSubjectRulesReview', apiVersion: 'authorization.k8s.io/v1', spec: { namespace } };
      const create = ['create', '--validate=false', ...as(who), '-f', '-', '-o', 'json'];
      const answer = await kubectl.run(create, { input: JSON.stringify(body) });
      const { status } = JSON.parse(answer) as { status: { incomplete: boolean; resourceRules: PolicyRule[] } };
      assert.equal(status.incomplete, false);
      return rightsIn(status.resourceRules);
    };
    const [everybody, own] = [new Set(await ask('nobody')), await ask(account)];
    return own.filter((right) => !everybody.has(right));
  };

  return [
    {
      id: '23.1',
      name: 'kubectl auth can-i --list of every account is what the list says, in its namespace and in others',
      run: async () => {
        for (const [account, { everywhere, inNamespace }] of Object.entries(ACCOUNT_RIGHTS)) {
          assert.deepEqual(await rightsOf(account, 'default'), [...everywhere].sort(), account);
          assert.deepEqual(await rightsOf(account, SYSTEM), [...everywhere, ...inNamespace].sort(), account);
        }
      },
    },
    {
      id: '23.2',
      name: "the finished Job's account reads no key and creates nothing; the CronJob's creates what can be made again only",
      run: async () => {
        const of = (account: string) => ['-n', SYSTEM, ...as(account)];
        for (const secret of [PkiObject.rootKey, PkiObject.intermediateKey, PkiObject.caPassword]) {
          await refused(/cannot get resource "secrets"/, [...of('autocert-init'), 'get', 'secret', secret]);
        }
        const limits = /autocert-init-step.*objects of Autocert's PKI only/s;
        for (const account of ['autocert-init', 'autocert-pki']) {
          for (const kind of [['secret', 'generic'], ['configmap']]) {
            await refused(limits, [...of(account), 'create', ...kind, 'anything']);
          }
        }
        await refused(limits, [...of('autocert-pki'), 'create', 'secret', 'generic', PkiObject.nextRoot]);
        for (const secret of [PkiObject.rootKey, PkiObject.caPassword, PkiObject.intermediateKey]) {
          await refused(/already exists/, [...of('autocert-init'), 'create', 'secret', 'generic', secret]);
        }
        const token = {
          ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/service-account-token' },
          metadata: { name: 'ca-draft', annotations: { 'kubernetes.io/service-account.name': 'autocert-pki' } },
        };
        await refused(/Secrets of type Opaque only/, [...of('autocert-init'), 'create', '-f', '-'], token);
      },
    },
    {
      id: '23.3',
      name: "of the webhook's registration the signer's account changes caBundle and nothing else; it creates no other Lease",
      run: async () => {
        const webhook = '/webhooks/0';
        const patches: readonly (readonly object[])[] = [
          [
            { op: 'remove', path: `${webhook}/clientConfig/service` },
            { op: 'add', path: `${webhook}/clientConfig/url`, value: 'https://evil.example.com' },
          ],
          [{ op: 'replace', path: `${webhook}/clientConfig/service/name`, value: 'evil' }],
          [{ op: 'replace', path: `${webhook}/rules/0/resources`, value: ['secrets'] }],
          [{ op: 'replace', path: `${webhook}/failurePolicy`, value: 'Ignore' }],
          [{ op: 'remove', path: `${webhook}/namespaceSelector` }],
          [{ op: 'remove', path: `${webhook}/matchConditions` }],
          [{ op: 'replace', path: `${webhook}/name`, value: 'other.step.sm' }],
          [
            { op: 'copy', from: webhook, path: '/webhooks/1' },
            { op: 'replace', path: '/webhooks/1/name', value: 'other.step.sm' },
          ],
          [{ op: 'remove', path: '/webhooks' }],
          [{ op: 'add', path: '/metadata/finalizers', value: ['example.com/x'] }],
          [{ op: 'add', path: '/metadata/labels/x', value: 'y' }],
        ];
        const signer = as('autocert-signer');
        const only = /signer may change the caBundle of webhook autocert\.step\.sm only/;
        for (const patch of patches) await refused(only, [...signer, ...patched(REGISTRATION, patch)]);
        const bundle = await kubectl.run([
          ...['get', ...REGISTRATION, '-o', 'jsonpath={.webhooks[0].clientConfig.caBundle}'],
        ]);
        const remove = [{ op: 'remove', path: `${webhook}/clientConfig/caBundle` }];
        await kubectl.run([...signer, ...patched(REGISTRATION, remove), '--dry-run=server']);
        const replace = [{ op: 'replace', path: `${webhook}/clientConfig/caBundle`, value: bundle }];
        await kubectl.run([...signer, ...patched(REGISTRATION, replace)]);
        const lease = {
          ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
          metadata: { name: 'other', namespace: SYSTEM },
        };
        await refused(/may create the Lease autocert-signer only/, [...signer, 'create', '-f', '-'], lease);
      },
    },
    {
      id: '23.4',
      name: "nobody adds, removes or changes Autocert's annotations of a pod: not its owner, not its node, not by a Binding, with or without the label",
      run: async () => {
        await kubectl.apply([enabledNamespace(FIXED_NAMESPACE)]);
        const plain = testPod(FIXED_NAMESPACE, 'plain', { spec: { schedulingGates: [{ name: 'example.com/waits' }] } });
        await kubectl.apply([
          testPod(FIXED_NAMESPACE, 'web', {
            annotations: { [Annotation.name]: NAME, [Annotation.delivery]: 'sidecar' },
          }),
          plain,
        ]);
        const pod = await kubectl.ready(FIXED_NAMESPACE, 'app=web');
        const node = ['--as', `system:node:${pod.spec.nodeName}`, '--as-group', 'system:nodes'];
        const fixed = /annotation \\?"autocert\.step\.sm\/[a-z]+\\?" of a pod cannot be changed/;
        const attempts = async () => {
          for (const status of [[], ['--subresource=status']]) {
            for (const values of [
              { [Annotation.name]: OTHER },
              { [Annotation.name]: null },
              { [Annotation.sans]: OTHER },
              { [Annotation.status]: null },
            ]) {
              await refused(fixed, [...patched([...POD, ...status], annotations(values))]);
            }
          }
          const put = ['replace', '--raw', `/api/v1/namespaces/${FIXED_NAMESPACE}/pods/web/status`, '-f', '-', ...node];
          const now = await kubectl.json<Pod>(['get', ...POD]);
          const { resourceVersion: _, ...known } = now.metadata;
          await kubectl.run(put, { input: JSON.stringify({ ...now, metadata: known }) }); // as the node always does
          const changed = { ...known, annotations: { ...known.annotations, [Annotation.name]: OTHER } };
          await refused(fixed, put, { ...now, metadata: changed });
        };
        await attempts();
        const unlabelled = `${NAMESPACE_LABEL.key}-`;
        await kubectl.run(['label', 'namespace', FIXED_NAMESPACE, unlabelled]);
        await attempts();
        const marked = annotations({ [Annotation.name]: OTHER, [Annotation.status]: 'injected' });
        await refused(fixed, patched(['-n', FIXED_NAMESPACE, 'pod', 'plain'], marked));
        await kubectl.run(['label', 'namespace', FIXED_NAMESPACE, `${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`]);
        for (const path of ['bindings', 'pods/plain/binding']) {
          const binding = {
            ...{ apiVersion: 'v1', kind: 'Binding', target: { kind: 'Node', name: pod.spec.nodeName } },
            metadata: { name: 'plain', annotations: { [Annotation.name]: OTHER } },
          };
          const raw = ['create', '--raw', `/api/v1/namespaces/${FIXED_NAMESPACE}/${path}`, '-f', '-'];
          await refused(fixed, raw, binding);
        }
        const { metadata } = await kubectl.json<Pod>(['get', ...POD]);
        assert.deepEqual(metadata.annotations, pod.metadata.annotations);
      },
    },
    {
      id: '23.5',
      name: 'everything else of such a pod changes as always: labels, other annotations, status, finalizers; it is deleted',
      run: async () => {
        await kubectl.run(patched(POD, { metadata: { labels: { x: 'y' }, annotations: { 'example.com/x': 'y' } } }));
        await kubectl.run(patched([...POD, '--subresource=status'], { status: { message: 'looked at' } }));
        await kubectl.run(patched(POD, { metadata: { finalizers: ['example.com/waits'] } }));
        await kubectl.run(['-n', FIXED_NAMESPACE, 'delete', 'pod', 'web', '--wait=false']);
        await kubectl.run(patched(POD, { metadata: { finalizers: null } }));
        const isGone = async () => (await kubectl.try(['get', ...POD])).stderr.includes('NotFound');
        await waitFor('the pod to go', isGone, { timeoutMs: 60_000 });
        await kubectl.run(['delete', 'namespace', FIXED_NAMESPACE, '--wait=false']);
      },
    },
    {
      id: '23.6',
      name: "a token is where one is used: none in the CA's pod; those of webhook and signer are the API server's alone, for an hour",
      run: async () => {
        for (const { metadata, spec } of await kubectl.pods(SYSTEM, 'app in (ca, autocert, autocert-signer)')) {
          const mounts = spec.containers.flatMap(({ volumeMounts = [] }) =>
            volumeMounts.map(({ mountPath }) => mountPath),
          );
          const mounted = mounts.filter((path) => path === '/var/run/secrets/kubernetes.io/serviceaccount');
          assert.equal(mounted.length, metadata.labels?.app === 'ca' ? 0 : 1, metadata.name);
          const sources = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
          const tokens = sources.flatMap(({ serviceAccountToken }) => serviceAccountToken?.expirationSeconds ?? []);
          assert.deepEqual(tokens, metadata.labels?.app === 'ca' ? [] : [3600], metadata.name);
        }
      },
    },
    {
      id: '23.7',
      name: "the API server finds no fault with the expressions of Autocert's policies",
      run: async () => {
        interface Policies {
          readonly items: readonly {
            readonly metadata: { readonly name: string };
            readonly status?: { readonly typeChecking?: { readonly expressionWarnings?: readonly object[] } };
          }[];
        }
        const part = ['-l', 'app.kubernetes.io/part-of=autocert'];
        const policies = await waitFor('the policies to be checked', async () => {
          const found = await kubectl.json<Policies>(['get', 'validatingadmissionpolicies', ...part]);
          return found.items.every(({ status }) => status?.typeChecking) && found;
        });
        const warnings = policies.items.flatMap(({ metadata, status }) =>
          (status?.typeChecking?.expressionWarnings ?? []).map((warning) => ({ policy: metadata.name, warning })),
        );
        assert.deepEqual(warnings, []);
      },
    },
    ...(native ? [platformStep(context)] : []),
  ];
}

/** Needs policies that change pods, which are of Kubernetes 1.37 too. */
function platformStep(context: Context): Step {
  const { kubectl, scratch } = context;
  const folder = join(scratch, 'platform');
  const workloads = ['deployment/autocert', 'deployment/autocert-signer'];
  return {
    id: '23.8',
    long: true,
    name: `with userFromPlatform CA, Jobs, webhook, signer and agents run as whom the platform says, user ${PLATFORM_USER} and group 0`,
    run: async () => {
      await kubectl.apply(PLATFORM_POLICIES);
      try {
        await synthesize(folder, 'node test/e2e/platform-user.ts');
        await kubectl.run(['apply', '-f', join(folder, '0000-platform-ca.k8s.yaml')]);
        await kubectl.run(['apply', '-f', join(folder, '0002-autocert.k8s.yaml')]);
        for (const workload of workloads) await kubectl.rolledOut(SYSTEM, workload);
        const platform = ['-n', PLATFORM_NAMESPACE];
        await kubectl.run([...platform, 'wait', 'job', '--all', '--for=condition=Complete', '--timeout=90s']);
        await kubectl.rolledOut(PLATFORM_NAMESPACE, 'statefulset/ca');
        await kubectl.run([...platform, 'create', 'job', '--from=cronjob/autocert-pki', 'now']);
        await kubectl.run([...platform, 'wait', 'job/now', '--for=condition=Complete', '--timeout=90s']);
        await kubectl.run([
          'label',
          'namespace',
          PLATFORM_NAMESPACE,
          `${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`,
        ]);
        const name = `web.${PLATFORM_NAMESPACE}.svc.cluster.local`;
        const restricted = {
          ...{ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true },
          seccompProfile: { type: 'RuntimeDefault' },
        };
        await kubectl.apply([
          testPod(PLATFORM_NAMESPACE, 'web', {
            annotations: { [Annotation.name]: name, [Annotation.delivery]: 'sidecar' },
            container: { securityContext: restricted },
          }),
        ]);
        await kubectl.ready(PLATFORM_NAMESPACE, 'app=web');
        assertCertificate(await readFiles(kubectl, PLATFORM_NAMESPACE, 'web', 'main'), { name });
        for (const container of ['main', ContainerName.renewer]) {
          const look = [
            '/bin/sh',
            '-c',
            `/bin/busybox id -u; /bin/busybox id -g; /bin/busybox stat -c %u ${CERTIFICATE_DIR}/site.key`,
          ];
          const said = await kubectl.exec(PLATFORM_NAMESPACE, 'web', container, look);
          assert.equal(said.trim(), `${PLATFORM_USER}\n0\n${PLATFORM_USER}`, container);
        }
      } finally {
        await kubectl.try([
          'delete',
          'mutatingadmissionpolicy,mutatingadmissionpolicybinding,validatingadmissionpolicy,validatingadmissionpolicybinding',
          'e2e-platform',
        ]);
        await kubectl.run(['apply', '-f', manifestsOf(context)]);
        await kubectl.try(['annotate', 'namespace', PLATFORM_NAMESPACE, 'autocert.step.sm/allow-deletion=true']);
        await kubectl.try([
          'delete',
          '-f',
          join(folder, '0000-platform-ca.k8s.yaml'),
          '--ignore-not-found',
          '--wait=false',
        ]);
      }
      await installed(kubectl);
    },
  };
}
