import { NAMESPACE_LABEL } from '../../../runtime/contract.ts';
import type { KubernetesApi } from '../../../runtime/kubernetes/client.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { createMetrics } from '../../../runtime/lib/metrics.ts';
import { type ListedPod, PodCensus } from '../../../runtime/signer/pod-census.ts';
import { enabledNamespaces, podsOf } from '../../../runtime/signer/pod-list.ts';
import { keptLog } from '../../support/logs.ts';
import { annotations } from '../../support/pods.ts';
import { NOON } from './fixtures.ts';

type Values = Parameters<typeof annotations>[0];

const pod = (name: string, values: Values, more: Partial<ListedPod['metadata']> = {}): ListedPod => ({
  metadata: { name, namespace: 'shop', uid: `uid-of-${name}`, annotations: annotations(values), ...more },
});
const wanting = (name: string) => pod(name, { name: 'web.shop.svc' });
const injected = (name: string) => pod(name, { name: 'web.shop.svc', status: 'injected' });

/** A census of these pods by namespace, page by page. */
function censusOf(namespaces: Record<string, readonly (readonly ListedPod[] | Error)[]>, excluded: string[] = []) {
  const log = keptLog();
  const retained: { pods: string[]; seenAt: number }[] = [];
  let known = true;
  const census = new PodCensus({
    namespaces: async () => Object.keys(namespaces),
    pods: async (namespace, onPage) => {
      for (const page of namespaces[namespace] ?? []) {
        if (page instanceof Error) throw page;
        onPage(page);
      }
    },
    excluded: () => excluded,
    leaves: { retain: (pods, seenAt) => void retained.push({ pods: [...pods].sort(), seenAt }) },
    now: () => NOON,
    monotonic: () => 77,
    log,
  });
  const metrics = createMetrics();
  census.addGauges(metrics, () => known);
  return {
    census,
    log,
    namespaces,
    retained,
    count: (signal = new AbortController().signal) => census.duty.run(signal),
    leave: () => {
      known = false;
    },
    gauge: async (name: string) => new RegExp(`^autocert_pods_${name} (.*)$`, 'm').exec(await metrics.render())?.[1],
  };
}

describe('counting pods', () => {
  test('tells those that want a certificate and were not injected from those that were, over all pages', async () => {
    const { count, gauge } = censusOf({
      shop: [[injected('a'), wanting('b'), pod('c', {})], [injected('d')], []],
      bank: [[wanting('e')]],
    });
    await count();
    expect([await gauge('injected'), await gauge('not_injected')]).toEqual(['2', '2']);
    expect(await gauge('counted_timestamp_seconds')).toBe(String(NOON.getTime() / 1000));
  });

  test('leaves out pods that are being deleted, and namespaces that are excluded', async () => {
    const leaving = pod('a', { name: 'a' }, { deletionTimestamp: '2026-01-01T12:00:00Z' });
    const { count, gauge } = censusOf({ shop: [[leaving]], step: [[wanting('b')]] }, ['step']);
    await count();
    expect(await gauge('not_injected')).toBe('0');
  });

  test('that breaks off counts nothing: the result of before stays, and certificates are not forgotten', async () => {
    const it = censusOf({ shop: [[wanting('a')]] });
    await it.count();
    it.namespaces.shop = [[wanting('a'), wanting('b')], new AutocertError('UNAVAILABLE', 'gone away')];
    await expect(it.count()).rejects.toThrow('gone away');
    expect(await it.gauge('not_injected')).toBe('1');
    expect(it.retained).toHaveLength(1);
  });

  test('says which pods are there, so that the certificates of the others are forgotten', async () => {
    const { count, retained } = censusOf({ shop: [[injected('b'), wanting('c')], [injected('a')]] });
    await count();
    expect(retained).toEqual([{ pods: ['uid-of-a', 'uid-of-b'], seenAt: 77 }]);
  });

  test('names the pods in the log, ten at most, once until they are others', async () => {
    const it = censusOf({ shop: [Array.from({ length: 12 }, (_, index) => wanting(`pod-${index}`))] });
    await it.count();
    await it.count();
    expect(it.log.lines).toEqual([
      {
        level: 'warn',
        message: 'pods were started without injection: start them anew',
        fields: { notInjected: 12, pods: expect.arrayContaining(['shop/pod-0', 'shop/pod-9']) },
      },
    ]);
    it.namespaces.shop = [[]];
    await it.count();
    it.namespaces.shop = [[wanting('pod-0')]];
    await it.count();
    expect(it.log.lines).toHaveLength(2);
  });

  test('ends with the term of office: nothing is told then, and nothing that was begun', async () => {
    const it = censusOf({ shop: [[wanting('a')]] });
    await it.count(AbortSignal.abort());
    expect(await it.gauge('not_injected')).toBeUndefined();
    await it.count();
    it.leave();
    expect(await it.gauge('not_injected')).toBeUndefined();
  });

  test('is forgotten when another term begins', async () => {
    const it = censusOf({ shop: [[wanting('a')]] });
    await it.count();
    it.census.clear();
    expect(await it.gauge('not_injected')).toBeUndefined();
  });
});

describe('lists', () => {
  /** An API server of pages, and what it was asked. */
  function api(pages: readonly object[]) {
    const asked: { path: string; query: unknown; accept: unknown }[] = [];
    const rest = [...pages];
    const request: KubernetesApi['request'] = async <T>(_method: string, path: string, options = {}) => {
      const { query, accept } = options as { query?: unknown; accept?: unknown };
      asked.push({ path, query, accept });
      return rest.shift() as T;
    };
    return { asked, api: { request } };
  }
  const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json';

  test('of pods are asked for page by page, metadata only, without those that have ended', async () => {
    const world = api([
      { items: [wanting('a')], metadata: { continue: 'more' } },
      { items: [wanting('b')], metadata: { continue: '' } },
    ]);
    const names: string[] = [];
    await podsOf(world.api, 'a/b', (pods) => names.push(...pods.map(({ metadata }) => metadata.name)));
    expect(names).toEqual(['a', 'b']);
    const query = { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed', limit: '500' };
    const path = '/api/v1/namespaces/a%2Fb/pods';
    expect(world.asked).toEqual([
      { path, query, accept },
      { path, query: { ...query, continue: 'more' }, accept },
    ]);
  });

  test('of namespaces are of those with the label', async () => {
    const world = api([{ items: [{ metadata: { name: 'shop' } }], metadata: {} }]);
    expect(await enabledNamespaces(world.api, NAMESPACE_LABEL)).toEqual(['shop']);
    expect(world.asked).toEqual([
      { path: '/api/v1/namespaces', query: { labelSelector: 'autocert.step.sm=enabled', limit: '500' }, accept },
    ]);
  });
});
