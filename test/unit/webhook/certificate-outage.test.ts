import { generateKeyPairSync } from 'node:crypto';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { attestationOf } from '../../support/attestation.ts';
import { ask, csrPem, EndpointWorld, NAMESPACE, POD, REVIEW } from '../../support/endpoint-world.ts';
import { issue } from '../../support/tiny-ca.ts';

const SECOND = 1_000;

describe('while the API server gives no answer', () => {
  const failures: [string, Error][] = [
    ['no connection', new AutocertError('UNAVAILABLE', 'GET: the API server cannot be reached')],
    ['refused by RBAC', apiError(403, 'Forbidden', 'User "system:serviceaccount:step:autocert" cannot')],
    ["the webhook's own token refused", apiError(401, 'Unauthorized', 'Unauthorized')],
    ['too many requests', apiError(429, 'TooManyRequests', 'too many requests', 60_000)],
    ['a fault of its own', apiError(500, 'InternalError', 'etcdserver: leader changed')],
    ['a request that it does not take', apiError(422, 'Invalid', 'spec.token: Invalid value')],
  ];
  const cases = [REVIEW, POD, NAMESPACE].flatMap((path) =>
    failures.map(([title, failure]) => [title, path, failure] as const),
  );

  test.each(cases)('%s at %s is UNAVAILABLE, and the same request works later', async (_title, path, failure) => {
    const world = await EndpointWorld.with();
    world.store.failures.set(path, failure);
    await expect(world.ask()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'no certificate can be had now: the API server gave no answer',
      // Half of the time by chance on top, so that not all come back at once.
      retryAfterMs: 6_250,
    });
    expect(world.ca.signatures).toEqual([]);
    world.store.failures.clear();
    await expect(world.ask()).resolves.toMatchObject({ names: ['web.shop.svc'] });
  });

  test('a pod that starts is to come back sooner', async () => {
    const world = await EndpointWorld.with(({ store }) => void store.failures.set(REVIEW, apiError(503, '', 'down')));
    const asking = world.ask({ csr: csrPem, starting: true });
    await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 1_250 });
  });
});

describe('while the CA is away', () => {
  test('the endpoint says so, and asks the API server nothing', async () => {
    const world = await EndpointWorld.with();
    await world.loseCa();
    const refused = await Promise.allSettled(Array.from({ length: 1000 }, () => world.ask()));
    for (const outcome of refused) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'UNAVAILABLE',
          message: 'no certificate can be had now: no answer from https://ca.step.svc',
          retryAfterMs: expect.any(Number),
        },
      });
    }
    expect(world.store.calls).toEqual([]);
  });

  test('before it was ever reached it is the same', async () => {
    const world = new EndpointWorld();
    await expect(world.ask()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'no certificate can be had now: the CA has not been asked yet',
    });
    expect(world.store.calls).toEqual([]);
  });

  test('a body is read all the same, and neither token nor pod', async () => {
    const world = await EndpointWorld.with(({ store }) => void store.objects.delete(POD));
    await world.loseCa();
    await expect(world.ask({})).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(world.ask(undefined, attestationOf(''))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test.each([
    ['renew', false, 5, 300],
    ['start', true, 1, 30],
  ])('those that %s are sent away for a tenth of its length, within bounds', async (_title, starting, first, most) => {
    const world = await EndpointWorld.with();
    await world.loseCa();
    const toldAfter = async (seconds: number) => {
      world.clock = seconds * SECOND;
      const told = await world.ask({ csr: csrPem, starting }).catch((refusal: AutocertError) => refusal);
      return told instanceof AutocertError ? Number(told.retryAfterMs) / SECOND : Number.NaN;
    };
    // `random` is a half, of the half that is added by chance.
    expect(await toldAfter(0)).toBe(first * 1.25);
    expect(await toldAfter(80)).toBe(8 * 1.25);
    const longest = await toldAfter(86_400);
    expect(longest).toBeGreaterThan(8 * 1.25);
    expect(longest).toBeLessThanOrEqual(most);
    expect(await toldAfter(90_000)).toBe(longest);
  });

  test('pods that wait for their first certificate learn that they are gone, so many of them', async () => {
    const world = await EndpointWorld.with(({ store }) => void store.objects.delete(POD));
    await world.loseCa();
    const ask = (starting: boolean) => world.ask({ csr: csrPem, starting }).catch(({ code }: AutocertError) => code);
    const told = await Promise.all(Array.from({ length: 100 }, () => ask(true)));
    expect(told.filter((code) => code === 'GONE')).toHaveLength(10);
    expect(told.filter((code) => code === 'UNAVAILABLE')).toHaveLength(90);
    // One each other second from then on; those that renew have a certificate, and time.
    world.clock += 4 * SECOND;
    const later = await Promise.all([ask(false), ask(true), ask(true), ask(true)]);
    expect(later).toEqual(['UNAVAILABLE', 'GONE', 'GONE', 'UNAVAILABLE']);
    expect(world.store.calls.filter((call) => call === `POST ${REVIEW}`)).toHaveLength(12);
  });

  test('those of them that are there are told to come back, and the CA is left in peace', async () => {
    const world = await EndpointWorld.with();
    await world.loseCa();
    const { calls } = world.ca;
    await expect(world.ask({ csr: csrPem, starting: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(world.store.calls).toContain(`GET ${POD}`);
    expect(world.ca.calls).toBe(calls);
  });

  test('it may come back between two looks at it: then the next request finds it', async () => {
    const world = await EndpointWorld.with();
    await world.loseCa();
    world.ca.failure = undefined;
    await expect(world.ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await world.issuer.probe();
    await expect(world.ask()).resolves.toMatchObject({ names: ['web.shop.svc'] });
  });

  test('the first request to find it gone is told so, and the next one does not reach the API server', async () => {
    const world = await EndpointWorld.with();
    world.ca.failure = new AutocertError('UNAVAILABLE', 'no answer from https://ca.step.svc');
    const refusal = { code: 'UNAVAILABLE', retryAfterMs: 6_250, message: expect.stringContaining('no answer from') };
    await expect(world.ask()).rejects.toMatchObject(refusal);
    world.store.calls.splice(0);
    await expect(world.ask()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(world.store.calls).toEqual([]);
  });
});

describe('what the CA does with a request', () => {
  const refuse = (status: number) => (world: EndpointWorld) => {
    world.ca.refusal = new AutocertError('CA_REJECTED', `https://ca.step.svc/1.0/sign answered ${status}: no`, {
      status,
    });
  };

  test('a refusal is told in its words, and keeps nobody else from asking', async () => {
    const world = await EndpointWorld.with(refuse(403));
    const refusal = { code: 'CA_REJECTED', message: 'https://ca.step.svc/1.0/sign answered 403: no' };
    await expect(world.ask()).rejects.toMatchObject(refusal);
    await expect(world.ask()).rejects.toMatchObject(refusal);
    world.ca.refusal = undefined;
    await expect(world.ask()).resolves.toBeDefined();
  });

  test("a refusal of Autocert's own token is no fault of the pod's", async () => {
    await expect(ask(refuse(401))).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 6_250 });
  });

  test('a certificate that does not verify is given to nobody', async () => {
    const root = issue('Another Root', { ca: true });
    for (const leaf of [
      { issuer: root },
      { publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey },
    ]) {
      const asking = ask((world) => Object.assign(world.ca.leaf, leaf));
      await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 6_250 });
    }
  });

  test("the time that it wants to be left alone is the pod's to wait", async () => {
    const busy = new AutocertError('UNAVAILABLE', 'busy', { status: 429, retryAfterMs: 42_000 });
    const asking = ask((world) => {
      world.ca.refusal = busy;
    });
    await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 42_000 });
  });

  test.each([
    new AutocertError('INVALID_CONFIG', 'cannot read /etc/autocert/ca/root_ca.crt: ENOENT'),
    new AutocertError('WRONG_PASSWORD', 'the password does not open the key'),
    new TypeError('cannot read properties of undefined'),
  ])("a fault of Autocert's own is UNAVAILABLE: %s", async (fault) => {
    const asking = ask((world) => {
      world.ca.failure = fault;
    });
    await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 6_250 });
  });
});
