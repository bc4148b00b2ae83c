/**
 * Steps 13.x: the root of the CA is replaced while requests go through its certificates, as `docs/native.md` says: the
 * second root is announced, then the CA signs with an intermediate of it. Begun early, for what takes time is that a
 * root reaches running pods.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Annotation, CERTIFICATE_DIR, PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { createIntermediate } from '../../../runtime/pki/authorities.ts';
import { createKey, encryptKey } from '../../../runtime/x509/private-key.ts';
import { createAuthority, type SigningCertificate } from '../../../runtime/x509/signing.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { assertCertificate, type CertificateFiles, readFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { Greetings } from '../greetings.ts';
import { reinstall } from './install.ts';
import { wakeAgent } from './rights.ts';

/** Namespace of the pods that see the rotation. */
export const ROTATION_NAMESPACE = 'e2e-rotation';

const NAMESPACE = ROTATION_NAMESPACE;
const DAY_MS = 86_400_000;
const SLOWLY = { timeoutMs: 4 * 60_000, everyMs: 1000 };
/** More than the agent lets pass until it renews. */
const WITHIN_A_LIFETIME = { timeoutMs: 5 * 60_000, everyMs: 2000 };

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
  let next: SigningCertificate | undefined;

  const renewed = (pair: Greetings, app: string, options: typeof SLOWLY) =>
    waitFor(
      `${app} to have a certificate of the second root`,
      async () => {
        const files = await pair.filesOf(app);
        return isOf(next, files) && files;
      },
      options,
    );
  const bothRoots = (pair: Greetings, app: string, options: typeof SLOWLY) =>
    waitFor(`both roots at ${app}`, async () => (await pair.filesOf(app)).roots.length === 2, options);

  const announce: Step[] = [
    {
      id: '13.1',
      name: 'a server and a client with native delivery greet each other ten times a second',
      run: () => greetings.start(),
    },
    {
      id: '13.2',
      name: 'the CA and the caBundle of the webhook are given a second root',
      run: async () => {
        next = await announceSecondRoot(context);
      },
    },
  ];
  const replace: Step[] = [
    {
      id: '13.3',
      name: 'both roots are in root.crt of the pods that went on running, and the server has taken them into use',
      run: async () => {
        for (const app of apps) await bothRoots(greetings, app, SLOWLY);
        await greetings.renewedAtServer(1);
        for (const app of [sidecars.server, sidecars.client]) {
          if (!long) await wakeAgent(context, sidecars.namespace, `deployment/${app}`);
          await bothRoots(sidecars, app, WITHIN_A_LIFETIME);
        }
      },
    },
    {
      id: '13.4',
      name: 'the CA signs with an intermediate of the second root; both pods renew to it; no request failed throughout',
      run: async () => {
        assert(next, 'a second root was announced');
        const noticed = await greetings.renewals();
        const before = await Promise.all(apps.map(greetings.filesOf.bind(greetings)));
        await replaceIntermediate(context, next);
        await restartKubelet();
        for (const [index, app] of apps.entries()) {
          const files = await renewed(greetings, app, SLOWLY);
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
          const name = `${pod}.${NAMESPACE}.svc.cluster.local`;
          const annotations = { [Annotation.name]: name, [Annotation.delivery]: delivery };
          await kubectl.apply([testPod(NAMESPACE, pod, { annotations })]);
          await kubectl.ready(NAMESPACE, `app=${pod}`);
          const files = await readFiles(kubectl, NAMESPACE, pod, 'main');
          assertCertificate(files, { name });
          assert(isOf(next, files), 'the chain ends at the second root');
          assert.equal(await greeted(context, pod, files, greetings.url), `Hello, ${name}!\n`);
        },
      }),
    ),
  ];
  if (!long) return { announce, replace };
  replace.push({
    id: '13.7',
    name: 'pods with agents renew to the second root by themselves, and no request failed either',
    run: async () => {
      for (const app of [sidecars.server, sidecars.client]) {
        assertCertificate(await renewed(sidecars, app, WITHIN_A_LIFETIME), {
          name: sidecars.nameOf(app),
          hours: 5 / 60,
        });
      }
      await sidecars.moreThan((await sidecars.count()) + 50);
      await sidecars.assertUnbroken();
    },
  });
  return { announce, replace };
}

function isOf(root: SigningCertificate | undefined, files: CertificateFiles): boolean {
  return root !== undefined && files.root.fingerprint256 === new X509Certificate(root.certificatePem).fingerprint256;
}

/** What a pod is answered that trusts nothing but the root of its own certificate. */
function greeted({ kubectl }: Context, pod: string, { root }: CertificateFiles, url: string): Promise<string> {
  const trusted = '/tmp/trusted.crt';
  const curl = 'curl --silent --show-error --max-time 10 --cert site.crt --key site.key';
  const script = `printf '%s' '${root}' > ${trusted}; cd ${CERTIFICATE_DIR}; ${curl} --cacert ${trusted} ${url}`;
  return kubectl.exec(NAMESPACE, pod, 'main', ['/bin/sh', '-c', script]);
}

/** Puts a second root beside the CA's own, has the Job put it into the `caBundle` too, and restarts the CA. */
async function announceSecondRoot(context: Context): Promise<SigningCertificate> {
  const { kubectl } = context;
  const key = await createKey();
  const now = Date.now();
  const certificatePem = await createAuthority({
    organization: 'Autocert',
    commonName: 'Next Root CA',
    pathLength: 1,
    key,
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + DAY_MS),
  });
  const map = ['configmap', PkiObject.certificates];
  const { data } = await kubectl.json<{ data: Record<string, string> }>(['-n', SYSTEM, 'get', ...map]);
  await patch(context, map, { data: { [PkiFile.root]: `${data[PkiFile.root]?.trim()}\n${certificatePem}` } });
  await reinstall(context);
  await restartCa(context);
  const path = 'jsonpath={.webhooks[0].clientConfig.caBundle}';
  const bundle = await kubectl.run(['get', 'mutatingwebhookconfiguration', 'autocert', '-o', path]);
  assert.equal(Buffer.from(bundle, 'base64').toString().split('BEGIN CERTIFICATE').length, 3, 'caBundle has both');
  return { certificatePem, key };
}

/** Gives the CA an intermediate that `root` signed, under the CA's own password, and restarts it. */
async function replaceIntermediate(context: Context, root: SigningCertificate): Promise<void> {
  const { kubectl } = context;
  const secret = await kubectl.json<{ data: Record<string, string> }>([
    ...['-n', SYSTEM, 'get', 'secret', PkiObject.caPassword],
  ]);
  const password = Buffer.from(secret.data[PkiFile.password] ?? '', 'base64').toString();
  const key = await createKey();
  const certificate = await createIntermediate({ name: 'Autocert', key, now: new Date() }, root);
  const encrypted = encryptKey(key, new Secret(password.trimEnd())).reveal();
  await patch(context, ['secret', PkiObject.intermediateKey], { stringData: { [PkiFile.intermediateKey]: encrypted } });
  await patch(context, ['configmap', PkiObject.certificates], { data: { [PkiFile.intermediate]: certificate } });
  await restartCa(context);
}

async function patch({ kubectl }: Context, object: readonly string[], change: object): Promise<void> {
  await kubectl.run(['-n', SYSTEM, 'patch', ...object, '--type=merge', '-p', JSON.stringify(change)]);
}

async function restartCa({ kubectl }: Context): Promise<void> {
  await kubectl.run(['-n', SYSTEM, 'delete', 'pod', '-l', 'app=ca']);
  await kubectl.rolledOut(SYSTEM, 'statefulset/ca');
}
