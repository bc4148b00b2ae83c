import { collectionPath, objectPath, resourceFinder } from '../../../runtime/kubernetes/discovery.ts';
import { ObjectStore } from '../../support/object-store.ts';

function server() {
  const store = new ObjectStore();
  store.objects.set('/api/v1', {
    resources: [
      { name: 'pods/status', kind: 'Pod', namespaced: true },
      { name: 'pods', kind: 'Pod', namespaced: true },
      { name: 'namespaces', kind: 'Namespace', namespaced: false },
    ],
  });
  store.objects.set('/apis/apps/v1', { resources: [{ name: 'deployments', kind: 'Deployment', namespaced: true }] });
  return store;
}

describe('the resource of a kind', () => {
  test('is found in the core group and in others, and is no subresource', async () => {
    const find = resourceFinder(server());
    expect(await find('v1', 'Pod')).toEqual({ group: '', groupVersion: 'v1', plural: 'pods', namespaced: true });
    expect(await find('apps/v1', 'Deployment')).toMatchObject({ group: 'apps', plural: 'deployments' });
  });

  test('is not there where the API server has no such kind, or no such version', async () => {
    const find = resourceFinder(server());
    expect([await find('v1', 'Deployment'), await find('apps/v2', 'Deployment')]).toEqual([undefined, undefined]);
  });

  test('takes one question for each version', async () => {
    const store = server();
    const find = resourceFinder(store);
    await Promise.all([find('v1', 'Pod'), find('v1', 'Namespace'), find('v1', 'Nothing')]);
    expect(store.calls).toEqual(['GET /api/v1']);
  });

  test('is asked for at no other path than that of a version, whatever a manifest says', async () => {
    const store = server();
    await resourceFinder(store)('apps/v1?x=..#', 'Deployment');
    expect(store.calls).toEqual(['GET /apis/apps/v1%3Fx%3D..%23']);
  });
});

describe('a path', () => {
  test('has the namespace where the kind has one', async () => {
    const find = resourceFinder(server());
    const [deployments, namespaces] = [await find('apps/v1', 'Deployment'), await find('v1', 'Namespace')];
    expect(deployments && collectionPath(deployments, 'shop')).toBe('/apis/apps/v1/namespaces/shop/deployments');
    expect(namespaces && collectionPath(namespaces, 'shop')).toBe('/api/v1/namespaces');
    expect(deployments && objectPath(deployments, 'a/b', 'c:d')).toBe(
      '/apis/apps/v1/namespaces/a%2Fb/deployments/c%3Ad',
    );
  });
});
