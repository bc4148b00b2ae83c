import { parse } from 'yaml';
import { type StatusOptions, status } from '../../../runtime/cli/status/run.ts';
import { painter } from '../../../runtime/cli/terminal.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { issuedMessage } from '../../../runtime/step-ca/audit.ts';
import { fingerprintOf, validityOf } from '../../../runtime/x509/certificate.ts';
import { ObjectStore } from '../../support/object-store.ts';
import { runningPod } from '../../support/pods.ts';
import { webhookConfig } from '../../support/reviews.ts';
import { hierarchy } from '../../support/tiny-ca.ts';

const { root, intermediate } = hierarchy();
const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const POLICY = `${REGISTRATION}/validatingadmissionpolicies/autocert`;
const WEBHOOK = `${REGISTRATION}/mutatingwebhookconfigurations/autocert`;
const SHOP = '/api/v1/namespaces/shop/pods';
const REQUESTS = '/apis/certificates.k8s.io/v1/namespaces/shop/podcertificaterequests';
const CREATED = '2026-11-01T00:00:00Z';

const injectedPod = (name: string, volume: object) =>
  runningPod(
    { status: 'injected' },
    {
      metadata: {
        name,
        uid: `uid-${name}`,
        creationTimestamp: CREATED,
        annotations: { ...runningPod({ status: 'injected' }).metadata?.annotations },
      },
      spec: { volumes: [{ name: 'autocert-certs', ...volume }] },
    },
  );

/** A cluster in which all is well. */
function cluster() {
  const store = new ObjectStore();
  const workload = (ready: number) => ({ spec: { replicas: 2 }, status: { readyReplicas: ready } });
  store.objects
    .set('/apis/apps/v1/namespaces/step/statefulsets/ca', { spec: { replicas: 1 }, status: { readyReplicas: 1 } })
    .set('/apis/apps/v1/namespaces/step/deployments/autocert', workload(2))
    .set('/apis/apps/v1/namespaces/step/deployments/autocert-signer', workload(2))
    .set('/api/v1/namespaces/step/configmaps/ca-certs', { data: { 'root_ca.crt': root.certificatePem } })
    .set(WEBHOOK, { webhooks: [{ clientConfig: { caBundle: 'x' } }] })
    .set(POLICY, {})
    .set(`${REGISTRATION}/validatingadmissionpolicybindings/autocert`, {});
  store.lists.set(SHOP, [
    injectedPod('a-native', { projected: {} }),
    injectedPod('b-sidecar', { emptyDir: {} }),
    runningPod({}, { metadata: { name: 'c-plain' } }),
    { metadata: { name: 'd-unannotated', namespace: 'shop' }, spec: {} },
  ]);
  return store;
}

const show = (store: ObjectStore, options: Partial<StatusOptions> = {}, colour = false, now = new Date()) =>
  status(
    { namespace: 'shop', allNamespaces: false, output: 'json', autocertNamespace: 'step', ...options },
    { connect: () => ({ api: store }), now, paint: painter(colour) },
  );
const told = async (...args: Parameters<typeof show>) => JSON.parse(await show(...args));

describe('the status of Autocert itself', () => {
  test('has its three parts with the replicas that are ready, and writes nothing', async () => {
    const store = cluster();
    const { installation } = await told(store);
    expect(installation.parts).toEqual([
      { name: 'CA', object: 'statefulset/ca', presence: 'there', ready: 1, wanted: 1 },
      { name: 'webhook', object: 'deployment/autocert', presence: 'there', ready: 2, wanted: 2 },
      { name: 'signer', object: 'deployment/autocert-signer', presence: 'there', ready: 2, wanted: 2 },
    ]);
    expect(store.writes).toEqual([]);
  });

  test('has each root with its end and its fingerprint', async () => {
    const { installation } = await told(cluster());
    expect(installation.roots).toEqual([
      {
        name: expect.any(String),
        notAfter: validityOf(root.certificatePem).notAfter.toISOString(),
        fingerprint: fingerprintOf(root.certificatePem),
      },
    ]);
  });

  test('has each intermediate, and which root has issued it', async () => {
    const store = cluster();
    const data = { 'root_ca.crt': root.certificatePem, 'intermediate_ca.crt': intermediate.certificatePem };
    store.objects.set('/api/v1/namespaces/step/configmaps/ca-certs', { data });
    expect((await told(store)).installation.intermediates).toEqual([
      {
        name: expect.any(String),
        notAfter: validityOf(intermediate.certificatePem).notAfter.toISOString(),
        fingerprint: fingerprintOf(intermediate.certificatePem),
        issuer: fingerprintOf(root.certificatePem),
      },
    ]);
    const stray = { 'root_ca.crt': '', 'intermediate_ca.crt': intermediate.certificatePem };
    store.objects.set('/api/v1/namespaces/step/configmaps/ca-certs', { data: stray });
    expect((await told(store)).installation.intermediates[0]).not.toHaveProperty('issuer');
  });

  test('leaves out of the roots what is no certificate', async () => {
    const store = cluster();
    const unreadable = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const data = { 'root_ca.crt': unreadable + root.certificatePem };
    store.objects.set('/api/v1/namespaces/step/configmaps/ca-certs', { data });
    expect((await told(store)).installation.roots).toHaveLength(1);
  });

  test('says report mode and a label of its own, and nothing of what is usual', async () => {
    const store = cluster();
    const path = '/api/v1/namespaces/step/configmaps/autocert-config';
    const configure = (settings: object) =>
      store.objects.set(path, { data: { 'config.json': JSON.stringify({ ...webhookConfig(), ...settings }) } });
    configure({});
    expect(await show(store, { output: 'table' })).not.toMatch(/report|turns Autocert on/);
    configure({ mode: 'report', namespaceLabel: { key: 'tls.example.com', value: 'on' } });
    expect((await told(store)).installation.settings).toEqual({ namespaceLabel: 'tls.example.com=on', mode: 'report' });
    const text = await show(store, { output: 'table' });
    expect(text).toMatch(/^ {2}label +tls\.example\.com=on /m);
    expect(text).toMatch(/^ {2}mode +report +pods that the rules refuse are created, without a certificate$/m);
  });

  test('tells what is not there from what may not be read', async () => {
    const store = cluster();
    store.objects.delete('/apis/apps/v1/namespaces/step/statefulsets/ca');
    store.failures.set(WEBHOOK, apiError(403, 'Forbidden', 'no'));
    const { installation } = await told(store);
    expect(installation.parts[0]).toEqual({ name: 'CA', object: 'statefulset/ca', presence: 'missing' });
    expect(installation.registrations[0]).toMatchObject({ presence: 'unknown' });
  });

  test('sees a webhook without caBundle and a policy without binding', async () => {
    const store = cluster();
    store.objects.set(WEBHOOK, { webhooks: [{ clientConfig: {} }] });
    store.objects.delete(`${REGISTRATION}/validatingadmissionpolicybindings/autocert`);
    const problems = (await told(store)).installation.registrations.map(({ problem }: { problem?: string }) => problem);
    expect(problems.slice(0, 3)).toEqual([
      expect.stringContaining('no caBundle'),
      undefined,
      expect.stringContaining('no validatingadmissionpolicybinding'),
    ]);
  });
});

describe('the status of pods', () => {
  test('has those that ask for a certificate: how they get it, since when, and whether at all', async () => {
    const { pods, more } = await told(cluster());
    const gist = pods.map(({ name, injected, delivery, since }: Record<string, unknown>) => [
      name,
      injected,
      delivery,
      since,
    ]);
    expect(gist).toEqual([
      ['a-native', true, 'native', CREATED],
      ['b-sidecar', true, 'sidecar', CREATED],
      ['c-plain', false, undefined, undefined],
    ]);
    expect(more).toBe(false);
  });

  test("has what the newest of kubelet's requests says", async () => {
    const store = cluster();
    const request = (creationTimestamp: string, requestStatus: object) => ({
      metadata: { namespace: 'shop', creationTimestamp },
      spec: { podUID: 'uid-a-native' },
      status: requestStatus,
    });
    const denied = { conditions: [{ type: 'Denied', message: 'not allowed' }] };
    const issued = { conditions: [{ type: 'Issued', message: 'ok' }], notAfter: 'T2', beginRefreshAt: 'T1' };
    store.lists.set(REQUESTS, [request('2026-11-02T00:00:00Z', issued), request(CREATED, denied)]);
    expect((await told(store)).pods[0].request).toEqual({ state: 'Issued', notAfter: 'T2', renewsAt: 'T1' });
    store.lists.set(REQUESTS, [request('2026-11-03T00:00:00Z', denied)]);
    expect((await told(store)).pods[0].request).toEqual({ state: 'Denied', message: 'not allowed' });
    store.lists.set(REQUESTS, [request('2026-11-03T00:00:00Z', {})]);
    expect((await told(store)).pods[0].request).toEqual({ state: 'Pending' });
  });

  describe("has of an agent what the webhook's Events tell", () => {
    const EVENTS = '/api/v1/namespaces/shop/events';
    const event = (lastTimestamp: string, rest: object) => ({
      involvedObject: { kind: 'Pod', uid: 'uid-b-sidecar' },
      lastTimestamp,
      ...rest,
    });
    const issued = (at: string, notAfter: string, serial = 'AB12') => {
      const issuance = { names: ['a.shop.svc'], serial, notAfter: new Date(notAfter), purpose: 'renewal' } as const;
      return event(at, { type: 'Normal', reason: 'CertificateIssued', message: issuedMessage(issuance) });
    };
    const refused = (at: string) => event(at, { type: 'Warning', reason: 'NotAllowed', message: 'no such name' });
    const [MORNING, NOON, NIGHT] = ['06', '12', '23'].map((hour) => `2026-11-02T${hour}:00:00.000Z`) as [
      string,
      string,
      string,
    ];
    const sidecar = async (...events: readonly object[]) => {
      const store = cluster();
      store.lists.set(EVENTS, events);
      return (await told(store)).pods[1];
    };

    test('its last certificate', async () => {
      const { certificate, warning } = await sidecar(issued(NOON, NIGHT, 'CD34'), issued(MORNING, NOON));
      expect([certificate, warning]).toEqual([{ serial: 'CD34', issuedAt: NOON, notAfter: NIGHT }, undefined]);
    });

    test('why it got none, as long as none came after that', async () => {
      expect((await sidecar(issued(MORNING, NIGHT), refused(NOON))).warning).toEqual({
        reason: 'NotAllowed',
        message: 'no such name',
        at: NOON,
      });
      expect((await sidecar(refused(MORNING), issued(NOON, NIGHT))).warning).toBeUndefined();
    });

    test('nothing where they say anything else, or may not be read', async () => {
      const forged = [
        event(NOON, {
          type: 'Normal',
          reason: 'CertificateIssued',
          message: 'certificate <b> for x, valid until never',
        }),
        event('never', { type: 'Warning', reason: 'NotAllowed', message: 'x' }),
        { type: 'Warning', reason: 'NotAllowed', lastTimestamp: NOON },
      ];
      const pod = await sidecar(...forged);
      expect([pod.certificate, pod.warning]).toEqual([undefined, undefined]);
      const store = cluster();
      store.failures.set(EVENTS, apiError(403, 'Forbidden', 'no'));
      expect((await told(store)).pods).toHaveLength(3);
    });

    test('in the table, too', async () => {
      const store = cluster();
      store.lists.set(EVENTS, [issued(MORNING, NIGHT)]);
      expect(await show(store, { output: 'table' })).toMatch(/^shop +b-sidecar .* until 2026-11-02T23:00:00\.000Z$/m);
      store.lists.set(EVENTS, [refused(NOON)]);
      expect(await show(store, { output: 'table' })).toMatch(/^shop +b-sidecar .* NotAllowed: no such name$/m);
    });
  });

  describe('of another installation in the same cluster', () => {
    const sidecar = (name: string, namespace: string) =>
      runningPod(
        { status: 'injected' },
        {
          metadata: { ...injectedPod(name, {}).metadata, namespace: 'shop' },
          spec: {
            initContainers: [
              {
                name: 'autocert-renewer',
                env: [{ name: 'AUTOCERT_URL', value: `https://autocert.${namespace}.svc:4444` }],
              },
            ],
          },
        },
      );
    const registration = (name: string, namespace: string, matchLabels: object) => ({
      metadata: { name },
      webhooks: [
        {
          name: 'autocert.step.sm',
          rules: [{ apiGroups: [''], resources: ['pods'], operations: ['CREATE'] }],
          clientConfig: { service: { namespace, name: 'autocert' } },
          namespaceSelector: { matchLabels },
        },
      ],
    });
    /** Beside an installation in namespace `tls`, whose webhook goes by another label. */
    const beside = (labels: object) => {
      const store = cluster();
      store.lists
        .set(SHOP, [
          sidecar('a-ours', 'step'),
          sidecar('b-theirs', 'tls'),
          runningPod({}, { metadata: { name: 'c-plain' } }),
        ])
        .set(`${REGISTRATION}/mutatingwebhookconfigurations`, [
          registration('autocert', 'step', { 'autocert.step.sm': 'enabled' }),
          registration('autocert.tls', 'tls', { 'tls.example.com': 'on' }),
        ]);
      store.objects.set('/api/v1/namespaces/shop', { metadata: { name: 'shop', labels } });
      return store;
    };
    const names = async (store: ObjectStore, options?: Partial<StatusOptions>) =>
      (await told(store, options)).pods.map(({ name }: { name: string }) => name);

    test('is not told, but how many there are, and of which one', async () => {
      const store = beside({ 'autocert.step.sm': 'enabled' });
      store.objects.set('/api/v1/namespaces/tls/configmaps/autocert-config', {
        data: {
          'config.json': JSON.stringify({
            ...webhookConfig(),
            namespaceLabel: { key: 'tls.example.com', value: 'on' },
          }),
        },
      });
      expect(await names(store)).toEqual(['a-ours', 'c-plain']);
      expect(await names(store, { autocertNamespace: 'tls' })).toEqual(['b-theirs']);
      expect((await told(store)).others).toEqual([{ kind: 'autocert', namespace: 'tls', pods: 1 }]);
      expect(await show(store, { output: 'table' })).toMatch(
        /\n\nOf other installations, and not told of here: 1 of Autocert in namespace tls\n$/,
      );
    });

    test('goes by the label of the namespace where a pod is not injected', async () => {
      expect(await names(beside({ 'tls.example.com': 'on' }))).toEqual(['a-ours']);
      expect(await names(beside({}))).toEqual(['a-ours', 'c-plain']);
      const both = { 'autocert.step.sm': 'enabled', 'tls.example.com': 'on' };
      expect(await names(beside(both))).toEqual(['a-ours', 'c-plain']);
      const unseen = beside({ 'tls.example.com': 'on' });
      unseen.failures.set('/api/v1/namespaces/shop', apiError(403, 'Forbidden', 'no'));
      expect(await names(unseen)).toEqual(['a-ours', 'c-plain']);
    });

    test('costs no question as long as every pod tells whose it is', async () => {
      const store = beside({});
      store.lists.set(SHOP, [sidecar('a-ours', 'step'), sidecar('b-theirs', 'tls')]);
      await show(store);
      expect(store.calls.filter((call) => /\/shop$|webhookconfigurations$/.test(call))).toEqual([]);
    });
  });

  test('is told without requests, where there is no such API or it may not be read', async () => {
    for (const code of [403, 404]) {
      const store = cluster();
      store.failures.set(REQUESTS, apiError(code, 'No', 'no'));
      expect((await told(store)).pods).toHaveLength(3);
    }
  });

  test('is of one namespace, of all, or of that of the kubeconfig', async () => {
    const store = cluster();
    store.lists.set('/api/v1/pods', [injectedPod('x', { projected: {} })]);
    expect((await told(store, { allNamespaces: true, namespace: undefined })).pods).toHaveLength(1);
    const effects = { connect: () => ({ api: store, namespace: 'shop' }), now: new Date(), paint: painter(false) };
    const options = { allNamespaces: false, output: 'json', autocertNamespace: 'step' } as const;
    expect(JSON.parse(await status(options, effects)).pods).toHaveLength(3);
  });

  test('ends where there are too many, and says so', async () => {
    const store = cluster();
    store.lists.set(
      SHOP,
      Array.from({ length: 10_001 }, () => runningPod()),
    );
    const { pods, more } = await told(store);
    expect([pods.length, more]).toEqual([10_000, true]);
    expect(await show(store, { output: 'table' })).toMatch(/more than these 10000: -n names one namespace/);
  });

  test('is refused with the words of the API server, where pods may not be listed', async () => {
    const store = cluster();
    store.failures.set(SHOP, apiError(403, 'Forbidden', 'pods is forbidden'));
    await expect(show(store)).rejects.toMatchObject({ code: 'FORBIDDEN', message: 'pods is forbidden' });
  });
});

describe('what is shown', () => {
  test('is a few lines on Autocert, and a table of pods', async () => {
    const text = await show(cluster(), { output: 'table' });
    expect(text).toMatch(/^Autocert in namespace step\n {2}CA +statefulset\/ca +1 of 1 ready$/m);
    expect(text).toMatch(/^ {2}root .* until \d{4}-\d\d-\d\d \(in \d+ days\), SHA-256 [0-9a-f]{64}$/m);
    expect(text).toMatch(/^ {2}admission +mutatingadmissionpolicy\/autocert +not there$/m);
    expect(text).toMatch(/^NAMESPACE +NAME +INJECTED +DELIVERY +SINCE +CERTIFICATE$/m);
    expect(text).toMatch(/^shop +b-sidecar +yes +sidecar +2026-11-01T00:00:00Z +-$/m);
    expect(text).toMatch(/^1 of 3 not injected; autocert explain pod\/NAME/m);
  });

  test('has names and renewals when it is wide', async () => {
    expect(await show(cluster(), { output: 'wide' })).toMatch(/^shop +a-native .* web\.shop\.svc$/m);
  });

  test('has in red what needs a look, on a terminal only', async () => {
    const store = cluster();
    const late = new Date(validityOf(root.certificatePem).notAfter.getTime() + 1);
    const red = (text: string) => `\u001b[31m${text}`;
    const text = await show(store, { output: 'table' }, true, late);
    expect(text).toContain(red('expired on'));
    expect(text).toContain(red('no '));
    expect(await show(store, { output: 'table' }, false, late)).not.toContain('\u001b');
  });

  test('says that no pod asks for a certificate', async () => {
    const store = cluster();
    store.lists.delete(SHOP);
    expect(await show(store, { output: 'table' })).toMatch(/^No pod asks for a certificate here\.$/m);
  });

  test('is the same as YAML as it is as JSON', async () => {
    const [json, yaml] = await Promise.all((['json', 'yaml'] as const).map((output) => show(cluster(), { output })));
    expect(parse(yaml ?? '')).toEqual(JSON.parse(json ?? ''));
  });

  test.each([
    ['both -n and -A', { allNamespaces: true }, /either --namespace or --all-namespaces/],
    ['what cannot be a namespace', { namespace: '../x' }, /--namespace "\.\.\/x" cannot be a namespace/],
    ["what cannot be Autocert's", { autocertNamespace: 'A' }, /--autocert-namespace "A" cannot be a namespace/],
  ])('refuses %s', async (_, options, message) => {
    const store = cluster();
    await expect(show(store, options)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(message),
    });
    expect(store.calls).toEqual([]);
  });
});
