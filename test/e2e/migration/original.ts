/**
 * The Go original in the cluster: its namespace, its objects by their names, the real step-ca, and what stands in for its
 * controller ({@link PASSWORD_SECRET}).
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NAMESPACE_LABEL } from '../../../runtime/contract.ts';
import { fingerprintOf } from '../../../runtime/x509/certificate.ts';
import { background, run, waitFor } from '../../../scripts/cluster/shell.ts';
import { renewFiles, signingAuthority } from '../../support/authorities.ts';
import type { Context } from '../context.ts';
import { PASSWORD_SECRET } from './stand-in.ts';

/** Where it is. */
export const ORIGINAL = {
  namespace: 'step',
  registration: 'autocert-webhook-config',
  label: `${NAMESPACE_LABEL.key}=${NAMESPACE_LABEL.value}`,
} as const;

const CA_URL = 'https://ca.step.svc.cluster.local';
const PORT = 8446;
/** Where the original's image has its files. */
const HOME = '/home/step';
const PASSWORD = 'of the original';

/** A PKI of the original on this machine, and what runs of it. */
export class Original {
  /** `certs/`, `config/`, `secrets/` and `password`, as `step ca init` makes them. */
  readonly folder: string;
  readonly #context: Context;
  #webhook: ReturnType<typeof background> | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.folder = join(context.scratch, 'original');
  }

  /** Makes the PKI, applies the objects, and waits until CA and webhook answer. */
  async install(): Promise<void> {
    const { kubectl, step, scratch, inNetwork } = this.#context;
    mkdirSync(this.folder, { recursive: true });
    const password = join(this.folder, 'password');
    writeFileSync(password, PASSWORD, { mode: 0o600 });
    const names = [
      '--name',
      'Original',
      '--dns',
      'ca.step.svc.cluster.local',
      '--address',
      ':4443',
      '--with-ca-url',
      CA_URL,
    ];
    const argv = [step, 'ca', 'init', '--deployment-type', 'standalone', ...names, '--provisioner', 'autocert'];
    await run([...argv, '--password-file', password], { env: { STEPPATH: this.folder } });
    await kubectl.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: ORIGINAL.namespace } }]);
    await kubectl.apply(this.#objects());
    await kubectl.rolledOut(ORIGINAL.namespace, 'deployment/ca');

    const authority = await signingAuthority('Stand-in');
    const own = join(scratch, 'stand-in');
    await renewFiles(own, 'localhost', authority);
    const root = readFileSync(join(this.folder, 'certs/root_ca.crt'), 'utf8');
    const program = join(import.meta.dirname, 'stand-in.ts');
    this.#webhook = background(
      inNetwork([process.execPath, program, String(PORT), join(own, '..data'), CA_URL, fingerprintOf(root)]),
    );
    await waitFor('the webhook of the original', async () => this.#webhook?.output().includes('listening'));
    await kubectl.apply([registration(authority.root)]);
  }

  /** Makes a namespace that can have its pods: with the password that its stand-in wants. */
  namespace(name: string): readonly object[] {
    return [
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels: { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value } },
      },
      secret(name, PASSWORD_SECRET),
    ];
  }

  /** Removes it as its own manual says. */
  async remove(): Promise<void> {
    const { kubectl } = this.#context;
    await kubectl.run(['delete', 'mutatingwebhookconfiguration', ORIGINAL.registration]);
    await kubectl.run(['delete', 'namespace', ORIGINAL.namespace, '--timeout=90s'], { timeoutMs: 120_000 });
    await this.end();
  }

  /** Ends what runs beside the cluster. */
  async end(): Promise<void> {
    await this.#webhook?.stop();
    this.#webhook = undefined;
  }

  #objects(): readonly object[] {
    const { namespace } = ORIGINAL;
    const folders = ['certs', 'config', 'secrets'] as const;
    const labels = { app: 'ca' };
    const volumes = folders.map((name) => ({ name, configMap: { name } }));
    const mounts = [...folders, 'password'].map((name) => ({ name, mountPath: `${HOME}/${name}`, readOnly: true }));
    const container = {
      name: 'ca',
      image: 'docker.io/smallstep/step-ca:0.30.2',
      imagePullPolicy: 'IfNotPresent',
      command: ['step-ca', '--password-file', `${HOME}/password/password`, `${HOME}/config/ca.json`],
      readinessProbe: { httpGet: { path: '/health', port: 4443, scheme: 'HTTPS' }, periodSeconds: 1 },
      volumeMounts: mounts,
    };
    return [
      ...folders.map((name) => this.#configMap(name)),
      secret(namespace, 'ca-password'),
      secret(namespace, 'autocert-password'),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'ca', namespace, labels },
        spec: { ports: [{ port: 443, targetPort: 4443 }], selector: labels },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'ca', namespace, labels },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              containers: [container],
              volumes: [...volumes, { name: 'password', secret: { secretName: 'ca-password' } }],
            },
          },
        },
      },
    ];
  }

  /** The original's init has the keys, encrypted, in a ConfigMap, too. */
  #configMap(name: string): object {
    const folder = join(this.folder, name);
    const data = readdirSync(folder).map((file) => {
      return [file, readFileSync(join(folder, file), 'utf8').replaceAll(this.folder, HOME)] as const;
    });
    return {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: ORIGINAL.namespace },
      data: Object.fromEntries(data),
    };
  }
}

function secret(namespace: string, name: string): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: { password: PASSWORD } };
}

function registration(root: string): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: ORIGINAL.registration, labels: { app: 'autocert' } },
    webhooks: [
      {
        name: 'autocert.step.sm',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: { url: `https://localhost:${PORT}/mutate`, caBundle: Buffer.from(root).toString('base64') },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
        failurePolicy: 'Ignore',
        namespaceSelector: { matchLabels: { [NAMESPACE_LABEL.key]: NAMESPACE_LABEL.value } },
      },
    ],
  };
}
