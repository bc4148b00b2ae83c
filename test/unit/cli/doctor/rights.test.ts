import { AutocertWebhook, StepCa } from '../../../../constructs/index.ts';
import type { Facts } from '../../../../runtime/cli/doctor/facts.ts';
import { readAccounts } from '../../../../runtime/cli/doctor/gather-installation.ts';
import { isGranted, NEEDED, rightsChecks } from '../../../../runtime/cli/doctor/rights-checks.ts';
import { doctor } from '../../../../runtime/cli/doctor/run.ts';
import { Look } from '../../../../runtime/cli/observed/look.ts';
import { painter } from '../../../../runtime/cli/terminal.ts';
import { apiError, unreachable } from '../../../../runtime/kubernetes/wire.ts';
import { type Manifest, synth } from '../../../support/manifests.ts';
import { ObjectStore } from '../../../support/object-store.ts';
import { webhookConfig } from '../../../support/reviews.ts';
import { At, MANIFESTS, SickCluster, systemPod } from '../../../support/sick-cluster.ts';

const show = (cluster: SickCluster, output: 'table' | 'json' = 'json') =>
  doctor(
    { output, autocertNamespace: 'step' },
    { connect: () => ({ api: cluster }), now: () => cluster.clock, monotonic: () => 0, paint: painter(false) },
  );
const forbidden = apiError(403, 'Forbidden', 'no');

/** All that is read of a cluster in which all is well. */
async function readPaths(): Promise<readonly string[]> {
  const cluster = new SickCluster();
  await show(cluster);
  return [...new Set(cluster.calls.map((call) => call.replace('GET ', '')))];
}

test('the configuration is asked for once', async () => {
  const cluster = new SickCluster();
  await show(cluster);
  expect(cluster.calls.filter((call) => call === `GET ${At.configuration}`)).toHaveLength(1);
});

describe('the roles of an installation in another namespace', () => {
  const manifests = synth((chart) => {
    const ca = new StepCa(chart, 'ca', { namespace: 'tls' });
    new AutocertWebhook(chart, 'autocert', { ca });
  });
  const found = async (change: (object: Manifest) => Manifest = (object) => object) => {
    const store = new ObjectStore();
    for (const object of manifests.filter(({ apiVersion }) => apiVersion.startsWith('rbac.'))) {
      const { kind, metadata } = object;
      const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
      const path = `/apis/${object.apiVersion}${scope}/${kind.toLowerCase()}s/${metadata.name}`;
      store.objects.set(path, change(object));
    }
    const configuration = { state: 'there', config: webhookConfig({ namespace: 'tls' }) };
    const accounts = await readAccounts(new Look(store), 'tls');
    return rightsChecks.flatMap(({ find }) => find({ namespace: 'tls', configuration, accounts } as Facts));
  };

  test('are found by their names, which have it behind them', async () => {
    expect(await found()).toEqual([]);
  });

  test('are not those of the usual namespace: a binding to one of them is told', async () => {
    const bound = (object: Manifest) =>
      object.kind === 'ClusterRoleBinding' ? { ...object, roleRef: { ...object.roleRef, name: 'autocert' } } : object;
    expect(await found(bound)).toMatchObject([
      { object: 'clusterrolebinding/autocert.tls', message: expect.stringContaining('clusterrole/autocert.tls') },
      { object: 'clusterrolebinding/autocert-signer.tls' },
    ]);
  });
});

describe('what the user may not read', () => {
  test('is a line each, and never a crash or a finding', async () => {
    for (const path of await readPaths()) {
      if (path === '/version' || path === At.certificates || path.includes('/proxy/')) continue;
      const cluster = new SickCluster();
      cluster.failures.set(path, forbidden);
      const { text } = await show(cluster);
      const { findings, notLookedAt } = JSON.parse(text);
      expect([path, findings]).toEqual([path, []]);
      // A policy whose binding may not be read is told of as one that is there; that address is a nicety.
      if (path.includes('policybindings/') || path.endsWith('/services/kubernetes')) continue;
      expect([path, notLookedAt.length > 0]).toEqual([path, true]);
    }
  });

  test('is told with the right that it takes, and that nothing is wrong in the rest', async () => {
    const cluster = new SickCluster();
    cluster.failures.set(At.events, forbidden).set(At.lease, forbidden);
    const { text, healthy } = await show(cluster, 'table');
    expect(healthy).toBe(true);
    expect(text).toMatch(/^Autocert in namespace step: nothing is wrong in what could be looked at \(\d+ checks\)$/m);
    expect(text).toMatch(/^not looked at: events of all namespaces, for lack of the verb list$/m);
    expect(text).toMatch(/^not looked at: leases in namespace step, for lack of the verb get$/m);
  });

  test('is a refusal where nothing could be looked at', async () => {
    const cluster = new SickCluster();
    for (const path of await readPaths()) if (path !== '/version') cluster.failures.set(path, forbidden);
    await expect(show(cluster)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('includes what pods say of themselves, where one is not ready and neither proxy nor log may be read', async () => {
    const cluster = new SickCluster();
    const conditions = [{ type: 'Ready', status: 'False' }];
    cluster.lists.set(At.systemPods, [systemPod('ca-0', 'ca', { conditions })]);
    cluster.says('ca-0', 9404, 403, '{"kind":"Status"}');
    cluster.texts.set(At.log('ca-0'), { status: 403, text: '{"kind":"Status"}' });
    const { findings, notLookedAt } = JSON.parse((await show(cluster)).text);
    expect(findings).toMatchObject([{ check: 'system-pod', object: 'pod/ca-0', message: 'it is not ready' }]);
    expect(notLookedAt).toEqual([expect.stringContaining('for lack of the verb get for pods/proxy or pods/log')]);
  });
});

describe('a cluster that cannot be asked', () => {
  test('is an error of its own: it does not answer', async () => {
    const cluster = new SickCluster();
    cluster.failures.set('/version', unreachable('GET /version', new Error('refused')));
    await expect(show(cluster)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('or falls silent on the way', async () => {
    const cluster = new SickCluster();
    cluster.failures.set(At.events, unreachable('GET', new Error('reset')));
    await expect(show(cluster)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('or does not know the user', async () => {
    const cluster = new SickCluster();
    cluster.texts.set('/version', { status: 401, text: '{"kind":"Status","message":"Unauthorized"}' });
    await expect(show(cluster)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('an API server that is overloaded by one question is told, and the rest is looked at', async () => {
    const cluster = new SickCluster();
    cluster.failures.set(At.events, apiError(429, 'TooManyRequests', 'later'));
    expect(JSON.parse((await show(cluster)).text).notLookedAt).toEqual(['events of all namespaces: later']);
  });
});

describe('the rights that are checked', () => {
  const rulesOf = (kind: string, name: string) =>
    (MANIFESTS.find((one) => one.kind === kind && one.metadata.name === name) as { rules?: object[] } | undefined)
      ?.rules;

  test.each(Object.entries(NEEDED))(
    'are what the manifests give %s',
    (account, { cluster, namespaced, forWebhook = [] }) => {
      for (const right of [...cluster, ...forWebhook])
        expect([right, isGranted(right, rulesOf('ClusterRole', account) as [])]).toEqual([right, true]);
      for (const right of namespaced)
        expect([right, isGranted(right, rulesOf('Role', account) as [])]).toEqual([right, true]);
    },
  );

  test('are given by an asterisk, too, and not by another group, resource or verb', () => {
    const all = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
    expect(isGranted('get pods', [all])).toBe(true);
    for (const change of [{ apiGroups: ['apps'] }, { resources: ['nodes'] }, { verbs: ['list'] }]) {
      expect(isGranted('get pods', [{ ...all, ...change }])).toBe(false);
    }
  });
});
