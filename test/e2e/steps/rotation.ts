/**
 * Steps 13.x: the root of the CA is replaced while requests go through its certificates, by the commands that
 * `docs/pki.md` names: announce, switch, retire. Begun early, for what takes time is that a root reaches running pods.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Annotation, CERTIFICATE_DIR, PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { splitPem } from '../../../runtime/x509/certificate.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { autocert } from '../autocert.ts';
import { assertCertificate, type CertificateFiles, readFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { Greetings } from '../greetings.ts';
import { caBundle } from '../installed.ts';
import { OldPods } from './old-pods.ts';
import { wakeAgent } from './rights.ts';

/** Namespace of the pods that see the rotation. */
export const ROTATION_NAMESPACE = 'e2e-rotation';

const NAMESPACE = ROTATION_NAMESPACE;
const SLOWLY = { timeoutMs: 4 * 60_000, everyMs: 1000 };
/** More than the agent lets pass until it renews. */
const WITHIN_A_LIFETIME = { timeoutMs: 5 * 60_000, everyMs: 2000 };

const nameOf = (pod: string) => `${pod}.${NAMESPACE}.svc.cluster.local`;

/**
 * The steps until the second root is announced, for early in the run, and the rest, for its end: nothing can be made by
 * the first root afterwards. `sidecars` are pods with agents, which renew to the second root, too, if there is time.
 */
export function rotationSteps(
  context: Context,
  sidecars: Greetings,
): { readonly announce: readonly Step[]; readonly replace: readonly Step[] } {
  const { kubectl, native, long, restartKubelet } = context;
  // Without access to kubelet nothing makes a running pod renew in time.
  if (!native || restartKubelet === undefined) return { announce: [], replace: [] };
  const greetings = new Greetings(kubectl, {
    namespace: NAMESPACE,
    annotations: { [Annotation.delivery]: 'native' },
  });
  const apps = [greetings.server, greetings.client];
  /** Those with agents were given the first root only. */
  const old = new OldPods(kubectl, NAMESPACE);
  let next: X509Certificate | undefined;

  const isOfNext = (files: CertificateFiles) =>
    next !== undefined && files.intermediate.checkIssued(next) && files.intermediate.verify(next.publicKey);
  const renewed = (what: string, read: () => Promise<CertificateFiles>, options: typeof SLOWLY) =>
    waitFor(
      `${what} to have a certificate of the second root`,
      async () => {
        const files = await read();
        return isOfNext(files) && files;
      },
      options,
    );
  const bothRoots = (pair: Greetings, app: string, options: typeof SLOWLY) =>
    waitFor(`both roots at ${app}`, async () => (await pair.filesOf(app)).roots.length === 2, options);
  const readPod = (pod: string) => readFiles(kubectl, NAMESPACE, pod, 'main');
  const sidecarPod = (pod: string) =>
    testPod(NAMESPACE, pod, {
      annotations: { [Annotation.name]: nameOf(pod), [Annotation.delivery]: 'sidecar' },
    });

  const announce: Step[] = [
    {
      id: '13.1',
      name: 'a server and a client with native delivery greet each other ten times a second; six more pods are there',
      run: async () => {
        await greetings.start();
        await old.start();
      },
    },
    {
      id: '13.2',
      name: 'autocert pki rotate announce: the CA and the caBundle of the webhook have a second root, and status says so',
      run: async () => {
        assert.match(await autocert(context, ['pki', 'rotate', 'announce']), /is announced/);
        next = await newRoot(context);
        await caBundle(kubectl, 2);
        assert.match(await autocert(context, ['pki', 'status']), /rotate switch/);
      },
    },
  ];
  const replace: Step[] = [
    {
      id: '13.3',
      name: 'both roots are in root.crt of pods that went on running, the server uses them, and old pods can be restarted',
      run: async () => {
        for (const app of apps) await bothRoots(greetings, app, SLOWLY);
        await greetings.renewedAtServer(1);
        for (const app of [sidecars.server, sidecars.client]) {
          if (!long) await wakeAgent(context, sidecars.namespace, `deployment/${app}`);
          await bothRoots(sidecars, app, WITHIN_A_LIFETIME);
        }
        await old.restart(greetings.url, (files) => !isOfNext(files));
      },
    },
    {
      id: '13.4',
      name: 'autocert pki rotate switch: both pods renew to the second root; no request failed throughout',
      run: async () => {
        const noticed = await greetings.renewals();
        const before = await Promise.all(apps.map(greetings.filesOf.bind(greetings)));
        assert.match(await autocert(context, ['pki', 'rotate', 'switch']), /rotate retire/);
        await waitFor('the CA to sign under the second root', async () => (await chainOfCa(context)) === 3, SLOWLY);
        await restartKubelet();
        for (const [index, app] of apps.entries()) {
          const files = await renewed(app, () => greetings.filesOf(app), SLOWLY);
          assertCertificate(files, { name: greetings.nameOf(app) });
          assert.notEqual(files.keyPem, before[index]?.keyPem, 'a new key');
        }
        await greetings.renewedAtServer(noticed + 1);
        await greetings.moreThan((await greetings.count()) + 50);
        await greetings.assertUnbroken();
      },
    },
    ...(['native', 'sidecar'] as const).map(
      (delivery, index): Step => ({
        id: `13.${5 + index}`,
        name: `a new pod has a certificate of the second root, and by that root alone trusts the server (${delivery})`,
        run: async () => {
          const pod = `new-${delivery}`;
          const annotations = { [Annotation.name]: nameOf(pod), [Annotation.delivery]: delivery };
          await kubectl.apply([testPod(NAMESPACE, pod, { annotations })]);
          await kubectl.ready(NAMESPACE, `app=${pod}`);
          const files = await readPod(pod);
          assertCertificate(files, { name: nameOf(pod) });
          assert(isOfNext(files), 'the chain ends at the second root');
          assert.equal(await greeted(context, pod, next, greetings.url), `Hello, ${nameOf(pod)}!\n`);
        },
      }),
    ),
    {
      id: '13.7',
      name: 'pods from before, restarted in place, get certificates of the second root: also those that know the first one only',
      run: async () => {
        await old.restart(greetings.url, (files) => isOfNext(files) && files.cross !== undefined);
      },
    },
    {
      id: '13.8',
      name: 'autocert pki rotate retire names the pods that know the first root only, and refuses',
      run: async () => {
        await assert.rejects(autocert(context, ['pki', 'rotate', 'retire']), (error: Error) => {
          assert.match(error.message, /may be valid until/);
          assert.match(error.message, /know the old root only/);
          return true;
        });
        const { data } = await certificatesOf(context);
        assert.equal(splitPem(data[PkiFile.root] ?? '').length, 2, 'nothing was changed');
      },
    },
    {
      id: '13.9',
      name: 'autocert renew --all, retired by force: at once new pods trust the second root alone, and those that were renewed go on',
      run: async () => {
        await autocert(context, ['renew', '--all']);
        await waitFor('the webhooks to be of the second root', () => webhooksAreOf(context, next), SLOWLY);
        assert.match(await autocert(context, ['pki', 'rotate', 'retire', '--force']), /is retired/);
        await caBundle(kubectl, 1);
        const beside = testPod(NAMESPACE, 'beside', { annotations: { [Annotation.name]: nameOf('beside') } });
        await kubectl.apply([beside]); // the API server goes on trusting the webhook
        await waitFor('the CA to drop the cross certificate', async () => (await chainOfCa(context)) === 2, SLOWLY);
        await kubectl.apply([sidecarPod('after')]);
        await kubectl.ready(NAMESPACE, 'app=after', SLOWLY);
        const files = await readPod('after');
        assert.equal(files.cross, undefined);
        assert(isOfNext(files), 'the chain ends at the second root');
        await old.restart(greetings.url, isOfNext, ['native']);
        await greetings.moreThan((await greetings.count()) + 50);
        await greetings.assertUnbroken();
        assert.match(await autocert(context, ['pki', 'status']), new RegExp(fingerprintOf(next).slice(0, 16)));
      },
    },
  ];
  if (!long) return { announce, replace };
  replace.splice(-2, 0, {
    id: '13.10',
    name: 'pods with agents renew to the second root by themselves, and no request failed either',
    run: async () => {
      for (const app of [sidecars.server, sidecars.client]) {
        const files = await renewed(app, () => sidecars.filesOf(app), WITHIN_A_LIFETIME);
        assertCertificate(files, { name: sidecars.nameOf(app), hours: 5 / 60 });
      }
      await sidecars.moreThan((await sidecars.count()) + 50);
      await sidecars.assertUnbroken();
    },
  });
  return { announce, replace };
}

/** What a pod is answered that trusts nothing but `root`. */
function greeted({ kubectl }: Context, pod: string, root: X509Certificate | undefined, url: string): Promise<string> {
  const trusted = '/tmp/trusted.crt';
  const curl = 'curl --silent --show-error --max-time 10 --cert site.crt --key site.key';
  const script = `printf '%s' '${root}' > ${trusted}; cd ${CERTIFICATE_DIR}; ${curl} --cacert ${trusted} ${url}`;
  return kubectl.exec(NAMESPACE, pod, 'main', ['/bin/sh', '-c', script]);
}

function certificatesOf({ kubectl }: Context): Promise<{ data: Record<string, string> }> {
  return kubectl.json(['-n', SYSTEM, 'get', 'configmap', PkiObject.certificates]);
}

/** The root that was announced last. */
async function newRoot(context: Context): Promise<X509Certificate> {
  const { data } = await certificatesOf(context);
  const roots = splitPem(data[PkiFile.root] ?? '');
  assert.equal(roots.length, 2, 'both roots are published');
  return new X509Certificate(roots[1] ?? '');
}

function fingerprintOf(certificate: X509Certificate | undefined): string {
  return certificate?.fingerprint256.replaceAll(':', '').toLowerCase() ?? '';
}

/** The certificates that a server presents itself by. */
async function chainAt({ inNetwork }: Context, address: string, name: string): Promise<readonly X509Certificate[]> {
  const client = ['openssl', 's_client', '-connect', address, '-servername', name, '-showcerts'];
  const shown = await run(inNetwork(client), { input: '' }).catch(() => '');
  return splitPem(shown).map((pem) => new X509Certificate(pem));
}

/** Those of the CA; what it signs has as many. */
async function chainOfCa(context: Context): Promise<number> {
  const address = await context.kubectl.serviceAddress(SYSTEM, 'ca');
  return (await chainAt(context, `${address}:443`, `ca.${SYSTEM}.svc`)).length;
}

/** Whether the intermediates of all webhooks are of a root. */
async function webhooksAreOf(context: Context, root: X509Certificate | undefined): Promise<boolean> {
  const pods = await context.kubectl.pods(SYSTEM, 'app=autocert');
  const chains = await Promise.all(
    pods.map(({ status }) => chainAt(context, `${status.podIP}:4443`, `autocert.${SYSTEM}.svc`)),
  );
  return root !== undefined && chains.every(([, intermediate]) => intermediate?.verify(root.publicKey));
}
