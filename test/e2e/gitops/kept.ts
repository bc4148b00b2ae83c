/**
 * What is there when a tool has removed what it brought.
 * @module
 */
import assert from 'node:assert/strict';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { type Context, SYSTEM } from '../context.ts';

const KEYS = ['autocert-password', 'ca-intermediate-key', 'ca-password', 'ca-provisioners', 'ca-root-key'];
const PARTS = [
  'get',
  'deployments,statefulsets,jobs,cronjobs,services,roles,networkpolicies',
  '-n',
  SYSTEM,
  '-o',
  'name',
];

/** Asserts that the keys and their guard stay, and that all else goes. */
export async function onlyKeysAreLeft({ kubectl }: Context): Promise<void> {
  const secrets = (await kubectl.run(['-n', SYSTEM, 'get', 'secrets', '-o', 'name'])).trim().split('\n');
  assert.deepEqual(
    secrets.sort(),
    KEYS.map((name) => `secret/${name}`),
  );
  await waitFor('all parts to be gone', async () => (await kubectl.run(PARTS)).trim() === '');
  const ours = ['-l', 'app.kubernetes.io/part-of=autocert', '-o', 'name'];
  const kinds = 'mutatingwebhookconfigurations,validatingadmissionpolicies,clusterroles,clusterrolebindings';
  const left = (await kubectl.run(['get', kinds, ...ours])).trim().split('\n');
  assert.deepEqual(left, ['validatingadmissionpolicy.admissionregistration.k8s.io/autocert-pki-step']);
  const { code, stderr } = await kubectl.try(['delete', 'namespace', SYSTEM, '--wait=false']);
  assert.notEqual(code, 0, 'the namespace is not deleted');
  assert.match(stderr, /autocert-pki-step/, 'the guard is still there');
}
