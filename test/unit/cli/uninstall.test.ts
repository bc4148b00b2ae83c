import { type UninstallOptions, uninstall } from '../../../runtime/cli/uninstall/run.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { commandEffects } from '../../support/command-effects.ts';
import { ObjectStore, type Write } from '../../support/object-store.ts';
import { webhookConfig } from '../../support/reviews.ts';

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const NAMESPACE = '/api/v1/namespaces/step';
const WEB = '/apis/apps/v1/namespaces/shop/deployments/web';
const NAME = 'autocert.step.sm/name';
const OURS = { 'app.kubernetes.io/part-of': 'autocert' };

type Item = Record<string, unknown> & { metadata: Record<string, unknown> & { name: string } };
const named = (name: string, more: object = {}): Item => ({ metadata: { name, labels: OURS }, ...more });
const webhookOf = (namespace: string) => ({
  webhooks: [{ clientConfig: { service: { namespace, name: 'autocert' } } }],
});
const boundTo = (namespace: string, role: string) => ({ subjects: [{ namespace }], roleRef: { name: role } });
const workload = (name: string, annotations: object, more: object = {}): Item => ({
  metadata: { name, namespace: 'shop', ...more },
  spec: { template: { metadata: { annotations } } },
});

/** A collection: listed, and each of it there to be deleted and patched. */
function put(store: ObjectStore, path: string, items: readonly Item[], scope = path) {
  store.lists.set(path, items);
  for (const item of items) store.objects.set(`${scope}/${encodeURIComponent(item.metadata.name)}`, item);
}

const CONFIG = `${NAMESPACE}/configmaps/autocert-config`;
const configure = (store: ObjectStore, settings: object) =>
  store.objects.set(CONFIG, { data: { 'config.json': JSON.stringify({ ...webhookConfig(), ...settings }) } });

/** A cluster with Autocert in it, another installation beside it, and those who use it. */
function cluster() {
  const store = new ObjectStore();
  put(store, `${ADMISSION}/mutatingwebhookconfigurations`, [
    named('autocert', webhookOf('step')),
    named('other', webhookOf('elsewhere')),
  ]);
  const policies = ['autocert', 'autocert-annotations', 'autocert-signer', 'autocert-init-step', 'autocert-pki-step'];
  for (const plural of ['validatingadmissionpolicies', 'validatingadmissionpolicybindings']) {
    put(
      store,
      `${ADMISSION}/${plural}`,
      [...policies, 'autocert-pki-elsewhere'].map((name) => named(name)),
    );
  }
  put(store, `/apis/apps/v1/namespaces/step/deployments`, [named('autocert'), named('autocert-signer')]);
  put(store, `/apis/apps/v1/namespaces/step/statefulsets`, [named('ca')]);
  put(store, `/apis/batch/v1/namespaces/step/jobs`, [named('autocert-init-1')]);
  put(store, `${RBAC}/namespaces/step/roles`, [named('autocert')]);
  put(store, `${RBAC}/clusterrolebindings`, [
    named('autocert', boundTo('step', 'autocert')),
    named('other', boundTo('elsewhere', 'other')),
  ]);
  put(store, `${RBAC}/clusterroles`, [named('autocert'), named('other')]);
  put(store, '/apis/certificates.k8s.io/v1/clustertrustbundles', [named('autocert.step.sm:workload:root')]);
  put(store, '/api/v1/namespaces', [{ metadata: { name: 'shop', labels: { 'autocert.step.sm': 'enabled' } } }]);
  store.objects.set(NAMESPACE, { metadata: { name: 'step', labels: OURS } });
  configure(store, {});
  const shop = '/apis/apps/v1/namespaces/shop/deployments';
  put(
    store,
    '/apis/apps/v1/deployments',
    [
      workload('web', { [NAME]: 'web.shop.svc', 'autocert.step.sm/mode': '0600', other: 'stays' }),
      workload('plain', {}),
      workload('made', { [NAME]: 'made.shop.svc' }, { ownerReferences: [{ controller: true }] }),
      { ...workload('autocert', { 'autocert.step.sm/x': 'y' }), metadata: { name: 'autocert', namespace: 'step' } },
    ],
    shop,
  );
  store.lists.set('/api/v1/pods', [
    { metadata: { name: 'web-1', namespace: 'shop', annotations: { 'autocert.step.sm/status': 'injected' } } },
    { metadata: { name: 'plain-1', namespace: 'shop', annotations: {} } },
  ]);
  // What is deleted is listed no more.
  store.afterWrite = ({ method, path }: Write) => {
    if (method !== 'delete') return;
    const collection = path.slice(0, path.lastIndexOf('/'));
    const left = (store.lists.get(collection) as readonly Item[] | undefined)?.filter(
      ({ metadata }) => !path.endsWith(`/${encodeURIComponent(metadata.name)}`),
    );
    if (left) store.lists.set(collection, left);
  };
  return store;
}

async function run(store: ObjectStore, options: Partial<UninstallOptions> = {}) {
  const { text, effects } = commandEffects();
  const asked = { yes: false, deletePki: false, cleanAnnotations: false, timeout: '1m', autocertNamespace: 'step' };
  const world = { connect: () => ({ api: store }), ...effects };
  const failure = await uninstall({ ...asked, ...options }, world).catch((error: Error) => error);
  return { text: text(), failure };
}

const deleted = ({ writes }: ObjectStore) => writes.filter(({ method }) => method === 'delete').map(({ path }) => path);
const place = (store: ObjectStore, part: string) => store.writes.findIndex(({ path }) => path.includes(part));

describe('the label that is taken off', () => {
  const LABEL = { key: 'tls.example.com', value: 'on' };

  test('is that of the configuration', async () => {
    const store = cluster();
    configure(store, { namespaceLabel: LABEL });
    expect((await run(store)).text).toMatch(/^ {3}label {3}namespace\/shop tls\.example\.com-$/m);
    expect(store.calls).toContainEqual(expect.stringMatching(/namespaces$/));
  });

  test('is that of the webhook’s registration, where the configuration is gone', async () => {
    const store = cluster();
    store.objects.delete(CONFIG);
    const [webhook] = webhookOf('step').webhooks;
    const namespaceSelector = { matchLabels: { [LABEL.key]: LABEL.value } };
    put(store, `${ADMISSION}/mutatingwebhookconfigurations`, [
      named('autocert', { webhooks: [{ ...webhook, namespaceSelector }] }),
    ]);
    expect((await run(store)).text).toMatch(/^ {3}label {3}namespace\/shop tls\.example\.com-$/m);
  });

  test('is none where nothing says which it is: the usual one may be another installation’s', async () => {
    const store = cluster();
    store.objects.delete(CONFIG);
    const { text, failure } = await run(store, { yes: true });
    expect(failure).toBeUndefined();
    expect(text).toMatch(/Which label turned it on in namespaces is not known/);
    expect(store.writes.filter(({ method }) => method === 'patch')).toEqual([]);
  });
});

describe('an installation in another namespace', () => {
  test('goes without what belongs to that in the usual one', async () => {
    const store = cluster();
    const { text } = await run(store, { autocertNamespace: 'elsewhere' });
    expect(text).toMatch(/^ {3}delete {2}mutatingwebhookconfiguration\/other$/m);
    expect(text).not.toMatch(/delete {2}validatingadmissionpolicy\/autocert(-annotations|-signer)?$/m);
  });
});

describe('autocert uninstall without --yes', () => {
  test('writes nothing, and shows what would go, in order, and what stays', async () => {
    const store = cluster();
    const { text, failure } = await run(store);
    expect([failure, store.writes]).toEqual([undefined, []]);
    expect(text).toMatch(/--yes does it/);
    expect(text).toMatch(/^1\. no pod is injected any more\n {3}delete {2}mutatingwebhookconfiguration\/autocert$/m);
    expect(text).toMatch(/^2\. labels off\n {3}label {3}namespace\/shop autocert\.step\.sm-$/m);
    expect(text).toMatch(/^3\. what runs, and its rights\n {3}delete {2}deployment\/autocert$/m);
    expect(text).toMatch(/^Kept: namespace\/step with the Secrets.*ca-root-key/m);
    expect(text).toMatch(/^Injected pods: 1\. .*\n {2}shop\/web-1$/m);
    expect(text).toMatch(/^Templates with annotations autocert\.step\.sm\/…: 1\. .*--clean-annotations/m);
  });

  test('shows what more would go where more is asked for, and that the root key goes for good', async () => {
    const { text } = await run(cluster(), { deletePki: true, cleanAnnotations: true });
    expect(text).toMatch(
      /annotations .* out of templates.*new pods.*\n {3}patch {3}deployment\/web in namespace shop$/m,
    );
    expect(text).toMatch(/the root key goes for good\. Save it first: autocert pki backup/);
    expect(text).toMatch(
      /delete {2}namespace\/step\n {3}delete {2}validatingadmissionpolicybinding\/autocert-pki-step$/m,
    );
    expect(text).not.toContain('Kept:');
  });
});

describe('autocert uninstall --yes', () => {
  test('removes what injects first, then labels, then what runs, its rights, and what the signer would make again', async () => {
    const store = cluster();
    const { failure } = await run(store, { yes: true });
    expect(failure).toBeUndefined();
    const order = [
      'mutatingwebhookconfigurations/autocert',
      'validatingadmissionpolicies/autocert-annotations',
      '/api/v1/namespaces/shop',
      'deployments/autocert-signer',
      'roles/autocert',
      'clusterrolebindings/autocert',
      'clustertrustbundles/',
    ].map((part) => place(store, part));
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(Math.min(...order)).toBe(0);
  });

  test('keeps the namespace with the keys, and what guards it', async () => {
    const store = cluster();
    await run(store, { yes: true });
    expect(store.objects.has(NAMESPACE)).toBe(true);
    expect(deleted(store).filter((path) => /autocert-pki-|namespaces\/step$/.test(path))).toEqual([]);
  });

  test("leaves another installation's objects, and templates, as they are", async () => {
    const store = cluster();
    await run(store, { yes: true });
    expect(store.writes.filter(({ path }) => /other|elsewhere/.test(path))).toEqual([]);
    expect(place(store, '/deployments/web')).toBe(-1);
  });

  test('deletes the pods of Jobs, too', async () => {
    const store = cluster();
    const bodies: unknown[] = [];
    const request = store.request.bind(store);
    store.request = (method, path, options) => {
      if (method === 'DELETE') bodies.push(options?.body);
      return request(method, path, options);
    };
    await run(store, { yes: true });
    expect(new Set(bodies.map((body) => JSON.stringify(body)))).toEqual(
      new Set(['{"propagationPolicy":"Background"}']),
    );
  });

  test('takes the annotations out of templates when asked to, and no others', async () => {
    const store = cluster();
    const { text } = await run(store, { yes: true, cleanAnnotations: true });
    expect(store.objects.get(WEB)).toMatchObject({
      spec: { template: { metadata: { annotations: { other: 'stays' } } } },
    });
    expect(JSON.stringify(store.objects.get(WEB))).not.toContain('autocert.step.sm/');
    expect(store.writes.filter(({ path }) => /\/deployments\/(plain|made)$/.test(path))).toEqual([]);
    expect(text).toMatch(/that other objects make: 1\. Change those\.\n {2}deployment\/made/);
  });

  test('with --delete-pki has the namespace let go, and takes its guard away when it has gone', async () => {
    const store = cluster();
    const annotated: boolean[] = [];
    store.beforeWrite = ({ method, path }) => {
      if (method !== 'delete' || path !== NAMESPACE) return;
      annotated.push(JSON.stringify(store.objects.get(NAMESPACE)).includes('"autocert.step.sm/allow-deletion":"true"'));
    };
    const { text } = await run(store, { yes: true, deletePki: true });
    expect(annotated).toEqual([true]);
    expect(deleted(store).slice(-3)).toEqual([
      NAMESPACE,
      `${ADMISSION}/validatingadmissionpolicybindings/autocert-pki-step`,
      `${ADMISSION}/validatingadmissionpolicies/autocert-pki-step`,
    ]);
    expect(text).toContain('namespace/step and its keys are gone');
  });

  test('keeps the guard while the namespace does not go, and says why it does not', async () => {
    const store = cluster();
    const conditions = [{ status: 'True', message: 'a finalizer is left' }];
    store.afterWrite = ({ method, path }) => {
      const metadata = { name: 'step', labels: OURS };
      if (method === 'delete' && path === NAMESPACE) store.objects.set(path, { metadata, status: { conditions } });
    };
    const { failure } = await run(store, { yes: true, deletePki: true });
    expect(String(failure)).toMatch(/has not gone after 60 s: run this again\n {2}a finalizer is left/);
    expect(deleted(store).filter((path) => path.includes('autocert-pki'))).toEqual([]);
  });

  test('deletes no namespace that is not its own', async () => {
    const store = cluster();
    store.objects.set(NAMESPACE, { metadata: { name: 'step' } });
    const { failure } = await run(store, { yes: true, deletePki: true });
    expect([failure, store.writes]).toEqual([expect.objectContaining({ code: 'INVALID_INPUT' }), []]);
  });

  test('can be run again, and goes on where it was', async () => {
    const store = cluster();
    const path = `${RBAC}/namespaces/step/roles/autocert`;
    store.beforeWrite = (write) => {
      if (write.path === path) throw apiError(403, 'Forbidden', 'roles is forbidden');
    };
    expect((await run(store, { yes: true })).failure).toMatchObject({ code: 'FORBIDDEN' });
    store.beforeWrite = () => {};
    expect((await run(store, { yes: true })).failure).toBeUndefined();
    expect(deleted(store)).toContain(path);
    store.lists.set('/api/v1/namespaces', []); // they have no label any more
    const writes = store.writes.length;
    const { text } = await run(store, { yes: true });
    expect(text).toMatch(/^Nothing of it is left to remove\./);
    expect(store.writes).toHaveLength(writes);
  });

  test('says nothing of keys on a cluster without Autocert', async () => {
    expect((await run(new ObjectStore(), { yes: true, deletePki: true })).text).toBe(
      'Nothing of it is left to remove.\n',
    );
  });

  test('refuses what cannot be a namespace', async () => {
    const { failure } = await run(cluster(), { autocertNamespace: '../x' });
    expect(failure).toMatchObject({ code: 'INVALID_INPUT' });
  });
});
