/**
 * Steps 4.x and 5.x: the annotated `sleep` Deployment, and hello-mtls. Everything is deployed at once, then looked at.
 * @module
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, CERTIFICATE_DIR, ContainerName, STATUS_INJECTED } from '../../../runtime/contract.ts';
import type { Pod } from '../../../scripts/cluster/kubectl.ts';
import { run, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { assertCertificate, readFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const NAMESPACE = 'default';
/** Label `app` of what the tutorial deploys. */
export const TUTORIAL_APPS = ['sleep', 'sleep-sidecar', 'hello-mtls', 'hello-mtls-client', 'hello-mtls-client-curl'];

const SLEEP = 'sleep.default.svc.cluster.local';
const HELLO = 'https://hello-mtls.default.svc.cluster.local';
const OWN_FILES = [
  ...['--cacert', `${CERTIFICATE_DIR}/root.crt`],
  ...['--cert', `${CERTIFICATE_DIR}/site.crt`],
  ...['--key', `${CERTIFICATE_DIR}/site.key`],
];

/** Steps 4.x and 5.x. */
export function tutorialSteps({ kubectl, native, step, scratch }: Context): Step[] {
  const sleepPod = (variant: string) => kubectl.ready(NAMESPACE, `app=${variant}`);
  const inSleep = async (command: readonly string[]) =>
    kubectl.try(['-n', NAMESPACE, 'exec', (await sleepPod('sleep')).metadata.name, '-c', 'sleep', '--', ...command]);
  const curl = (args: readonly string[]) => inSleep(['curl', '--silent', '--show-error', '--max-time', '10', ...args]);

  const looksRight = async (variant: string): Promise<Pod> => {
    const pod = await sleepPod(variant);
    const { name } = pod.metadata;
    const listing = await kubectl.exec(NAMESPACE, name, 'sleep', ['ls', CERTIFICATE_DIR]);
    assert.deepEqual(listing.split(/\s+/).filter(Boolean), ['root.crt', 'site.crt', 'site.key']);
    assertCertificate(await readFiles(kubectl, NAMESPACE, name, 'sleep'), { name: SLEEP });
    assert.equal(pod.metadata.annotations?.[Annotation.status], STATUS_INJECTED);
    return pod;
  };

  return [
    {
      id: '4.1',
      name: 'the annotated sleep Deployment and hello-mtls are applied',
      base: true,
      run: async () => {
        const sleep = readFileSync(join(EXAMPLES, 'sleep.yaml'), 'utf8');
        await kubectl.apply(sleep);
        await kubectl.apply(asSidecar(sleep));
        for (const file of [
          'node/hello-mtls.server.yaml',
          'node/hello-mtls.client.yaml',
          'curl/hello-mtls.client.yaml',
        ]) {
          await kubectl.run(['apply', '-f', join(EXAMPLES, 'hello-mtls', file)]);
        }
      },
    },
    {
      id: '4.2',
      name: 'the three files are in the container of the sleep pod, valid for 24 hours',
      run: async () => {
        const pod = await looksRight('sleep');
        if (native) assert.deepEqual(containersOf(pod), ['sleep'], 'native delivery injects no container');
      },
    },
    {
      id: '4.3',
      name: 'the same by sidecar delivery: the three files and one injected container',
      run: async () => {
        assert.deepEqual(containersOf(await looksRight('sleep-sidecar')), [ContainerName.renewer, 'sleep']);
      },
    },
    {
      id: '4.4',
      name: 'step certificate inspect in autocert-renewer shows what step itself shows',
      run: async () => {
        const { name } = (await sleepPod('sleep-sidecar')).metadata;
        const site = `${CERTIFICATE_DIR}/site.crt`;
        const inspect = ['step', 'certificate', 'inspect', site];
        const shown = await kubectl.exec(NAMESPACE, name, ContainerName.renewer, inspect);
        for (const part of [
          /Issuer: .*CN=Autocert Intermediate CA/,
          /Subject: CN=sleep\.default\.svc\.cluster\.local/,
          /DNS:sleep\.default\.svc\.cluster\.local/,
          /X509v3 Step Provisioner:\s+Type: JWK\s+Name: autocert\s+CredentialID: \S+/,
          /Digital Signature/,
          /(TLS Web )?Server Authentication, (TLS Web )?Client Authentication/,
        ]) {
          assert.match(shown, part);
        }
        const copy = join(scratch, 'sleep.crt');
        writeFileSync(copy, await kubectl.exec(NAMESPACE, name, 'sleep', ['cat', site]));
        assert.equal(shown, await run([step, 'certificate', 'inspect', copy]));
      },
    },
    {
      id: '5.1',
      name: 'hello-mtls: the clients in Node and with curl log greetings',
      run: async () => {
        await kubectl.ready(NAMESPACE, 'app=hello-mtls');
        for (const client of ['hello-mtls-client', 'hello-mtls-client-curl']) {
          const greeting = new RegExp(`^\\S+Z: Hello, ${client}\\.default\\.pod\\.cluster\\.local!$`, 'm');
          await waitFor(`a greeting in the log of ${client}`, async () => {
            const log = await kubectl.run(['-n', NAMESPACE, 'logs', `deployment/${client}`, '-c', client]);
            return greeting.test(log);
          });
        }
      },
    },
    {
      id: '5.2',
      name: 'apk add curl, and curl from the sleep pod is greeted by its name',
      run: async () => {
        const added = await inSleep(['apk', 'add', 'curl']);
        assert.equal(added.code, 0, added.stderr);
        const answer = await waitFor('the greeting', async () => {
          const { code, stdout } = await curl([...OWN_FILES, HELLO]);
          return code === 0 && stdout;
        });
        assert.equal(answer, `Hello, ${SLEEP}!\n`);
      },
    },
    {
      id: '5.3',
      name: 'without a client certificate the server refuses',
      run: async () => {
        const { code, stderr } = await curl(['--cacert', `${CERTIFICATE_DIR}/root.crt`, HELLO]);
        assert([35, 56].includes(code), `curl ended with ${code}: ${stderr}`);
        assert.match(stderr, /alert/);
      },
    },
    {
      id: '5.4',
      name: 'without the root curl refuses',
      run: async () => {
        const { code, stderr } = await curl([HELLO]);
        assert.equal(code, 60, stderr);
      },
    },
    {
      id: '5.5',
      name: 'by a name that the certificate does not have curl refuses',
      run: async () => {
        const { code, stderr } = await curl([...OWN_FILES, 'https://hello-mtls.default.svc']);
        assert.equal(code, 60, stderr);
        assert.match(stderr, /no alternative certificate subject name matches/);
      },
    },
    {
      id: '5.6',
      name: 'openssl verifies the files of the sleep pod',
      run: async () => {
        const pod = (await sleepPod('sleep')).metadata.name;
        const { leaf, intermediate, root } = await readFiles(kubectl, NAMESPACE, pod, 'sleep');
        const file = (name: string, text: string) => {
          writeFileSync(join(scratch, name), text);
          return join(scratch, name);
        };
        const verified = await tryRun([
          ...['openssl', 'verify', '-x509_strict', '-CAfile', file('root.pem', root.toString())],
          ...['-untrusted', file('intermediate.pem', intermediate.toString()), file('leaf.pem', leaf.toString())],
        ]);
        assert.equal(verified.code, 0, verified.stderr);
      },
    },
  ];
}

/** The tutorial's Deployment once more, under another name, that asks for an injected agent. */
function asSidecar(yaml: string): string {
  return yaml
    .replace('metadata: {name: sleep}', 'metadata: {name: sleep-sidecar}')
    .replaceAll('app: sleep}', 'app: sleep-sidecar}')
    .replace(/( +)(autocert\.step\.sm\/name: .*)/, '$1$2\n$1autocert.step.sm/delivery: sidecar');
}

function containersOf({ spec }: Pod): string[] {
  return [...(spec.initContainers ?? []), ...spec.containers].map(({ name }) => name);
}
