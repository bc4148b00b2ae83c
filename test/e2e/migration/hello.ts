/**
 * A pod in each of two namespaces that serves by mutual TLS, and greets the other. It reads the plain paths of the three
 * files, which pods of the Go original have, too.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { podTemplate } from '../../../scripts/cluster/workloads.ts';
import { type CertificateFiles, parseFiles } from '../certificates.ts';
import { helloService } from '../greetings.ts';

const APP = 'hello';
const READ = `const f=["site.crt","site.key","root.crt"].map((n)=>String(require("fs").readFileSync("${CERTIFICATE_DIR}/"+n)));const[cert,key,ca]=f;`;
const SERVE = `${READ}require("https").createServer({cert,key,ca,requestCert:true},(q,a)=>a.end("Hello, "+q.socket.getPeerCertificate().subject.CN)).listen(8443)`;
const GREET = (url: string) =>
  `${READ}require("https").get("${url}",{cert,key,ca},(a)=>a.pipe(process.stdout)).on("error",(e)=>{console.error(e.message);process.exitCode=1})`;

const nameOf = (namespace: string) => `${APP}.${namespace}.svc.cluster.local`;

/** Deployment and Service. */
export function helloObjects(namespace: string): readonly object[] {
  const container = {
    name: APP,
    image: 'hello-mtls-server-node:latest',
    command: ['node', '-e', SERVE],
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
  };
  const template = podTemplate(APP, { annotations: { [Annotation.name]: nameOf(namespace) }, container });
  const spec = { selector: { matchLabels: { app: APP } }, template };
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: APP, namespace }, spec },
    helloService(namespace, APP),
  ];
}

/** Starts the pod anew, and reads its files. */
export async function restarted(kubectl: Kubectl, namespace: string): Promise<CertificateFiles> {
  await kubectl.run(['-n', namespace, 'rollout', 'restart', `deployment/${APP}`]);
  await kubectl.rolledOut(namespace, `deployment/${APP}`);
  return filesIn(kubectl, namespace);
}

/** The files of the pod that is ready. */
export async function filesIn(kubectl: Kubectl, namespace: string): Promise<CertificateFiles> {
  const text = await node(kubectl, namespace, `${READ}console.log(JSON.stringify(f))`);
  return parseFiles(JSON.parse(text) as string[]);
}

/** Asserts that the pods of both namespaces greet each other, and know each other's names. */
export async function greetEachOther(kubectl: Kubectl, one: string, other: string): Promise<void> {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    const greeting = `Hello, ${nameOf(from)}`;
    // The endpoints of a Service follow a moment after the pod.
    const answer = await waitFor(`${greeting} from ${to}`, async () => {
      const said = await node(kubectl, from, GREET(`https://${nameOf(to)}`)).catch(() => undefined);
      return said?.startsWith('Hello') ? said : undefined;
    });
    assert.equal(answer, greeting);
  }
}

/** In the pod that is there to stay: one of before may be on its way out. */
async function node(kubectl: Kubectl, namespace: string, script: string): Promise<string> {
  const { metadata } = await kubectl.ready(namespace, `app=${APP}`);
  return kubectl.exec(namespace, metadata.name, APP, ['node', '-e', script]);
}
