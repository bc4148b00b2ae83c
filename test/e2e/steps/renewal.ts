/**
 * Steps 9.x: renewal of a short-lived certificate while requests go through it. Its pods are deployed early; the
 * renewal comes at two thirds of five minutes, while other steps run.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR, ContainerName } from '../../../runtime/contract.ts';
import { assertCertificate, type CertificateFiles, parseFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { waitFor } from '../shell.ts';
import { podTemplate } from '../workloads.ts';

/** Namespace of the pods whose certificates are renewed. */
export const RENEWAL_NAMESPACE = 'e2e-renewal';

const NAMESPACE = RENEWAL_NAMESPACE;
const SERVER = 'renewal-server';
const CLIENT = 'renewal-client';
const LIFETIME = '5m';
const IN_TIME = { timeoutMs: 5 * 60_000, everyMs: 2_000 };

/** The step that deploys, for early in the run, and the one that looks, for late in it. */
export function renewalSteps({ kubectl }: Context): { readonly deploy: Step; readonly look: readonly Step[] } {
  const before = new Map<string, CertificateFiles>();

  /** The files of a pod whose image has Node and no shell. */
  const filesOf = async (name: string): Promise<CertificateFiles> => {
    const read = `const{readFileSync:r,realpathSync:p}=require("fs");const d=p("${CERTIFICATE_DIR}/..data");console.log(JSON.stringify(["site.crt","site.key","root.crt"].map(f=>String(r(d+"/"+f)))))`;
    return parseFiles(
      JSON.parse(await kubectl.exec(NAMESPACE, `deployment/${name}`, name, ['node', '-e', read])) as string[],
    );
  };
  const logOf = (name: string, container = name) =>
    kubectl.run(['-n', NAMESPACE, 'logs', `deployment/${name}`, '-c', container]);

  return {
    deploy: {
      id: '9.0',
      name: `a server and a client whose certificates live ${LIFETIME} greet each other ten times a second`,
      base: true,
      run: async () => {
        const labels = { 'autocert.step.sm': 'enabled' };
        await kubectl.apply([
          { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } },
          service(),
          deployment(SERVER, 'hello-mtls-server-node', { PORT: '8443' }),
        ]);
        await kubectl.ready(NAMESPACE, `app=${SERVER}`);
        const address = ['-n', NAMESPACE, 'get', 'service', SERVER, '-o', 'jsonpath={.spec.clusterIP}'];
        const environment = {
          HELLO_MTLS_URL: `https://${SERVER}.${NAMESPACE}.svc.cluster.local`,
          HELLO_MTLS_ADDRESS: await kubectl.run(address), // cluster DNS is not what is tested here
          INTERVAL_MS: '100',
        };
        await kubectl.apply([deployment(CLIENT, 'hello-mtls-client-node', environment)]);
        await kubectl.ready(NAMESPACE, `app=${CLIENT}`);
        for (const name of [SERVER, CLIENT]) before.set(name, await filesOf(name));
        await waitFor('greetings', async () => (await logOf(CLIENT)).split('Hello, ').length > 10);
      },
    },
    look: [
      {
        id: '9.1',
        name: 'both were renewed: new serial, new key, the chain as it must be',
        run: async () => {
          for (const name of [SERVER, CLIENT]) {
            const old = before.get(name);
            const files = await waitFor(
              `${name} to have a new certificate`,
              async () => {
                const now = await filesOf(name);
                return now.leaf.serialNumber !== old?.leaf.serialNumber && now;
              },
              IN_TIME,
            );
            assert.notEqual(files.keyPem, old?.keyPem, 'a new key');
            assertCertificate(files, { name: `${name}.${NAMESPACE}.svc.cluster.local`, hours: 5 / 60 });
          }
        },
      },
      {
        id: '9.2',
        name: 'the server serves the new certificate, and no request failed',
        run: async () => {
          await waitFor('the server to notice', async () => (await logOf(SERVER)).includes('certificate renewed'));
          const lines = (await logOf(CLIENT)).trim().split('\n');
          assert(lines.length > 500, `${lines.length} greetings`);
          assert.deepEqual(
            lines.filter((line) => !line.endsWith(`Hello, ${CLIENT}.${NAMESPACE}.svc.cluster.local!`)),
            [],
          );
          const restarts =
            '{.items[*].status.containerStatuses[*].restartCount} {.items[*].status.initContainerStatuses[*].restartCount}';
          const counts = await kubectl.run(['-n', NAMESPACE, 'get', 'pods', '-o', `jsonpath=${restarts}`]);
          assert.match(counts, /^[0 ]+$/, 'no container was restarted');
          assert.doesNotMatch(
            await logOf(SERVER, ContainerName.renewer),
            /PRIVATE KEY|eyJ/,
            'no key and no token is in the log',
          );
        },
      },
    ],
  };
}

function service(): object {
  const spec = { ports: [{ port: 443, targetPort: 8443 }], selector: { app: SERVER } };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: SERVER, namespace: NAMESPACE }, spec };
}

function deployment(name: string, image: string, environment: Readonly<Record<string, string>>): object {
  const template = podTemplate(name, {
    annotations: {
      [Annotation.name]: `${name}.${NAMESPACE}.svc.cluster.local`,
      [Annotation.duration]: LIFETIME,
      [Annotation.delivery]: 'sidecar',
    },
  });
  const env = Object.entries(environment).map(([key, value]) => ({ name: key, value }));
  const container = { name, image: `${image}:latest`, imagePullPolicy: 'IfNotPresent', env };
  const readiness = name === SERVER && {
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1, failureThreshold: 30 },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: name } },
      template: { ...template, spec: { ...template.spec, containers: [{ ...container, ...readiness }] } },
    },
  };
}
