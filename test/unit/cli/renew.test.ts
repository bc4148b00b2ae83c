import { type RenewOptions, renew } from '../../../runtime/cli/renew.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { ObjectStore } from '../../support/object-store.ts';

const NOW = new Date('2027-01-01T12:00:00Z');
const COLLECTION = '/api/v1/namespaces/step/configmaps';
const PATH = `${COLLECTION}/autocert-renewals`;

interface ConfigMap {
  readonly metadata: { readonly name: string; readonly labels?: object };
  readonly data: Readonly<Record<string, string>>;
}

/** The API server, with merge patches. */
class Store extends ObjectStore {
  readonly requests: { readonly method: string; readonly query?: Readonly<Record<string, string>> }[] = [];
  /** Called before each write. */
  onRequest: (method: string) => void = () => {};

  override async request<T>(
    method: string,
    path: string,
    { body, query }: { body?: unknown; query?: Readonly<Record<string, string>> } = {},
  ): Promise<T> {
    this.requests.push({ method, ...(query && { query }) });
    this.onRequest(method);
    if (method === 'POST') return this.create(path, body);
    const object = await this.get<ConfigMap>(path);
    const data: Record<string, string> = { ...object.data };
    for (const [key, value] of Object.entries((body as { data: Record<string, string | null> }).data)) {
      if (value === null) delete data[key];
      else data[key] = value;
    }
    this.objects.set(path, { ...object, data });
    return undefined as T;
  }
}

let store: Store;
beforeEach(() => {
  store = new Store();
  for (const name of ['shop', 'bank']) store.objects.set(`/api/v1/namespaces/${name}`, { metadata: { name } });
});

const run = (options: Partial<RenewOptions> = {}, now = NOW) =>
  renew({ systemNamespace: 'step', ...options }, () => store, now);
const entries = () => (store.objects.get(PATH) as ConfigMap | undefined)?.data;
const have = (data: Record<string, string>) =>
  store.objects.set(PATH, { metadata: { name: 'autocert-renewals' }, data });

describe('a note is made', () => {
  test('for namespaces, in a ConfigMap that is made when it is missing', async () => {
    await run({ namespace: ['shop', 'bank', 'shop'] });
    expect(entries()).toEqual({ shop: '2027-01-01T12:00:00.000Z', bank: '2027-01-01T12:00:00.000Z' });
    expect(store.requests).toEqual([{ method: 'POST', query: { fieldManager: 'autocert-renew' } }]);
  });

  test('for all namespaces', async () => {
    await run({ all: true });
    expect(entries()).toEqual({ _all: '2027-01-01T12:00:00.000Z' });
  });

  test("in Autocert's own namespace, whatever it is called", async () => {
    await run({ all: true, systemNamespace: 'pki' });
    expect(store.objects.has('/api/v1/namespaces/pki/configmaps/autocert-renewals')).toBe(true);
  });

  test('beside those that are there, of which those older than any certificate are dropped', async () => {
    have({
      bank: '2026-12-31T00:00:00Z',
      shop: '2026-12-31T00:00:00Z',
      young: '2026-10-02T12:00:00Z',
      old: '2026-09-30T12:00:00Z',
      broken: 'yesterday',
    });
    await run({ namespace: ['shop'] });
    expect(entries()).toEqual({
      bank: '2026-12-31T00:00:00Z',
      shop: '2027-01-01T12:00:00.000Z',
      young: '2026-10-02T12:00:00Z',
    });
  });

  test('also when somebody else makes the ConfigMap in between, whose note stays', async () => {
    store.onRequest = () => {
      store.onRequest = () => {};
      have({ bank: '2027-01-01T11:59:59Z' });
    };
    await run({ namespace: ['shop'] });
    expect(entries()).toEqual({ bank: '2027-01-01T11:59:59Z', shop: '2027-01-01T12:00:00.000Z' });
  });

  test('also when somebody else deletes the ConfigMap in between', async () => {
    have({ bank: '2027-01-01T11:59:59Z' });
    store.onRequest = () => {
      store.onRequest = () => {};
      store.objects.delete(PATH);
    };
    await run({ namespace: ['shop'] });
    expect(entries()).toEqual({ shop: '2027-01-01T12:00:00.000Z' });
  });

  test('by one who may not look at namespaces', async () => {
    store.failures.set('/api/v1/namespaces/unseen', apiError(403, 'Forbidden', 'no'));
    await run({ namespace: ['unseen'] });
    expect(entries()).toEqual({ unseen: '2027-01-01T12:00:00.000Z' });
  });
});

test('what will happen is said in plain words', async () => {
  const text = await run({ namespace: ['shop', 'bank'] });
  expect(text).toContain('Certificates of namespaces shop, bank that were issued before 2027-01-01T12:00:00.000Z');
  expect(text).toContain('within ten minutes');
  expect(text).toContain('Pods with native delivery are not reached: kubelet renews their certificates by itself');
  expect(await run({ all: true })).toContain('Certificates of all namespaces that');
});

describe('what is asked wrongly is refused, and nothing is noted:', () => {
  test.each([
    [{}, 'say whose certificates: --namespace NAME, or --all'],
    [{ all: true, namespace: ['shop'] }, 'say whose certificates: --namespace NAME, or --all, not both'],
    [{ namespace: ['Shop'] }, '--namespace "Shop" cannot be a namespace'],
    [{ namespace: ['_all'] }, '--namespace "_all" cannot be a namespace'],
    [{ namespace: ['shop', 'sohp'] }, 'there is no namespace sohp'],
  ])('%j', async (options, message) => {
    await expect(run(options)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
    expect(store.objects.has(PATH)).toBe(false);
  });
});

describe('a failure says what to do:', () => {
  test.each(['get', 'write'])('no right to %s', async (which) => {
    const forbidden = apiError(403, 'Forbidden', 'configmaps is forbidden');
    if (which === 'get') store.failures.set(PATH, forbidden);
    else store.failures.set(COLLECTION, forbidden);
    await expect(run({ all: true })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('the verbs get, create and patch for configmaps in namespace step'),
    });
  });

  test('Autocert is in another namespace', async () => {
    store.failures.set(COLLECTION, apiError(404, 'NotFound', 'namespaces "step" not found'));
    await expect(run({ all: true })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: "there is no namespace step: name Autocert's by --system-namespace",
    });
  });

  test('the API server is away', async () => {
    store.failures.set(PATH, apiError(503, 'ServiceUnavailable', 'etcd is away'));
    await expect(run({ all: true })).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'etcd is away' });
  });
});
