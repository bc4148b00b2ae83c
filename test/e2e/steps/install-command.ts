/**
 * Steps 27.x: `autocert install`, the same as one line with `kubectl run`, and what `autocert uninstall` shows.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { defaultTag } from '../../../scripts/image.ts';
import { autocert } from '../autocert.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { manifestsOf } from '../installed.ts';
import { type TypingOptions, Typist } from '../typist.ts';
import { TUTORIAL } from './tutorial.ts';

const POD = 'autocert-init';
const BINDING = 'autocert-init-binding';
const ACCOUNT = 'system:serviceaccount:default:default';
const NEXT_STEP = 'kubectl label namespace default autocert.step.sm=enabled';

/** All of them. */
export function installCommandSteps(context: Context): Step[] {
  const { kubectl } = context;
  const commands = new Typist(context, 'docs/cli.md');
  // With --long the signer is told otherwise than by default, which is a conflict.
  const own = ['install', '--dir', manifestsOf(context)];
  return [
    {
      id: '27.1',
      name: 'autocert install over what is installed writes nothing, and says the fingerprint and the next step',
      run: async () => {
        const before = await versionsOf(context);
        const [said = ''] = context.long ? [await autocert(context, own)] : await commands.type('27.1');
        assert.match(said, /dry run +\d+ as it should be {2}/);
        assert.match(said, /there was nothing to do/);
        assert(said.includes(await fingerprint(context)) && said.includes(NEXT_STEP), said);
        assert.deepEqual(await versionsOf(context), before);
      },
    },
    {
      id: '27.2',
      name: 'kubectl run autocert-init -it --rm, without rights, applies nothing and names the binding that is missing',
      run: async () => {
        const before = await versionsOf(context);
        const said = await runInit(context, { codes: [3] });
        assert(said.includes(`${ACCOUNT} may not install Autocert`), said);
        assert(said.includes(`kubectl create clusterrolebinding ${BINDING} --clusterrole cluster-admin`), said);
        assert.deepEqual(await versionsOf(context), before);
      },
    },
    {
      id: '27.3',
      name: 'kubectl run autocert-init -it --rm, with that binding, checks, finds all ready, and prints no password',
      run: async () => {
        const dryRun = { '--restart Never': '--restart Never -- install --force-conflicts --dry-run' };
        const said = await withRights(context, () => runInit(context, context.long ? { inPlaceOf: dryRun } : {}));
        if (context.long) return;
        assert(said.includes(await fingerprint(context)) && said.includes(NEXT_STEP), said);
        assert(said.includes(`kubectl delete clusterrolebinding ${BINDING}`), said);
        const path = `jsonpath={.data.${PkiFile.password}}`;
        for (const secret of [PkiObject.caPassword, PkiObject.autocertPassword]) {
          const data = await kubectl.run(['-n', SYSTEM, 'get', 'secret', secret, '-o', path]);
          assert(!said.includes(Buffer.from(data, 'base64').toString()), `the password of ${secret} is printed`);
        }
      },
    },
  ];
}

/** Step 27.4, when pods are injected. */
export function uninstallPreviewSteps(context: Context): Step[] {
  const { kubectl } = context;
  return [
    {
      id: '27.4',
      name: 'autocert uninstall without --yes shows what would go, what stays and who is injected, and changes nothing',
      run: async () => {
        const before = await versionsOf(context);
        const said = await autocert(context, ['uninstall']);
        for (const line of [
          'delete  mutatingwebhookconfiguration/autocert',
          'label   namespace/default autocert.step.sm-',
          'delete  deployment/autocert-signer',
          'Kept: namespace/step',
        ]) {
          assert(said.includes(line), `${line} is not in\n${said}`);
        }
        const all = await autocert(context, ['uninstall', '--delete-pki', '--clean-annotations']);
        assert.match(
          all,
          /patch {3}deployment\/sleep in namespace default[\s\S]*root key goes for good[\s\S]*default\/sleep-/,
        );
        assert.deepEqual(await versionsOf(context), before);
        assert.match(await kubectl.run(['get', 'namespace', 'default', '-L', 'autocert.step.sm']), / enabled$/m);
      },
    },
  ];
}

/** The image by a name that is not that of the manifests, whatever registry it would come from. */
export const QUALIFIED_IMAGE = `docker.io/library/${defaultTag()}`;

/** The line of the tutorial, at a terminal; what it said. */
async function runInit(context: Context, options: Pick<TypingOptions, 'codes' | 'inPlaceOf'> = {}): Promise<string> {
  const tutorial = new Typist(context, TUTORIAL);
  await context.kubectl.run(['-n', 'default', 'delete', 'pod', POD, '--ignore-not-found']);
  const [said = ''] = await tutorial.type('27.3', undefined, { ...options, answers: [] });
  return said;
}

/** With the binding that the tutorial makes, and takes away in the end. */
async function withRights(context: Context, work: () => Promise<string>): Promise<string> {
  const tutorial = new Typist(context, TUTORIAL);
  await tutorial.type('27.3', 'rights');
  try {
    return await work();
  } finally {
    await tutorial.type('27.3', 'rights no more');
  }
}

/** The same by {@link QUALIFIED_IMAGE} with the rights that it takes; what it said. */
export function installFromInside(context: Context): Promise<string> {
  return withRights(context, () => runInit(context, { inPlaceOf: { [defaultTag()]: QUALIFIED_IMAGE } }));
}

/** Each object of the manifests with its generation: a write of the specification counts it up. */
async function versionsOf({ kubectl, scratch }: Context): Promise<string> {
  const columns = 'custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation';
  return kubectl.run(['get', '-f', manifestsOf({ scratch }), '-o', columns]);
}

async function fingerprint({ kubectl }: Context): Promise<string> {
  const path = `jsonpath={.data.${PkiFile.root.replaceAll('.', '\\.')}}`;
  const pem = await kubectl.run(['-n', SYSTEM, 'get', 'configmap', PkiObject.certificates, '-o', path]);
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
}

/** What a run that was interrupted would leave. */
export const INSTALL_LEFTOVERS = [`pod/${POD}`, `clusterrolebinding/${BINDING}`];
