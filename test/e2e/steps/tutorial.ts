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
import { REFUSAL_CODES } from '../refusal.ts';
import { type TypingOptions, Typist } from '../typist.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const NAMESPACE = 'default';
/** The guide that these steps, and those before and after them, type. */
export const TUTORIAL = 'docs/tutorial.md';

/** Label `app` of what the tutorial deploys. */
export const TUTORIAL_APPS = ['sleep', 'sleep-sidecar', 'hello-mtls', 'hello-mtls-client', 'hello-mtls-client-curl'];

const SLEEP = 'sleep.default.svc.cluster.local';

/** Steps 4.x and 5.x. */
export function tutorialSteps(context: Context): Step[] {
  const { kubectl, native, step, scratch } = context;
  const tutorial = new Typist(context, TUTORIAL);
  const readme = new Typist(context, 'README.md');
  const sleepPod = (variant: string) => kubectl.ready(NAMESPACE, `app=${variant}`);
  const typeInSleep = async (id: string, options?: TypingOptions) => {
    const pod = (await sleepPod('sleep')).metadata.name;
    await tutorial.typeInPod(id, { namespace: NAMESPACE, pod, container: 'sleep' }, options);
  };
  const greeted = (client: string, since = '') =>
    waitFor(`a greeting in the log of ${client}${since && ` since ${since}`}`, async () => {
      const log = [
        '-n',
        NAMESPACE,
        'logs',
        `deployment/${client}`,
        '-c',
        client,
        ...(since ? [`--since-time=${since}`] : []),
      ];
      return new RegExp(`^\\S+Z: Hello, ${client}\\.default\\.pod\\.cluster\\.local!$`, 'm').test(
        await kubectl.run(log),
      );
    });
  /** Replaces server and client by those of these languages, and waits for a greeting. */
  const switchTo = async (server: string, client: string) => {
    const files = [`${server}/hello-mtls.server.yaml`, `${client}/hello-mtls.client.yaml`];
    for (const file of files) await kubectl.run(['-n', NAMESPACE, 'apply', '-f', join(EXAMPLES, 'hello-mtls', file)]);
    for (const name of ['hello-mtls', 'hello-mtls-client']) await kubectl.rolledOut(NAMESPACE, `deployment/${name}`);
    const images = await kubectl.run([
      '-n',
      NAMESPACE,
      'get',
      'pods',
      '-l',
      'app in (hello-mtls,hello-mtls-client)',
      '-o',
      'jsonpath={.items[*].spec.containers[*].image}',
    ]);
    for (const image of [`hello-mtls-server-${server}`, `hello-mtls-client-${client}`])
      assert.match(images, new RegExp(image));
    await greeted('hello-mtls-client', new Date().toISOString());
  };

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
        await tutorial.type('4.1');
        await kubectl.apply(asSidecar(readFileSync(join(EXAMPLES, 'sleep.yaml'), 'utf8')));
        await kubectl.run(['apply', '-f', join(EXAMPLES, 'hello-mtls/curl/hello-mtls.client.yaml')]);
      },
    },
    {
      id: '4.2',
      name: 'the three files are in the container of the sleep pod, valid for 24 hours, and are what the tutorial and the README show',
      run: async () => {
        await tutorial.type('4.2');
        const pod = await looksRight('sleep');
        const [listed = ''] = await readme.type('4.2');
        assert.match(listed, /^root\.crt\s+site\.crt\s+site\.key$/m);
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
        const [shown] = await tutorial.type('4.4', undefined, { set: { SLEEP_POD: name } });
        const copy = join(scratch, 'sleep.crt');
        writeFileSync(copy, await kubectl.exec(NAMESPACE, name, 'sleep', ['cat', site]));
        assert.equal(shown, await run([step, 'certificate', 'inspect', copy]));
      },
    },
    {
      id: '5.1',
      name: 'hello-mtls: the clients in Go and with curl log greetings',
      run: async () => {
        for (const app of ['hello-mtls', 'hello-mtls-client']) await kubectl.ready(NAMESPACE, `app=${app}`);
        await tutorial.follow('5.1', 'follow');
        await greeted('hello-mtls-client-curl');
      },
    },
    {
      id: '5.2',
      name: 'apk add curl, and curl from the sleep pod is greeted by its name',
      run: () => typeInSleep('5.2'),
    },
    {
      id: '5.3',
      name: 'without a client certificate the server refuses',
      run: () => typeInSleep('5.3', { codes: REFUSAL_CODES }),
    },
    { id: '5.4', name: 'without the root curl refuses', run: () => typeInSleep('5.4', { codes: [60] }) },
    {
      id: '5.5',
      name: 'by a name that the certificate does not have curl refuses',
      run: () => typeInSleep('5.5', { codes: [60] }),
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
    {
      id: '5.7',
      name: 'the client in Node greets the server in Go, the client in Go that in Node, and those in Node each other',
      run: async () => {
        await switchTo('go', 'node');
        await switchTo('node', 'go');
        await switchTo('node', 'node');
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
