import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Connection } from '../../../runtime/cli/cluster-connection.ts';
import type { Explanation } from '../../../runtime/cli/explain/explanation.ts';
import { type ExplainOptions, explainAll } from '../../../runtime/cli/explain/run.ts';
import { applyPatch } from '../../../runtime/cli/json-patch.ts';
import { painter } from '../../../runtime/cli/terminal.ts';
import { Annotation } from '../../../runtime/contract.ts';
import { sidecarPatch } from '../../../runtime/webhook/injection-patch.ts';
import { ObjectStore } from '../../support/object-store.ts';
import { annotations, policy } from '../../support/pods.ts';
import { type ConfigWithImage, sleepPod, webhookConfig } from '../../support/reviews.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-explain-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

let files = 0;
const file = (content: unknown) => {
  files += 1;
  const path = join(dir, `${files}.yaml`);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

type Call = Partial<Omit<ExplainOptions, 'config'>> & {
  readonly words?: readonly string[];
  readonly config?: Partial<ConfigWithImage> | string;
  readonly stdin?: string;
  readonly cluster?: ObjectStore;
  readonly contextNamespace?: string;
  readonly colour?: boolean;
};

/** Runs the command without a cluster, unless there is one. */
async function run({ words = [], config, stdin = '', cluster, contextNamespace, colour = false, ...options }: Call) {
  const connect = (): Connection => {
    if (!cluster) throw new Error('no cluster is to be asked');
    return { api: cluster, namespace: contextNamespace };
  };
  const given = typeof config === 'string' ? config : cluster && !config ? undefined : file(webhookConfig(config));
  const flags = { output: 'json', diff: false, autocertNamespace: 'step', ...(given && { config: given }), ...options };
  const effects = {
    connect,
    stdin: (async function* () {
      yield stdin;
    })(),
    paint: painter(colour),
  };
  return explainAll(words, flags as ExplainOptions, effects);
}
const items = async (call: Call): Promise<Explanation[]> => JSON.parse((await run(call)).text).items;
const one = async (call: Call): Promise<Explanation> => {
  const [first, ...more] = await items(call);
  if (!first || more.length > 0) throw new Error('not one');
  return first;
};
const failure = (call: Call): Promise<{ code: string; message: string }> =>
  run(call).then(
    () => ({ code: 'none', message: '' }),
    ({ code, message }) => ({ code, message }),
  );

const template = (values: Parameters<typeof annotations>[0] = { name: 'web.shop.svc' }, spec: object = {}) => ({
  metadata: { annotations: annotations(values) },
  spec: { containers: [{ name: 'web', image: 'i' }], ...spec },
});
const deployment = (...args: Parameters<typeof template>) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { template: template(...args) },
});
const named = (call: Call, ...args: Parameters<typeof template>) =>
  one({ filename: [file(deployment(...args))], ...call });

const ENABLED = { metadata: { labels: { 'autocert.step.sm': 'enabled' } } };
const cluster = (objects: Readonly<Record<string, unknown>> = {}, version = '37') => {
  const store = new ObjectStore();
  store.objects
    .set('/version', { major: '1', minor: version })
    .set('/api/v1/namespaces/shop', ENABLED)
    .set('/api/v1/namespaces/default', ENABLED)
    .set('/api/v1/namespaces/default/services/kubernetes', { spec: { clusterIP: '10.96.0.1' } })
    .set('/api/v1/namespaces/step/configmaps/autocert-config', {
      data: { 'config.json': JSON.stringify(webhookConfig()) },
    });
  for (const [path, object] of Object.entries(objects)) store.objects.set(path, object);
  return store;
};

describe('in report mode', () => {
  const config = { mode: 'report' } as const;

  test('what the rules refuse is reported: it would be created without a certificate', async () => {
    const { outcome, rule, reasons, notes } = await named({ config }, { name: 'web.other.svc' });
    expect({ outcome, rule, reasons }).toEqual({
      outcome: 'reported',
      rule: 'NotAllowed',
      reasons: [expect.stringContaining('"web.other.svc"')],
    });
    expect(notes).toEqual([expect.stringMatching(/report mode: it is created as it is, without a certificate/)]);
  });

  test('the exit code is that of a refusal: the rules are against it', async () => {
    const filename = [file(deployment({ name: 'web.other.svc' }))];
    expect((await run({ config, filename })).refused).toBe(true);
  });

  test('what the rules allow is injected', async () => {
    expect(await named({ config })).toMatchObject({ outcome: 'injected', notes: [] });
  });
});

describe('another label of namespaces', () => {
  const config = { namespaceLabel: { key: 'tls.example.com', value: 'on' } };

  test('is assumed where no cluster is asked', async () => {
    const filename = [file(deployment())];
    const {
      items: [only],
      assumptions,
    } = JSON.parse((await run({ config, filename })).text);
    expect(only).toMatchObject({ outcome: 'injected' });
    expect(assumptions.join()).toMatch(/labelled tls\.example\.com=on/);
  });

  test('is looked for in the cluster', async () => {
    const json = { data: { 'config.json': JSON.stringify(webhookConfig(config)) } };
    const labelled = (labels: object) =>
      cluster({
        '/api/v1/namespaces/step/configmaps/autocert-config': json,
        '/api/v1/namespaces/shop': { metadata: { labels } },
      });
    expect(await named({ cluster: labelled({ 'tls.example.com': 'on' }) })).toMatchObject({ outcome: 'injected' });
    expect(await named({ cluster: labelled({ 'autocert.step.sm': 'enabled' }) })).toMatchObject({
      outcome: 'left-alone',
      rule: 'NamespaceNotEnabled',
      reasons: [expect.stringMatching(/kubectl label namespace shop tls\.example\.com=on$/)],
    });
  });
});

describe('what is injected', () => {
  test('by the sidecar: agent, volumes, files, and which containers find them', async () => {
    expect(await named({ kubernetesVersion: '1.34' })).toMatchObject({
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web',
      outcome: 'injected',
      injection: {
        delivery: 'sidecar',
        sidecar: 'native',
        commonName: 'web.shop.svc',
        names: ['web.shop.svc'],
        lifetime: '24h',
        renewed: true,
        files: { folder: '/var/run/autocert.step.sm', mode: '0644', owner: '65532:65532' },
        adds: {
          initContainers: ['autocert-renewer'],
          containers: [],
          volumes: ['autocert-certs', 'autocert-token'],
        },
        mounts: ['web'],
      },
    });
  });

  test('by kubelet, where the cluster has pod certificates: no container', async () => {
    const { injection } = await named({ kubernetesVersion: 'v1.37.2' });
    expect(injection).toMatchObject({
      delivery: 'native',
      files: { mode: '0644', owner: '0:0' },
      adds: { initContainers: [], containers: [], volumes: ['autocert-certs'] },
    });
    expect(injection).not.toHaveProperty('sidecar');
  });

  test("the files have kubelet's mode and owner where the pod has fsGroup or one user", async () => {
    const ofGroup = await named({}, undefined, { securityContext: { fsGroup: 7 } });
    expect(ofGroup.injection?.files).toMatchObject({ mode: '0640', owner: '0:7' });
    const ofUser = await named({}, undefined, { securityContext: { runAsUser: 5 } });
    expect(ofUser.injection?.files).toMatchObject({ mode: '0600', owner: '5:0' });
  });

  test('by a classic pair before 1.29, and by an init container alone for bootstrapper-only', async () => {
    expect((await named({ kubernetesVersion: '1.28' })).injection).toMatchObject({
      sidecar: 'classic',
      adds: { initContainers: ['autocert-bootstrapper'], containers: ['autocert-renewer'] },
    });
    const values = { name: 'web.shop.svc', bootstrapperOnly: 'true', owner: '5:6', mode: '0400', duration: '30m' };
    expect((await named({ kubernetesVersion: '1.34' }, values)).injection).toMatchObject({
      sidecar: 'bootstrapper-only',
      renewed: false,
      lifetime: '30m',
      files: { mode: '0400', owner: '5:6' },
    });
  });

  test('is shown as a unified diff, on request only', async () => {
    const { diff = '' } = (await named({ diff: true })) as unknown as { diff: string };
    expect(diff.split('\n').slice(0, 2)).toEqual(['--- pod', '+++ pod, injected']);
    expect(diff).toMatch(/^@@ -2,8 \+2,28 @@$/m);
    expect(diff).toMatch(/^\+ {4}autocert\.step\.sm\/status: injected$/m);
    expect(diff).not.toMatch(/^-(?!--)/m);
    expect(await named({})).not.toHaveProperty('diff');
  });
});

describe('what is refused', () => {
  test("says by which rule, in the webhook's words, with what would allow it", async () => {
    const refused = await named({}, { name: 'web.other.svc' });
    expect(refused).toMatchObject({ outcome: 'refused', rule: 'NotAllowed' });
    expect(refused.reasons.join()).toMatch(
      /"web\.other\.svc" is not a name .*allowedNames of this namespace's AutocertNamespace/,
    );
  });

  test('is told of names that are taken, of deliveries that are not possible, of pods that are none', async () => {
    const taken = await named({}, undefined, { volumes: [{ name: 'autocert-certs' }] });
    expect(taken).toMatchObject({ outcome: 'refused', rule: 'Conflict' });
    const native = { name: 'web.shop.svc', delivery: 'native' };
    expect(await named({ kubernetesVersion: '1.34' }, native)).toMatchObject({ rule: 'DeliveryImpossible' });
    expect(await named({}, undefined, { containers: 'none' })).toMatchObject({
      outcome: 'refused',
      rule: 'InvalidPod',
      reasons: ['spec.containers must be a list of containers'],
    });
  });

  test('is what the exit code tells', async () => {
    expect((await run({ filename: [file(deployment())] })).refused).toBe(false);
    expect((await run({ filename: [file(deployment({ name: 'web.other.svc' }))] })).refused).toBe(true);
    expect((await run({ filename: [file(deployment({}))] })).refused).toBe(false);
  });

  test('is what the configuration makes of it: allowedNames allows, and reserved names stay reserved', async () => {
    const config = { namespaces: { shop: { allowedNames: ['*.example.com'] } } };
    expect(await named({ config }, { name: 'a.example.com' })).toMatchObject({ outcome: 'injected' });
    expect(await named({ config }, { name: 'kubernetes.default.svc' })).toMatchObject({ outcome: 'refused' });
  });
});

describe('what is left alone', () => {
  test.each([
    ['NoName', {}, {}],
    ['AlreadyInjected', {}, { name: 'web.shop.svc', status: 'injected' }],
    ['NamespaceExcluded', { config: { excludedNamespaces: ['shop'] } }, { name: 'web.shop.svc' }],
    ['NamespaceNotEnabled', { namespaceLabels: 'a=b' }, { name: 'web.shop.svc' }],
  ])('says why: %s', async (rule: string, call: Call, values: Parameters<typeof annotations>[0]) => {
    const { outcome, reasons, ...rest } = await named(call, values);
    expect({ outcome, rule: rest.rule }).toEqual({ outcome: 'left-alone', rule });
    expect(reasons.join()).not.toBe('');
  });

  test('says how to label the namespace, and what would come next', async () => {
    const { reasons } = await named({ namespaceLabels: '' }, { name: 'web.other.svc' });
    expect(reasons[0]).toMatch(/kubectl label namespace shop autocert\.step\.sm=enabled$/);
    expect(reasons[1]).toMatch(/is not a name that pods of namespace "shop" may have/);
  });

  test('counts the Namespace of the documents before what is assumed', async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: {} } };
    const filename = [file(`${JSON.stringify(deployment())}\n---\n${JSON.stringify(namespace)}\n`)];
    expect(await one({ filename })).toMatchObject({ rule: 'NamespaceNotEnabled' });
  });

  test('has the mirror pods of kubelet', async () => {
    const pod = sleepPod();
    const metadata = {
      ...pod.metadata,
      annotations: { ...pod.metadata.annotations, 'kubernetes.io/config.mirror': 'x' },
    };
    expect(await one({ filename: [file({ ...pod, metadata })] })).toMatchObject({ rule: 'MirrorPod' });
  });
});

describe('what is read', () => {
  test.each([
    ['StatefulSet', 'apps/v1', { spec: { template: template() } }],
    ['DaemonSet', 'apps/v1', { spec: { template: template() } }],
    ['ReplicaSet', 'apps/v1', { spec: { template: template() } }],
    ['Job', 'batch/v1', { spec: { template: template() } }],
    ['CronJob', 'batch/v1', { spec: { jobTemplate: { spec: { template: template() } } } }],
    ['ReplicationController', 'v1', { spec: { template: template() } }],
    ['PodTemplate', 'v1', { template: template() }],
    ['Pod', 'v1', template()],
  ])('has the pod of a %s', async (kind, apiVersion, { metadata, ...body }: { metadata?: object } & object) => {
    const object = { apiVersion, kind, metadata: { ...metadata, name: 'x', namespace: 'shop' }, ...body };
    expect(await one({ filename: [file(object)] })).toMatchObject({ kind, name: 'x', outcome: 'injected' });
  });

  test('are several documents, lists, lists without kinds, and standard input, in order', async () => {
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [deployment(), { kind: 'Service', metadata: { name: 'x' } }],
    };
    const pods = {
      apiVersion: 'v1',
      kind: 'PodList',
      items: [{ ...template(), metadata: { name: 'of-list', namespace: 'shop' } }],
    };
    const stdin = `---\n${JSON.stringify(list)}\n---\n# nothing\n---\n${JSON.stringify(pods)}\n`;
    const found = await items({ filename: ['-', 'examples/sleep.yaml'], stdin });
    expect(found.map(({ kind, name }) => `${kind}/${name}`)).toEqual([
      'Deployment/web',
      'Pod/of-list',
      'Deployment/sleep',
    ]);
  });

  test('passes over kinds of other groups that are named alike', async () => {
    const other = { apiVersion: 'batch.example.com/v1', kind: 'Job', metadata: {}, spec: { template: template() } };
    expect(await failure({ filename: [file(other)] })).toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/no pod is in it/),
    });
  });

  test('runs as the account that the pod names by the old field, too', async () => {
    const config = { namespaces: { shop: { serviceAccounts: { front: { allowedNames: ['front.example.com'] } } } } };
    const call = { config } as const;
    const values = { name: 'front.example.com' };
    expect(await named(call, values, { serviceAccount: 'front' })).toMatchObject({ outcome: 'injected' });
    expect(await named(call, values)).toMatchObject({ outcome: 'refused' });
  });

  test('takes the configuration from the manifests that synth writes', async () => {
    expect(await named({ config: 'dist/0001-autocert.k8s.yaml' })).toMatchObject({ outcome: 'injected' });
  });

  test('goes without a webhook by the configuration of the signer: natively, or not at all', async () => {
    const data = { 'config.json': JSON.stringify(policy()) };
    const config = file({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'autocert-signer-config' }, data });
    expect(await named({ config })).toMatchObject({ outcome: 'injected', injection: { delivery: 'native' } });
    const sidecar = await named({ config }, { name: 'web.shop.svc', delivery: 'sidecar' });
    expect(sidecar).toMatchObject({
      outcome: 'refused',
      rule: 'DeliveryImpossible',
      reasons: [expect.stringContaining('no webhook')],
    });
    expect(await named({ config, kubernetesVersion: '1.36' })).toMatchObject({ rule: 'DeliveryImpossible' });
  });

  test.each([
    ['a device without end', { filename: ['/dev/zero'] }, /larger than 16777216 bytes/],
    ['a file that is not there', { filename: ['/nowhere.yaml'] }, /cannot read \/nowhere\.yaml/],
    ['what is no YAML', { filename: ['-'], stdin: '{a: [}' }, /standard input is not YAML/],
    ['nothing', {}, /name what to explain/],
    ['a file without a pod', { filename: ['-'], stdin: 'kind: Service' }, /no pod is in it/],
    ['brackets without end', { filename: ['-'], stdin: '['.repeat(100_000) }, /nested deeper than 64/],
    ['dashes without end', { filename: ['-'], stdin: '- '.repeat(100_000) }, /nested deeper than 64/],
    ['too many documents', { filename: ['-'], stdin: '---\n'.repeat(1_001) }, /more than 1000 documents/],
    ['too much YAML', { filename: ['-'], stdin: `a: ${'x'.repeat(2 << 20)}` }, /larger than 2097152 characters/],
    ['too much of anything', { filename: ['-'], stdin: 'x'.repeat((16 << 20) + 1) }, /larger than 16777216 bytes/],
    [
      'an alias bomb',
      {
        filename: ['-'],
        stdin: `a: &a [${'x,'.repeat(9)}]\n${[...'bcdefg'].map((name, index) => `${name}: &${name} [${`*${'abcdef'[index]},`.repeat(9)}]`).join('\n')}`,
      },
      /is not YAML: Excessive alias count/,
    ],
    ['standard input twice', { filename: ['-', '-'] }, /can be read once/],
    [
      'a wrong version',
      { filename: ['examples/sleep.yaml'], kubernetesVersion: 'new' },
      /"new" is not a version of Kubernetes/,
    ],
    ['wrong labels', { filename: ['examples/sleep.yaml'], namespaceLabels: 'a' }, /write key=value/],
    ['a wrong namespace', { filename: ['examples/sleep.yaml'], namespace: 'A b' }, /cannot be a namespace/],
    [
      'a file that is no configuration',
      { filename: ['examples/sleep.yaml'], config: 'examples/sleep.yaml' },
      /has no ConfigMap autocert-config/,
    ],
    ['a word without a kind', { words: ['web'] }, /write KIND\/NAME/],
    ['a kind without pods', { words: ['service/web'] }, /"service" has no pods: the kind is one of pod, deployment/],
    ['what cannot be a name', { words: ['pod/a b'] }, /cannot be a name/],
  ] as const)('refuses %s, and says so in one sentence', async (_, call: Call, message) => {
    const refused = await failure(call);
    expect(refused.message).toMatch(message);
    expect(refused.code).toBe('INVALID_INPUT');
  });

  test('tells every fault of a configuration, with the file', async () => {
    const refused = await failure({ filename: ['examples/sleep.yaml'], config: { delivery: 'x' as 'auto', port: -1 } });
    expect(refused).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/port: must be[\s\S]*delivery: must be one of/),
    });
  });
});

describe('of a cluster', () => {
  const WEB = '/apis/apps/v1/namespaces/shop/deployments/web';

  test("reads the object, the webhook's configuration, the namespace's label, and what the API server can do", async () => {
    const store = cluster({ [WEB]: deployment() }, '34');
    expect(await one({ words: ['deploy/web'], cluster: store, namespace: 'shop' })).toMatchObject({
      outcome: 'injected',
      injection: { delivery: 'sidecar' },
    });
    expect(store.writes).toEqual([]);
  });

  test("takes the namespace from the kubeconfig's context", async () => {
    const store = cluster({ [WEB]: deployment() });
    expect(await one({ words: ['deployments.apps/web'], cluster: store, contextNamespace: 'shop' })).toMatchObject({
      namespace: 'shop',
    });
  });

  test('sees a namespace without the label', async () => {
    const store = cluster({ [WEB]: deployment(), '/api/v1/namespaces/shop': { metadata: { labels: {} } } });
    expect(await one({ words: ['deploy/web'], cluster: store, namespace: 'shop' })).toMatchObject({
      rule: 'NamespaceNotEnabled',
    });
  });

  test("reserves the API server's address, as the running webhook does", async () => {
    const config = webhookConfig({ namespaces: { shop: { allowedNames: ['10.0.0.0/8'] } } });
    const store = cluster({
      [WEB]: deployment({ name: 'web.shop.svc', sans: '10.96.0.1' }),
      '/api/v1/namespaces/step/configmaps/autocert-config': { data: { 'config.json': JSON.stringify(config) } },
    });
    const refused = await one({ words: ['deploy/web'], cluster: store, namespace: 'shop' });
    expect(refused.reasons.join()).toMatch(/"10\.96\.0\.1" is reserved/);
  });

  test('says of a pod that is injected already what a new one gets, and keeps Autocert out of the comparison', async () => {
    const pod = sleepPod();
    const settings = { agent: webhookConfig().agent, autocertUrl: 'https://a', anchors: ['x'], hostAliases: '' };
    const spec = { sans: ['a'], initFirst: false, bootstrapperOnly: false, delivery: 'auto' } as const;
    const injected = applyPatch(pod, sidecarPatch(settings)(pod, spec, 'native'));
    expect(injected.metadata.annotations?.[Annotation.status]).toBe('injected');
    const store = cluster({ '/api/v1/namespaces/default/pods/sleep-1': injected }, '34');
    const explained = await one({ words: ['pod/sleep-1'], cluster: store });
    expect(explained).toMatchObject({
      outcome: 'injected',
      notes: ['it is injected already: this is what a new pod in its place gets'],
      injection: { adds: { initContainers: ['autocert-renewer'] }, mounts: ['sleep'] },
    });
  });

  test('says of an injected pod that lost its right that it gets no next certificate', async () => {
    const injected = sleepPod({ status: 'injected', name: 'x.other.svc' });
    const store = cluster({ '/api/v1/namespaces/default/pods/sleep-1': injected });
    const explained = await one({ words: ['pod/sleep-1'], cluster: store });
    expect(explained).toMatchObject({ outcome: 'refused', notes: [expect.stringMatching(/gets no next one/)] });
  });

  test('says of an annotated pod without a certificate that it was created before', async () => {
    const store = cluster({ '/api/v1/namespaces/default/pods/sleep-1': sleepPod() });
    expect((await one({ words: ['po/sleep-1'], cluster: store })).notes.join()).toMatch(/have it created anew/);
  });

  test('without a webhook goes by what the signer has', async () => {
    const store = cluster({
      '/api/v1/namespaces/step/configmaps/autocert-signer-config': {
        data: { 'config.json': JSON.stringify(policy()) },
      },
      '/apis/certificates.k8s.io/v1': {
        resources: [{ name: 'podcertificaterequests' }, { name: 'clustertrustbundles' }],
      },
      [WEB]: deployment(),
    });
    store.objects.delete('/api/v1/namespaces/step/configmaps/autocert-config');
    expect(await one({ words: ['deploy/web'], cluster: store, namespace: 'shop' })).toMatchObject({
      injection: { delivery: 'native' },
    });
  });

  test('names the object, the ConfigMap or the flag that is missing', async () => {
    expect(await failure({ words: ['pod/x'], cluster: cluster() })).toMatchObject({
      code: 'INVALID_INPUT',
      message: 'there is no pod/x in namespace default: -n names another',
    });
    const elsewhere = { words: ['pod/x'], cluster: cluster(), autocertNamespace: 'pki' };
    expect((await failure(elsewhere)).message).toMatch(
      /there is no configmap\/autocert-config of namespace pki: .*--autocert-namespace/,
    );
  });

  test('needs none for files with a configuration, and says so where it has none', async () => {
    const refused = await explainAll(
      [],
      { filename: ['examples/sleep.yaml'], output: 'json', diff: false, autocertNamespace: 'step' },
      {
        connect: () => {
          throw new Error('no kubeconfig');
        },
        stdin: (async function* () {})(),
        paint: painter(false),
      },
    ).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringMatching(/-f with --config FILE does without/),
    });
  });
});

describe('what is shown', () => {
  const both = () => [file(deployment()), file(deployment({ name: 'web.other.svc' }))];

  test('is a table when there are several, with a few lines on each, and what was assumed', async () => {
    const { text } = await run({ filename: both(), output: 'table' });
    expect(text).toMatch(/^NAMESPACE +OBJECT +OUTCOME +RULE/);
    expect(text).toMatch(/^shop +deployment\/web +refused +NotAllowed/m);
    expect(text).toMatch(/^deployment\/web in namespace shop: injected$/m);
    expect(text).toMatch(/^assumed: Kubernetes 1\.37/m);
  });

  test('is no table for one', async () => {
    const { text } = await run({ filename: ['examples/sleep.yaml'], output: 'table', diff: true });
    expect(text).toMatch(/^deployment\/sleep in namespace default: injected\n/);
    expect(text).toMatch(/^\+ +autocert\.step\.sm\/status: injected$/m);
  });

  test('has colour only where it is wanted, and nothing of a manifest moves the cursor', async () => {
    const evil = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a\u001b[31m\u009b\u202e', annotations: annotations({ name: 'a\u001b[2J' }) },
      spec: { containers: [] },
    };
    const call = { filename: [file(evil)], output: 'table', diff: true } as const;
    expect((await run(call)).text).not.toMatch(/[\p{Cf}\x80-\x9f]|\p{Cc}(?<!\n)/u);
    expect((await run({ ...call, colour: true })).text).toContain('\u001b[');
  });

  test('is the same as YAML as it is as JSON', async () => {
    const filename = both();
    const [json, yaml] = await Promise.all((['json', 'yaml'] as const).map((output) => run({ filename, output })));
    expect(parse(yaml?.text ?? '')).toEqual(JSON.parse(json?.text ?? ''));
  });
});

describe('as a program', () => {
  const MAIN = ['runtime/cli/main.ts', 'explain'];
  const program = (...args: string[]) => {
    const env = { ...process.env, KUBECONFIG: join(dir, 'none'), NODE_OPTIONS: '' };
    return spawnSync(process.execPath, [...MAIN, ...args], { encoding: 'utf8', env });
  };
  const offline = ['--config', 'dist/0001-autocert.k8s.yaml'];

  test('it ends with 0, 1, 2 or 3, as its help says', () => {
    const refused = file(deployment({ name: 'web.other.svc' }));
    const kubeconfig = file({
      'current-context': 'a',
      contexts: [
        { name: 'a', context: { cluster: 'a', user: 'a' } },
        { name: 'b', context: { cluster: 'a', user: 'a' } },
      ],
      clusters: [{ name: 'a', cluster: { server: 'http://127.0.0.1:1' } }],
      users: [{ name: 'a', user: { token: 'x' } }],
    });
    const ends = [
      program('-f', 'examples/sleep.yaml', ...offline),
      program('-f', refused, ...offline),
      program('-f', '/nowhere', ...offline),
      program('--no-such-flag'),
      program('pod/web'),
      program('pod/web', '--kubeconfig', kubeconfig, '--context', 'c'),
      program('pod/web', '--kubeconfig', kubeconfig, '--context', 'b'),
    ];
    expect(ends.map(({ status }) => status)).toEqual([0, 1, 2, 2, 2, 2, 3]);
    expect(ends[5]?.stderr).toContain('there is no context "c"');
    expect(ends.slice(2).map(({ stdout }) => stdout)).toEqual(['', '', '', '', '']);
    expect(ends[0]?.stdout).not.toContain('\u001b');
  });

  test('it says nothing when its reader has gone', async () => {
    const many = file(Array.from({ length: 200 }, () => JSON.stringify(deployment())).join('\n---\n'));
    const child = spawn(process.execPath, [...MAIN, '-f', many, '--diff', ...offline], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    child.stdout.destroy();
    const [status] = await once(child, 'close');
    expect({ status, said }).toEqual({ status: 0, said: expect.not.stringContaining('EPIPE') });
  });
});
