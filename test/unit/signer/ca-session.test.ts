import { Secret } from '../../../runtime/lib/secret.ts';
import { CaSession, type OpenSession } from '../../../runtime/signer/ca-session.ts';
import { fakeCa } from './fake-ca.ts';
import { CSR_FINGERPRINT, CSR_PEM } from './fixtures.ts';

const NOON = new Date('2026-01-01T12:00:00Z');
const [oldCa, newCa] = await Promise.all([fakeCa(NOON), fakeCa(NOON)]);
const ORDER = {
  csrPem: CSR_PEM,
  csrFingerprint: CSR_FINGERPRINT,
  commonName: 'cart.shop.svc',
  sans: ['cart.shop.svc'],
  durationMs: 3_600_000,
};

function session(announced: () => readonly string[] = () => [oldCa.root]) {
  const seen = { opened: [] as (readonly string[])[], minted: [] as object[], signed: [] as object[], health: 0 };
  const clock = { now: 0 };
  const failures: Error[] = [];
  const open = async (extraRoots: readonly string[]): Promise<OpenSession> => {
    seen.opened.push(extraRoots);
    const failure = failures.shift();
    if (failure) throw failure;
    return {
      ca: {
        url: 'https://ca.test',
        roots: [...new Set([oldCa.root, ...extraRoots])],
        fetchRoots: async () => announced(),
        health: async () => {
          seen.health += 1;
        },
        sign: async (request) => {
          seen.signed.push(request);
          return { certificatePem: 'leaf', chainPem: ['leaf', 'intermediate'] };
        },
      },
      tokens: {
        mint: async (options) => {
          seen.minted.push(options);
          return new Secret('token');
        },
      },
    };
  };
  return { ca: new CaSession(open, () => clock.now), seen, clock, failures };
}

test("has a CSR signed by a token that is good for this CSR and the pod's names only", async () => {
  const { ca, seen } = session();
  expect(await ca.sign(ORDER)).toEqual(['leaf', 'intermediate']);
  expect(seen.minted).toEqual([
    {
      subject: 'cart.shop.svc',
      sans: ['cart.shop.svc'],
      caUrl: 'https://ca.test',
      rootFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      csrFingerprint: CSR_FINGERPRINT,
    },
  ]);
  expect(seen.signed).toEqual([{ csrPem: CSR_PEM, token: expect.any(Secret), duration: 3_600_000 }]);
});

test('opens the key once for any number of orders', async () => {
  const { ca, seen } = session();
  await Promise.all([ca.sign(ORDER), ca.sign(ORDER)]);
  await ca.sign(ORDER);
  expect(seen.opened).toHaveLength(1);
});

test('tries to open it again after a failure', async () => {
  const { ca, failures } = session();
  failures.push(new Error('the CA is away'));
  await expect(ca.sign(ORDER)).rejects.toThrow('the CA is away');
  await expect(ca.sign(ORDER)).resolves.toHaveLength(2);
});

test('reads the files again after a refusal, but a wave of refusals opens the key once', async () => {
  const { ca, seen, clock } = session();
  await ca.sign(ORDER);
  clock.now = 6000;
  for (let refusal = 0; refusal < 32; refusal += 1) {
    ca.reopen();
    await ca.sign(ORDER);
  }
  expect(seen.opened).toHaveLength(2);
});

test('trusts a root that the CA announces, from the next order on', async () => {
  let announced: readonly string[] = [oldCa.root];
  const { ca, seen } = session(() => announced);
  await ca.refreshRoots();
  expect(seen.opened).toHaveLength(1);
  announced = [oldCa.root, newCa.root];
  expect(await ca.refreshRoots()).toEqual(announced);
  expect(await ca.roots()).toEqual([oldCa.root, newCa.root]);
});

test('no longer trusts a root that the CA has dropped', async () => {
  let announced: readonly string[] = [oldCa.root, newCa.root];
  const { ca } = session(() => announced);
  await ca.refreshRoots();
  expect(await ca.roots()).toContain(newCa.root);
  announced = [oldCa.root];
  await ca.refreshRoots();
  expect(await ca.roots()).toEqual([oldCa.root]);
});

test('keeps its connections open by using all of them, whether or not there are orders', async () => {
  const { ca, seen } = session();
  await ca.keepConnected();
  expect(seen).toMatchObject({ opened: [[]], health: 4, signed: [] });
});
