import { jest } from '@jest/globals';
import { sleep } from '../../../runtime/signer/sleep.ts';
import { type ClusterTrustBundle, keepTrustBundle, trustBundleOf } from '../../../runtime/signer/trust-bundle.ts';
import { fakeCa } from './fake-ca.ts';
import { CSR_PEM } from './fixtures.ts';

const NOON = new Date('2026-01-01T12:00:00Z');
const [oldCa, newCa] = await Promise.all([fakeCa(NOON), fakeCa(NOON)]);

test('is named after the signer, as the API demands', () => {
  expect(trustBundleOf([oldCa.root])).toEqual({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'ClusterTrustBundle',
    metadata: { name: 'autocert.step.sm:workload:root' },
    spec: { signerName: 'autocert.step.sm/workload', trustBundle: `${oldCa.root.trim()}\n` },
  });
});

test('is the same whatever the order of the roots, and has each once', () => {
  const { root: a } = oldCa;
  const { root: b } = newCa;
  expect(trustBundleOf([a, b, a])).toEqual(trustBundleOf([b, a]));
  expect(trustBundleOf([a, b]).spec.trustBundle.match(/BEGIN/g)).toHaveLength(2);
});

test('leaves out what is no authority: the API would refuse the whole', async () => {
  const order = { csrPem: CSR_PEM, csrFingerprint: '', commonName: 'a', sans: ['a'], durationMs: 1e9 };
  const [leaf = ''] = await oldCa.sign(order);
  expect(trustBundleOf([leaf, oldCa.root])).toEqual(trustBundleOf([oldCa.root]));
  expect(() => trustBundleOf([leaf])).toThrow('the CA announces no root certificate');
});

test('follows a rotation within a minute, and an outage ends with the bundle published', async () => {
  jest.useFakeTimers();
  const stop = new AbortController();
  const applied: ClusterTrustBundle[] = [];
  let roots: readonly string[] | undefined = [oldCa.root];
  const ended = keepTrustBundle(
    {
      roots: async () => {
        if (!roots) throw new Error('the CA is away');
        return roots;
      },
      apply: async (bundle) => void applied.push(bundle),
      sleep,
      log: { info: () => {}, warn: () => {}, error: () => {} },
    },
    stop.signal,
  );
  await jest.advanceTimersByTimeAsync(0);
  expect(applied.at(-1)).toEqual(trustBundleOf([oldCa.root]));
  roots = [newCa.root, oldCa.root];
  await jest.advanceTimersByTimeAsync(60_000);
  expect(applied.at(-1)).toEqual(trustBundleOf(roots));
  roots = undefined;
  await jest.advanceTimersByTimeAsync(120_000);
  roots = [newCa.root];
  await jest.advanceTimersByTimeAsync(2000);
  expect(applied.at(-1)).toEqual(trustBundleOf([newCa.root]));
  stop.abort();
  await jest.advanceTimersByTimeAsync(0);
  await ended;
  jest.useRealTimers();
});
