/**
 * Stands in for the controller of the Go original, whose module cannot be had everywhere: a webhook that does to a pod what
 * that does. A bootstrapper gets certificate and root from step-ca by `step` before the pod's own containers start, a renewer
 * renews them; both have the original's names. Where the original makes a one-time token for each pod and puts it
 * into a Secret, these are given the provisioner's password, which the namespace has to have.
 *
 * A program: `stand-in.ts PORT FOLDER CA_URL FINGERPRINT`; the folder has the webhook's own certificate.
 * @module
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { Annotation, CERTIFICATE_DIR, ContainerName, STATUS_INJECTED } from '../../../runtime/contract.ts';

/** Secret with the password of the provisioner, in each namespace. */
export const PASSWORD_SECRET = 'stand-in-password';

const FILE = (name: string) => `${CERTIFICATE_DIR}/${name}`;
const [CRT, KEY, ROOT] = ['site.crt', 'site.key', 'root.crt'].map(FILE);
const IMAGE = { image: 'docker.io/smallstep/step-ca:0.30.2', imagePullPolicy: 'IfNotPresent' };
const OBTAIN = [
  `step ca root ${ROOT}`,
  `step ca certificate --root ${ROOT} --provisioner autocert --provisioner-password-file /run/password/password $COMMON_NAME ${CRT} ${KEY}`,
  `chmod 644 ${CRT} ${KEY} ${ROOT}`,
].join(' && ');
const RENEW = `exec step ca renew --daemon --root ${ROOT} ${CRT} ${KEY}`;

interface Container {
  readonly volumeMounts?: readonly unknown[];
}

interface Review {
  readonly apiVersion: string;
  readonly request: {
    readonly uid: string;
    readonly object: {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
      readonly spec: { readonly volumes?: readonly unknown[]; readonly containers: readonly Container[] };
    };
  };
}

const MOUNT = { name: 'certs', mountPath: CERTIFICATE_DIR };

function patchOf({ metadata, spec }: Review['request']['object'], env: readonly object[]): readonly object[] {
  const { [Annotation.name]: name, [Annotation.status]: status } = metadata.annotations ?? {};
  if (!name || status === STATUS_INJECTED) return [];
  const named = [...env, { name: 'COMMON_NAME', value: name }];
  const shell = (script: string) => ({ command: ['/bin/sh', '-c', script], env: named });
  const bootstrapper = {
    name: ContainerName.bootstrapper,
    ...IMAGE,
    ...shell(`[ -f ${ROOT} ] || { ${OBTAIN}; }`),
    volumeMounts: [MOUNT, { name: PASSWORD_SECRET, mountPath: '/run/password', readOnly: true }],
    securityContext: { runAsUser: 0 },
  };
  const renewer = {
    name: ContainerName.renewer,
    ...IMAGE,
    ...shell(RENEW),
    volumeMounts: [MOUNT],
    securityContext: { runAsUser: 0 },
  };
  const containers = spec.containers.map((one) => ({
    ...one,
    volumeMounts: [...(one.volumeMounts ?? []), { ...MOUNT, readOnly: true }],
  }));
  const volumes = [
    ...(spec.volumes ?? []),
    { name: MOUNT.name, emptyDir: {} },
    { name: PASSWORD_SECRET, secret: { secretName: PASSWORD_SECRET } },
  ];
  return [
    { op: 'add', path: '/spec/volumes', value: volumes },
    { op: 'add', path: '/spec/initContainers', value: [bootstrapper] },
    { op: 'add', path: '/spec/containers', value: [...containers, renewer] },
    { op: 'add', path: `/metadata/annotations/${Annotation.status.replace('/', '~1')}`, value: STATUS_INJECTED },
  ];
}

if (import.meta.main) {
  const [port, folder = '', caUrl, fingerprint] = process.argv.slice(2);
  const read = (name: string) => readFileSync(join(folder, name));
  const env = [
    { name: 'STEP_CA_URL', value: caUrl },
    { name: 'STEP_FINGERPRINT', value: fingerprint },
  ];
  createServer({ cert: read('site.crt'), key: read('site.key') }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { apiVersion, request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as Review;
    const patch = patchOf(asked.object, env);
    const encoded = { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
    const answer = { uid: asked.uid, allowed: true, ...(patch.length > 0 && encoded) };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion, kind: 'AdmissionReview', response: answer }));
  }).listen(Number(port), '127.0.0.1', () => console.log('listening'));
}
