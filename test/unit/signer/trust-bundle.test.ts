import { readRequest } from '../../../runtime/signer/judge-request.ts';
import { type ClusterTrustBundle, trustBundleOf, trustBundlePublisher } from '../../../runtime/signer/trust-bundle.ts';
import type { KeyRequest } from '../../../runtime/x509/certificate-request.ts';
import { fakeCa } from './fake-ca.ts';
import { NOON, requestOf } from './fixtures.ts';

const [oldCa, newCa] = await Promise.all([fakeCa(NOON), fakeCa(NOON)]);

test('is named after the signer, as the API demands', () => {
  expect(trustBundleOf([oldCa.root], 'step')).toEqual({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'ClusterTrustBundle',
    metadata: { name: 'autocert.step.sm:workload:root' },
    spec: { signerName: 'autocert.step.sm/workload', trustBundle: `${oldCa.root.trim()}\n` },
  });
});

test('is the same whatever the order of the roots, and has each once', () => {
  const { root: a } = oldCa;
  const { root: b } = newCa;
  expect(trustBundleOf([a, b, a], 'step')).toEqual(trustBundleOf([b, a], 'step'));
  expect(trustBundleOf([a, b], 'step').spec.trustBundle.match(/BEGIN/g)).toHaveLength(2);
});

test('leaves out what is no authority: the API would refuse the whole', async () => {
  const request = readRequest(requestOf()) as KeyRequest;
  const { chainPem } = await oldCa.issue({ request, sans: ['a'], lifetimeMs: 1e9 }, NOON);
  const [leaf = ''] = chainPem;
  expect(trustBundleOf([leaf, oldCa.root], 'step')).toEqual(trustBundleOf([oldCa.root], 'step'));
  expect(() => trustBundleOf([leaf], 'step')).toThrow('no root certificate is known');
});

test('without a root nothing is published: what pods trust stays', async () => {
  const applied: ClusterTrustBundle[] = [];
  const publish = trustBundlePublisher(async (bundle) => void applied.push(bundle), 'step', {
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  });
  await expect(publish([])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(applied).toEqual([]);
});

test('is applied each time, which mends it, and logged when it is another', async () => {
  const applied: ClusterTrustBundle[] = [];
  const lines: string[] = [];
  const note = (_fields: object, message: string) => void lines.push(message);
  const log = { info: note, warn: note, error: note };
  const publish = trustBundlePublisher(async (bundle) => void applied.push(bundle), 'step', log);
  await publish([oldCa.root]);
  await publish([oldCa.root]);
  await publish([newCa.root, oldCa.root]);
  expect(applied).toHaveLength(3);
  expect(lines).toEqual(['trust bundle published', 'trust bundle published']);
});
