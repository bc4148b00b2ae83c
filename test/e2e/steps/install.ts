/**
 * Steps 1.x to 3.x: installing, what can be recovered afterwards, enabling a namespace.
 * @module
 */
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { Annotation, PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import type { Kubectl, KubernetesObject } from '../../../scripts/cluster/kubectl.ts';
import { run, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { caBundle, manifestsOf } from '../installed.ts';
import { Typist } from '../typist.ts';
import { TUTORIAL } from './tutorial.ts';

const PKI_OBJECTS = [
  `configmap/${PkiObject.certificates}`,
  ...[
    PkiObject.rootKey,
    PkiObject.intermediateKey,
    PkiObject.provisioners,
    PkiObject.caPassword,
    PkiObject.autocertPassword,
  ].map((name) => `secret/${name}`),
];

/** Applies the manifests again, which runs the PKI Job again. */
async function reinstall(context: Pick<Context, 'kubectl' | 'scratch'>): Promise<void> {
  const { kubectl } = context;
  await kubectl.run(['-n', SYSTEM, 'delete', 'job', '--all', '--wait']);
  await install(kubectl, manifestsOf(context));
}

/** Steps 1.x. */
export function installSteps(context: Context): Step[] {
  const { kubectl } = context;
  const dist = manifestsOf(context);
  const tutorial = new Typist(context, TUTORIAL);
  const upgrade = new Typist(context, 'docs/upgrade.md');
  const annotated = testPod('default', 'dry-run', {
    annotations: { [Annotation.name]: 'dry-run.default.svc.cluster.local' },
  });
  return [
    {
      id: '1.0',
      name: 'what the tutorial asks for is there: kubectl, a cluster with admission webhooks, step, jq',
      run: async () => {
        await tutorial.type('1.0');
      },
    },
    {
      id: '1.1',
      name: 'cdk8s synth, kubectl apply -f dist/: PKI Job, CA, webhook and signer roll out',
      base: true,
      run: async () => {
        await synthesize(dist, context.long ? 'node test/e2e/early-renewal.ts' : undefined);
        await install(kubectl, dist);
        await caBundle(kubectl);
      },
    },
    {
      id: '1.2',
      name: 'the webhook answers: an annotated pod passes --dry-run=server with its certificate volume',
      base: true,
      run: async () => {
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm=enabled']);
        const admitted = await waitFor('the webhook to answer', async () => {
          const answer = await kubectl.apply([annotated], ['--dry-run=server', '-o', 'json']);
          const pod = JSON.parse(answer) as KubernetesObject;
          return pod.metadata.annotations?.[Annotation.status] && answer;
        });
        assert.match(admitted, /"mountPath": "\/var\/run\/autocert.step.sm"/);
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm-']); // step 3.1 is where a user does it
      },
    },
    {
      id: '1.3',
      name: 'applying again changes nothing, and kubectl diff is empty',
      run: async () => {
        // Not what `kubectl apply` says: it calls every PodDisruptionBudget "configured", always.
        const before = await specifications(kubectl, dist);
        await upgrade.type('1.3'); // `kubectl diff` fails if it finds any
        assert.deepEqual(await specifications(kubectl, dist), before);
      },
    },
    {
      id: '1.4',
      name: 'a second run of the PKI Job keeps every key',
      run: async () => {
        const before = await fingerprints(kubectl);
        await reinstall(context);
        assert.deepEqual(await fingerprints(kubectl), before);
      },
    },
    {
      id: '1.9',
      name: 'kubectl apply -k: dist/ as it is changes nothing, and an overlay changes all images and what else it says',
      run: async () => {
        const { code, stdout, stderr } = await kubectl.try(['diff', '-k', dist]);
        assert.equal(code, 0, stdout + stderr);
        const overlay = join(import.meta.dirname, '../../../examples/kustomize');
        const rendered = await kubectl.run(['kustomize', overlay]);
        const images = [...rendered.matchAll(/\bimage"?: "?([^\s",]+)/g)].map(([, image]) => image);
        assert(images.length > 5 && images.every((image) => image?.startsWith('registry.example.com/')), images.join());
        await kubectl.run(['-n', SYSTEM, 'delete', 'job', '--all', '--wait']); // its template cannot be changed
        const tried = await kubectl.run(['apply', '-k', overlay, '--dry-run=server', '-o', 'yaml']);
        assert.match(tried, /replicas: 3/);
        await install(kubectl, dist);
      },
    },
    {
      id: '1.7',
      name: 'the webhook configuration, deleted and applied again, admits annotated pods within a minute, with nobody to help',
      run: async () => {
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm=enabled']);
        await kubectl.run(['delete', 'mutatingwebhookconfiguration', 'autocert']);
        await kubectl.run(['apply', '-f', dist]);
        const admitted = await waitFor(
          'an annotated pod to be injected',
          async () => {
            const { code, stdout } = await kubectl.try(['apply', '--dry-run=server', '-o', 'json', '-f', '-'], {
              input: JSON.stringify(annotated),
            });
            return code === 0 && stdout;
          },
          { timeoutMs: 60_000 },
        );
        assert.match(admitted, /"mountPath": "\/var\/run\/autocert.step.sm"/);
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm-']);
      },
    },
    {
      id: '1.8',
      name: 'nothing deletes the keys unasked: each Secret and their namespace are refused, with what to do',
      run: async () => {
        const before = await fingerprints(kubectl);
        const secrets = PKI_OBJECTS.filter((name) => name.startsWith('secret/'));
        for (const object of [...secrets, `namespace/${SYSTEM}`]) {
          const { code, stderr } = await kubectl.try(['-n', SYSTEM, 'delete', object, '--wait=false']);
          assert.notEqual(code, 0, `${object} was deleted`);
          assert.match(stderr, /autocert pki backup.*kubectl annotate .*allow-deletion=true/s);
        }
        const all = await kubectl.try(['delete', '--raw', `/api/v1/namespaces/${SYSTEM}/secrets`]);
        assert.notEqual(all.code, 0, 'all Secrets at once were deleted');
        assert.deepEqual(await fingerprints(kubectl), before);
      },
    },
    {
      id: '1.5',
      name: 'kubectl apply --dry-run=server of an annotated pod leaves nothing behind',
      run: async () => {
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm=enabled']);
        const kinds = `pods,secrets,configmaps,serviceaccounts${context.native ? ',podcertificaterequests' : ''}`;
        const all = () => kubectl.run(['get', kinds, '-A', '-o', 'name']);
        const before = await all();
        for (let round = 0; round < 3; round++) await kubectl.apply([annotated], ['--dry-run=server']);
        assert.equal(await all(), before);
        await kubectl.run(['label', 'namespace', 'default', 'autocert.step.sm-']);
      },
    },
    {
      id: '1.6',
      name: 'no private key is in a ConfigMap, in the manifests or in a log',
      run: async () => {
        const maps = await kubectl.run(['get', 'configmaps', '-A', '-o', 'yaml']);
        const manifests = await run(['cat', ...(await run(['find', dist, '-type', 'f'])).trim().split('\n')]);
        const pods = await kubectl.pods(SYSTEM, '');
        const logs = pods.map(({ metadata }) =>
          kubectl.run(['-n', SYSTEM, 'logs', metadata.name, '--all-containers', '--ignore-errors']),
        );
        for (const text of [maps, manifests, ...(await Promise.all(logs))]) assert.doesNotMatch(text, /PRIVATE KEY/);
      },
    },
  ];
}

/** Steps 2.x and 3.x. */
export function recoverySteps(context: Context): Step[] {
  const { kubectl } = context;
  const tutorial = new Typist(context, TUTORIAL);
  return [
    {
      id: '2.1',
      name: "both passwords are in their Secrets, and the CA's opens the keys of root and intermediate",
      run: async () => {
        const [ca, autocert] = await Promise.all(
          [PkiObject.caPassword, PkiObject.autocertPassword].map((name) => decoded(kubectl, name, PkiFile.password)),
        );
        assert(ca && autocert && Math.min(ca.length, autocert.length) >= 24 && ca !== autocert);
        assert.deepEqual(await tutorial.type('2.1'), [`${ca}\n${autocert}\n`]);
        const keys = [
          [PkiObject.rootKey, PkiFile.rootKey],
          [PkiObject.intermediateKey, PkiFile.intermediateKey],
        ] as const;
        for (const [secret, key] of keys) {
          const pem = await decoded(kubectl, secret, key);
          const open = ['openssl', 'pkey', '-passin', 'env:CA_PASSWORD', '-noout', '-text'];
          assert.match(await run(open, { input: pem, env: { CA_PASSWORD: ca } }), /P-256/);
          assert.notEqual(
            (await tryRun(open, { input: pem, env: { CA_PASSWORD: autocert } })).code,
            0,
            'another password',
          );
        }
      },
    },
    {
      id: '2.2',
      name: 'the fingerprint of the root can be calculated again in the CA pod',
      run: async () => {
        const [shown = ''] = await tutorial.type('2.2');
        const map = await kubectl.json<{ data: Record<string, string> }>([
          ...['-n', SYSTEM, 'get', 'configmap', PkiObject.certificates],
        ]);
        const root = new X509Certificate(map.data[PkiFile.root] ?? '');
        assert.equal(shown.trim(), root.fingerprint256.replaceAll(':', '').toLowerCase());
      },
    },
    {
      id: '3.1',
      name: 'kubectl label namespace default autocert.step.sm=enabled; kubectl get namespace -L autocert.step.sm',
      base: true,
      run: async () => {
        await tutorial.type('3.1');
      },
    },
  ];
}

/** The objects of the manifests as the API server has them, without what the cluster itself goes on writing. */
async function specifications(kubectl: Kubectl, dist: string): Promise<object[]> {
  const { items } = await kubectl.json<{ items: readonly (KubernetesObject & { status?: object })[] }>([
    'get',
    '-f',
    dist,
  ]);
  return items.map(({ status: _, metadata: { resourceVersion: __, ...metadata }, ...rest }) => ({ ...rest, metadata }));
}

async function decoded(kubectl: Kubectl, secret: string, key: string): Promise<string> {
  const path = `jsonpath={.data.${key.replaceAll('.', '\\.')}}`;
  const data = await kubectl.run(['-n', SYSTEM, 'get', 'secret', secret, '-o', path]);
  return Buffer.from(data, 'base64').toString();
}

/** A digest of the data of each object of the PKI. */
async function fingerprints(kubectl: Kubectl): Promise<Record<string, string>> {
  const list = await kubectl.json<{ items: readonly (KubernetesObject & { data: object })[] }>([
    ...['-n', SYSTEM, 'get', ...PKI_OBJECTS],
  ]);
  assert.equal(list.items.length, PKI_OBJECTS.length);
  return Object.fromEntries(
    list.items.map(({ metadata, data }) => [
      metadata.name,
      createHash('sha256').update(JSON.stringify(data)).digest('hex'),
    ]),
  );
}
