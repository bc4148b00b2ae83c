import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBundle } from '../../../runtime/cli/install/bundle.ts';
import { ownImage } from '../../../runtime/cli/install/own-image.ts';
import { type InstallOptions, install } from '../../../runtime/cli/install/run.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { commandEffects } from '../../support/command-effects.ts';
import { type InstallableOptions, installableCluster } from '../../support/installable-cluster.ts';
import type { ObjectStore, Write } from '../../support/object-store.ts';

const DIST = 'dist';
const WEBHOOK = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/autocert';
const NO_MANIFESTS = { image: 'autocert:0.1.0', file: 'x.yaml' };

/** The signer writes it, of which the manifests say nothing. */
function trustTheWebhook(store: ObjectStore) {
  const before = store.afterWrite;
  store.afterWrite = (write) => {
    before(write);
    if (write.path === WEBHOOK) store.objects.set(WEBHOOK, { webhooks: [{ clientConfig: { caBundle: 'x' } }] });
  };
  return store;
}

const ready = (options?: InstallableOptions) => trustTheWebhook(installableCluster(options));

/** Runs it; time passes only where it sleeps. */
async function run(
  store: ObjectStore,
  options: Partial<InstallOptions> = {},
  image?: string,
  program = 'runtime/cli/main.ts',
) {
  const { text, effects } = commandEffects();
  const asked = { dir: DIST, timeout: '1m', dryRun: false, forceConflicts: false, showPasswords: false, ...options };
  const failure = await install(asked, {
    connect: () => ({ api: store }),
    program,
    ownImage: async () => image,
    ...effects,
  }).catch((error: Error) => error);
  return { text: text(), failure, code: (failure as { code?: string } | undefined)?.code };
}

const applied = ({ writes }: ObjectStore) => writes.filter(({ method }) => method === 'apply').map(({ path }) => path);

describe('autocert install', () => {
  test('applies all manifests by server-side apply under its own name, and forces nothing', async () => {
    const store = ready();
    const { failure } = await run(store);
    expect(failure).toBeUndefined();
    const { objects } = readBundle(DIST);
    expect(applied(store)).toHaveLength(objects.length);
    expect(new Set(store.writes.map(({ fieldManager, force }) => `${fieldManager} ${force}`))).toEqual(
      new Set(['autocert-install false']),
    );
  });

  test('applies the namespace first, what guards it next, and what sends pods to Autocert last', async () => {
    const store = ready();
    await run(store);
    const paths = applied(store);
    expect(paths[0]).toBe('/api/v1/namespaces/step');
    expect(paths[1]).toMatch(/validatingadmissionpolicies\/autocert-pki-step$/);
    expect(paths.at(-1)).toBe(WEBHOOK);
    const place = (part: string) => paths.findIndex((path) => path.includes(part));
    expect(place('/serviceaccounts/ca')).toBeLessThan(place('/statefulsets/ca'));
    expect(place('/configmaps/')).toBeLessThan(place('/jobs/'));
  });

  test('says each object, the fingerprint of the root, and the next step', async () => {
    const { text } = await run(ready());
    expect(text).toMatch(/^ +created {2}deployment\/autocert in namespace step$/m);
    expect(text).toMatch(/^ +job\/autocert-init-\w+ {2}complete$/m);
    expect(text).toMatch(/fingerprint \(SHA-256\) {2}[0-9a-f]{64}$/m);
    expect(text).toContain('kubectl label namespace default autocert.step.sm=enabled');
    expect(text).not.toContain('clusterrolebinding autocert-init-binding');
  });

  test('prints no password unasked, but the commands that read both', async () => {
    const { text } = await run(ready());
    expect(text).not.toContain('secret-of-');
    expect(text).toContain("kubectl -n step get secret ca-password -o jsonpath='{.data.password}' | base64 -d");
    expect(text).toContain('get secret autocert-password');
  });

  test('prints both passwords with --show-passwords', async () => {
    const { text } = await run(ready(), { showPasswords: true });
    expect(text).toMatch(/admin provisioner password.* {2}secret-of-ca-password$/m);
    expect(text).toMatch(/autocert provisioner password {2}secret-of-autocert-password$/m);
  });

  test('writes nothing where all is as it should be, and says the same at the end', async () => {
    const store = ready();
    await run(store);
    store.writes.length = 0;
    store.objects.set(WEBHOOK, readBundle(DIST).objects.find(({ kind }) => kind.startsWith('MutatingW'))?.manifest);
    const trusted = store.objects.get(WEBHOOK) as { webhooks: { clientConfig: object }[] };
    const webhooks = trusted.webhooks.map((each) => ({
      ...each,
      clientConfig: { ...each.clientConfig, caBundle: 'x' },
    }));
    store.objects.set(WEBHOOK, { ...trusted, webhooks });
    // As the API server answers: what others wrote stays.
    const apply = store.apply.bind(store);
    store.apply = async (path, body, manager, options) => {
      const answer = await apply(path, body, manager, options);
      return (path === WEBHOOK ? store.objects.get(WEBHOOK) : answer) as never;
    };
    const { text, failure } = await run(store);
    expect([failure, applied(store)]).toEqual([undefined, []]);
    expect(text).toContain('there was nothing to do');
    expect(text).toMatch(/fingerprint .*[0-9a-f]{64}$/m);
  });

  test('applies what was changed by hand, and nothing else', async () => {
    const store = ready();
    await run(store);
    store.writes.length = 0;
    store.objects.set('/api/v1/namespaces/step/services/ca', { kind: 'Service', spec: { ports: [] } });
    await run(store);
    expect(applied(store).filter((path) => path !== WEBHOOK)).toEqual(['/api/v1/namespaces/step/services/ca']);
  });

  test('says that a pod is to be relieved of the rights it was lent', async () => {
    const { text } = await run(ready({ user: 'system:serviceaccount:default:default' }));
    expect(text).toContain('kubectl delete clusterrolebinding autocert-init-binding');
  });
});

describe('nothing is applied', () => {
  const refused = async (store: ObjectStore, options?: Partial<InstallOptions>) => {
    const outcome = await run(store, options);
    expect(store.writes).toEqual([]);
    return outcome;
  };

  test('with --dry-run, which shows what would be', async () => {
    const store = ready();
    const tries: Write[] = [];
    store.objects.set('/api/v1/namespaces/step', {});
    store.beforeWrite = (write) => {
      tries.push(write);
    };
    const { text, failure } = await refused(store, { dryRun: true });
    expect(failure).toBeUndefined();
    expect(text).toMatch(/^ +to create +statefulset\/ca in namespace step$/m);
    expect(text).toContain('Nothing was applied (--dry-run).');
    expect(tries).toHaveLength(readBundle(DIST).objects.length);
    expect(tries.every(({ dryRun }) => dryRun)).toBe(true);
  });

  test('to a Kubernetes that is too old', async () => {
    const { failure, code } = await refused(ready({ minor: '21+' }));
    expect([code, String(failure)]).toEqual(['INVALID_CONFIG', expect.stringContaining('needs 1.22 or later')]);
  });

  test('before it is said that pod certificates are switched off, where they are', async () => {
    const store = ready();
    store.objects.delete('/apis/certificates.k8s.io/v1');
    expect((await refused(store, { dryRun: true })).text).toMatch(/v1\.37\.0 .*\n +without native delivery/);
    expect((await refused(ready(), { dryRun: true })).text).not.toContain('without');
  });

  test('to what is no Kubernetes', async () => {
    const store = ready();
    store.objects.set('/version', { gitVersion: 'x' });
    expect((await refused(store)).code).toBe('INVALID_CONFIG');
  });

  test('to a cluster that lacks a kind, which is named with the props that do without', async () => {
    const { failure, text, code } = await refused(ready({ minor: '29' }));
    expect(code).toBe('INVALID_CONFIG');
    expect(String(failure)).toMatch(
      /admissionregistration\.k8s\.io\/v1 ValidatingAdmissionPolicy \(validatingadmissionpolicy\/autocert-pki-step.*guard: false/,
    );
    expect(text).toMatch(/without native delivery \(Kubernetes 1\.37/);
    expect(text).toMatch(/without ValidatingAdmissionPolicy \(1\.30\)/);
  });

  test('without the rights, and the binding that gives them is named with the user', async () => {
    const user = 'system:serviceaccount:default:default';
    const { failure, code } = await refused(ready({ may: () => false, user }));
    expect(code).toBe('FORBIDDEN');
    expect(String(failure)).toContain(`${user} may not install Autocert`);
    expect(String(failure)).toContain('get, create, patch');
    expect(String(failure)).toContain(
      'kubectl create clusterrolebinding autocert-init-binding --clusterrole cluster-admin --serviceaccount=default:default\n',
    );
  });

  test('and a person is named as one, whatever is in the name', async () => {
    const { failure } = await refused(ready({ may: () => false, user: "o'neil; rm" }));
    expect(String(failure)).toContain(`--user 'o'\\''neil; rm'\n`);
  });

  test('by somebody who may create roles, but has not the rights that are in them', async () => {
    const may = ({ verb, resource }: { verb: string; resource: string }) =>
      verb !== '*' && verb !== 'escalate' && resource !== 'podcertificaterequests';
    const { failure } = await refused(ready({ may }));
    expect(String(failure)).toMatch(/podcertificaterequests\.certificates\.k8s\.io/);
    const mayEscalate = ready({
      may: ({ verb, resource }) => verb === 'escalate' || (verb !== '*' && resource !== 'podcertificaterequests'),
    });
    expect((await run(mayEscalate)).failure).toBeUndefined();
  });

  test('where somebody else manages a field, which is said with the way out', async () => {
    const store = ready();
    store.objects.set('/api/v1/namespaces/step', {});
    const path = '/apis/apps/v1/namespaces/step/deployments/autocert';
    store.beforeWrite = (write) => {
      if (write.path === path) throw apiError(409, 'Conflict', 'conflict with "helm": .spec.replicas');
    };
    const { failure, code } = await refused(store);
    expect(code).toBe('INVALID_INPUT');
    expect(String(failure)).toMatch(/deployment\/autocert: .*helm.*spec\.replicas[\s\S]*--force-conflicts/);
  });

  test.each([
    ['a folder that is not there', { dir: 'no-such' }, /cannot read the folder "no-such"/],
    ['a folder without manifests', { dir: 'docs' }, /"docs" has no manifests/],
    ['manifests of something else', { dir: 'examples' }, /neither StatefulSet ca nor Deployment autocert/],
    ['what is no image', { image: 'a b' }, /--image "a b" is not an image/],
    ['what is no duration', { timeout: 'soon' }, /soon/],
  ])('for %s', async (_, options, message) => {
    const { failure, code } = await refused(ready(), options);
    expect([code, String(failure)]).toEqual(['INVALID_INPUT', expect.stringMatching(message)]);
  });
});

describe('what does not get ready in time', () => {
  test('is told with the trouble of its pods, and fails with code 1', async () => {
    const store = installableCluster(); // nobody writes the caBundle
    store.lists.set('/api/v1/namespaces/step/pods', [
      {
        metadata: { name: 'ca-0' },
        status: {
          containerStatuses: [
            {
              name: 'step-ca',
              image: 'step-ca:0',
              state: { waiting: { reason: 'ImagePullBackOff', message: 'no such\u001b image' } },
            },
          ],
        },
      },
    ]);
    const { text, failure, code } = await run(store);
    expect(code).toBeUndefined(); // no code of ours: 1
    expect(String(failure)).toMatch(
      /not ready after 60 s:\n {2}mutatingwebhookconfiguration\/autocert {2}has no caBundle/,
    );
    expect(String(failure)).toContain('pod/ca-0: ImagePullBackOff: no such\\u001b image');
    expect(text).toMatch(/waiting: mutatingwebhookconfiguration\/autocert/);
  });

  test('is not waited for when the Job has failed', async () => {
    const store = ready();
    const before = store.afterWrite;
    store.afterWrite = (write) => {
      before(write);
      const conditions = [{ type: 'Failed', status: 'True', message: 'BackoffLimitExceeded' }];
      if (write.path.includes('/jobs/')) store.objects.set(write.path, { status: { conditions } });
    };
    const { failure } = await run(store);
    expect(String(failure)).toMatch(
      /job\/autocert-init-\w+ has failed: BackoffLimitExceeded: see kubectl -n step logs/,
    );
  });

  test('an API server that does not answer for a moment is asked again', async () => {
    const store = ready();
    const get = store.get.bind(store);
    let failed = false;
    store.get = async (path) => {
      const isFirst = !failed && path.endsWith('/statefulsets/ca') && store.writes.length > 0;
      failed ||= isFirst;
      if (isFirst) throw apiError(503, 'ServiceUnavailable', 'not now');
      return get(path);
    };
    expect([(await run(store)).failure, failed]).toEqual([undefined, true]);
  });
});

describe('the image', () => {
  /** The files as they are in it. */
  let inImage: string;
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'install-image-'));
    mkdirSync(join(root, 'bin'));
    inImage = join(root, 'bin/autocert');
    writeFileSync(inImage, '');
    cpSync(DIST, join(root, 'share/autocert/dist'), { recursive: true });
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test('of the pod in which it runs is that of all parts, the agent among them', async () => {
    const image = 'registry.example/me/autocert:1';
    const store = ready();
    expect((await run(store, { dir: undefined }, image, inImage)).failure).toBeUndefined();
    const text = JSON.stringify(store.writes);
    expect(text).toContain(image);
    expect(text).not.toMatch(/"autocert:0\.1\.0"|\\"autocert:0\.1\.0\\"/);
  });

  test('makes another Job of the Job, whose template cannot be changed, and the same of each other object', () => {
    const [one, other] = ['a:1', 'a:2'].map((image) => readBundle(DIST, image).objects);
    const names = (objects = one) => objects?.map(({ kind, name }) => `${kind}/${name}`) ?? [];
    const differ = names(one).filter((name) => !names(other).includes(name));
    expect(differ).toEqual([expect.stringMatching(/^Job\/autocert-init-\w+-[0-9a-f]{8}$/)]);
    expect(names(readBundle(DIST, 'a:1').objects)).toEqual(names(one));
  });

  test('that manifests of your own name is left as it is', async () => {
    const store = ready();
    await run(store, {}, 'registry.example/me/autocert:1', inImage);
    expect(JSON.stringify(store.writes)).not.toContain('registry.example');
  });

  test("of a pod that brought the program along, as a job of a CI has it, is not Autocert's", async () => {
    const store = ready();
    await run(store, { dir: undefined }, 'ci-runner:1');
    expect(JSON.stringify(store.writes)).not.toContain('ci-runner');
  });

  test('is read from the pod, and is nobody else’s', async () => {
    const store = installableCluster();
    const env = { HOSTNAME: 'autocert-init', KUBERNETES_SERVICE_HOST: '192.0.2.1' };
    const path = '/api/v1/namespaces/default/pods/autocert-init';
    store.objects.set(path, { spec: { containers: [{ image: NO_MANIFESTS.image }] } });
    const read = () => 'default\n';
    expect(await ownImage(store, env, read)).toBe(NO_MANIFESTS.image);
    expect(await ownImage(store, { HOSTNAME: 'laptop' }, read)).toBeUndefined();
    store.objects.set(path, { spec: { containers: [{ image: 'a' }, { image: 'b' }] } });
    expect(await ownImage(store, env, read)).toBeUndefined();
    store.failures.set(path, apiError(403, 'Forbidden', 'no'));
    expect(await ownImage(store, env, read)).toBeUndefined();
  });
});

describe('a manifest', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'install-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test.each([
    ['without a name', 'kind: X\napiVersion: v1', /without apiVersion, kind and metadata\.name/],
    ['in what is no namespace', 'kind: X\napiVersion: v1\nmetadata: {name: a, namespace: ../x}', /cannot be one/],
    ['that is no YAML', '{', /is not YAML/],
  ])('%s is refused', (_, text, message) => {
    writeFileSync(join(folder, NO_MANIFESTS.file), text);
    expect(() => readBundle(folder)).toThrow(message);
  });
});
