import { PkiFile } from '../../../runtime/contract.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { announce, switchRoot } from '../../../runtime/pki/rotation.ts';
import { readStatus } from '../../../runtime/pki/status.ts';
import { statusText } from '../../../runtime/pki/status-text.ts';
import { fingerprintOf } from '../../../runtime/x509/certificate.ts';
import { agentPod, PkiWorld } from '../../support/pki-world.ts';

let world: PkiWorld;
beforeEach(async () => {
  world = await PkiWorld.ready();
  world.pass(10);
});

const status = () => readStatus(world.store, world.objects, world.now);
const commands = async () => (await status()).todo.map(({ command }) => command);
const text = async () => statusText(await status(), world.now);

test('of a PKI that is well: what there is, how long it lasts, and that nothing is to be done', async () => {
  world.store.lists.set('/api/v1/pods', [agentPod('a', world.roots), { metadata: {}, spec: { containers: [] } }]);
  const fingerprint = fingerprintOf(world.roots[0] ?? '');
  expect(await text()).toBe(`namespace       step
root            Autocert Root CA, until 2035-12-30 (10.0 years), signs
                ${fingerprint}
intermediate    Autocert Intermediate CA, until 2028-01-01 (720 days), renewed from 2026-12-31, by itself
root key        in the cluster
rotation        none
passwords       nothing under way
pods            1 with an agent; all of them know the newest root
next            nothing to do
`);
});

test('writes nothing, and has no secret in it', async () => {
  const found = JSON.stringify(await status());
  expect(world.store.writes).toEqual([]);
  expect(found).not.toContain(world.password.reveal());
  expect(found).not.toContain('PRIVATE KEY');
});

test("names the renewal by hand when it is due and the root's key is elsewhere", async () => {
  world.takeKey('rootKey');
  expect(await commands()).toEqual([]);
  world.pass(400);
  expect(await commands()).toEqual(['autocert pki intermediate --root-key FILE']);
  expect(await text()).toContain('by hand');
});

test('names a CronJob that does not run', async () => {
  world.pass(360);
  expect(await commands()).toEqual([]);
  world.pass(10);
  expect(await commands()).toEqual(['autocert pki intermediate']);
});

test('names the next step of a rotation, and the pods to replace', async () => {
  const [first = ''] = world.roots;
  world.store.lists.set('/api/v1/pods', [agentPod('old', [first])]);
  await announce(world.objects, { now: world.now });
  expect(await commands()).toEqual(['autocert pki rotate switch']);
  await switchRoot(world.objects, { now: world.now });
  expect(await commands()).toEqual(['kubectl rollout restart']);
  expect(await text()).toContain('1 of 1 with an agent do not know the newest root: shop/old\n');
  world.store.lists.set('/api/v1/pods', [agentPod('new', world.roots)]);
  expect(await commands()).toEqual([]);
  // the CA's configuration is not there: as long as a pod's certificate may last
  expect(await text()).toContain('wait until 2026-04-12T01:00Z, then autocert pki rotate retire');
  world.pass(92);
  expect(await commands()).toEqual(['autocert pki rotate retire']);
});

test('names what is missing, behind, or being replaced', async () => {
  world.remove('autocertPassword');
  world.put('certificates', {});
  world.put('caPassword', { ...world.files('caPassword'), [PkiFile.nextPassword]: 'x' });
  const found = await status();
  expect(found.damaged).toEqual(['secret/autocert-password', 'configmap/ca-certs']);
  expect(found.passwordRotations).toEqual(['secret/ca-password']);
  expect(found.todo.map(({ command }) => command)).toEqual(['autocert pki init', 'autocert pki password']);
});

test('goes without the pods for whoever may not list them', async () => {
  world.store.failures.set('/api/v1/pods', apiError(403, 'Forbidden', 'no'));
  expect(await text()).toContain('not looked at: you may not list pods in all namespaces');
});

test('where there is no PKI says so', async () => {
  world = new PkiWorld();
  await expect(status()).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: expect.stringContaining('namespace step has no PKI'),
  });
});
