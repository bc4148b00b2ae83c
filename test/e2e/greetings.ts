/**
 * The hello-mtls server and client of the tutorial, greeting ten times a second: the traffic that must not break while
 * certificates are replaced.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, CERTIFICATE_DIR, ContainerName } from '../../runtime/contract.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { enabledNamespace, podTemplate } from '../../scripts/cluster/workloads.ts';
import { type CertificateFiles, parseFiles } from './certificates.ts';

/** What differs between the pairs. */
export interface GreetingsOptions {
  /** Made with its label; has nothing else in it. */
  readonly namespace: string;
  /** Annotations besides the name. */
  readonly annotations: Readonly<Record<string, string>>;
  /** In which language both are. @default 'node' */
  readonly language?: HelloLanguage;
}

/** Languages in which there are both a server and a client. */
export type HelloLanguage = 'go' | 'node';

/** What differs between Deployments of the hello-mtls programs. */
export interface HelloOptions {
  readonly namespace: string;
  readonly name: string;
  readonly role: 'server' | 'client';
  /** @default 'node' */
  readonly language?: HelloLanguage;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of a client: whom it greets, and how often. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Merged over the pod's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

const INTERVAL_MS = '100';
/** Where a server listens; its Service does at 443. */
const PORT = 8443;
const READ = `const{readFileSync:r,realpathSync:p}=require("fs");const d=p("${CERTIFICATE_DIR}/..data");console.log(JSON.stringify(["site.crt","site.key","root.crt"].map(f=>String(r(d+"/"+f)))))`;

/** A Deployment of one of the hello-mtls programs. */
export function helloDeployment(options: HelloOptions): object {
  const { namespace, name, role, language = 'node', annotations, environment, spec } = options;
  const isServer = role === 'server';
  const env = Object.entries(environment ?? {}).map(([key, value]) => ({ name: key, value }));
  const container = {
    name,
    image: `hello-mtls-${role}-${language}:latest`,
    imagePullPolicy: 'IfNotPresent',
    env: isServer ? [...env, { name: 'PORT', value: String(PORT) }] : env,
    ...(isServer && { readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1, failureThreshold: 30 } }),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { app: name } },
      template: podTemplate(name, { annotations, spec: { ...spec, containers: [container] } }),
    },
  };
}

/** The Service of a server. */
export function helloService(namespace: string, name: string): object {
  const spec = { ports: [{ port: 443, targetPort: PORT }], selector: { app: name } };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec };
}

/** The files of such a Deployment's pod, read with Node: its images have no shell. @param container one that has Node */
export async function filesByNode(
  kubectl: Kubectl,
  namespace: string,
  app: string,
  container = app,
): Promise<CertificateFiles> {
  const text = await kubectl.exec(namespace, `deployment/${app}`, container, ['node', '-e', READ]);
  return parseFiles(JSON.parse(text) as string[]);
}

/** A server, a client, and what they say. */
export class Greetings {
  readonly namespace: string;
  readonly server: string;
  readonly client: string;
  /** Where the server is reached. */
  readonly url: string;
  readonly #kubectl: Kubectl;
  readonly #options: GreetingsOptions;

  constructor(kubectl: Kubectl, options: GreetingsOptions) {
    const { namespace } = options;
    this.#kubectl = kubectl;
    this.#options = options;
    this.namespace = namespace;
    this.server = `${namespace}-server`;
    this.client = `${namespace}-client`;
    this.url = `https://${this.nameOf(this.server)}`;
  }

  /** Name in the certificate of server or client. */
  nameOf(app: string): string {
    return `${app}.${this.#options.namespace}.svc.cluster.local`;
  }

  /** Deploys both; resolves when they greet. */
  async start(): Promise<void> {
    const { namespace } = this.#options;
    await this.#kubectl.apply([
      enabledNamespace(namespace),
      helloService(namespace, this.server),
      this.#deployment(this.server, 'server'),
    ]);
    await this.#kubectl.ready(namespace, `app=${this.server}`);
    const environment = {
      HELLO_MTLS_URL: this.url,
      // Cluster DNS is not what is tested here.
      HELLO_MTLS_ADDRESS: await this.#kubectl.serviceAddress(namespace, this.server),
      INTERVAL_MS,
    };
    await this.#kubectl.apply([this.#deployment(this.client, 'client', environment)]);
    await this.#kubectl.ready(namespace, `app=${this.client}`);
    await this.moreThan(10);
  }

  /** The files of server or client; of those in Go by way of the agent, so they must have one. */
  filesOf(app: string): Promise<CertificateFiles> {
    const { namespace, language } = this.#options;
    return filesByNode(this.#kubectl, namespace, app, language === 'go' ? ContainerName.renewer : app);
  }

  /** What server or client has printed. */
  logOf(app: string, container = app): Promise<string> {
    return this.#kubectl.run(['-n', this.#options.namespace, 'logs', `deployment/${app}`, '-c', container]);
  }

  /** How many answers the client has had, good or bad. */
  async count(): Promise<number> {
    return (await this.#lines()).length;
  }

  /** Waits until the client has had more than `count` answers. */
  async moreThan(count: number): Promise<void> {
    await waitFor(`more than ${count} greetings`, async () => (await this.count()) > count);
  }

  /** Waits until the server has taken new files into use this many times. */
  async renewedAtServer(times: number): Promise<void> {
    await waitFor('the server to notice', async () => (await this.renewals()) >= times);
  }

  /** How often the server has taken new files into use. */
  async renewals(): Promise<number> {
    return (await this.logOf(this.server)).split('certificate renewed').length - 1;
  }

  /** Asserts that every request was answered as it must be, and that no container was restarted. */
  async assertUnbroken(): Promise<void> {
    const greeting = `Hello, ${this.nameOf(this.client)}!`;
    assert.deepEqual(
      (await this.#lines()).filter((line) => !line.endsWith(greeting)),
      [],
    );
    const apps = `app in (${this.server}, ${this.client})`;
    assert.equal(await this.#kubectl.restarts(this.#options.namespace, apps), 0, 'no container was restarted');
  }

  async #lines(): Promise<readonly string[]> {
    return (await this.logOf(this.client)).trim().split('\n');
  }

  #deployment(name: string, role: HelloOptions['role'], environment?: Readonly<Record<string, string>>): object {
    const { namespace, annotations, language = 'node' } = this.#options;
    const named = { [Annotation.name]: this.nameOf(name), ...annotations };
    const env = environment && { environment };
    return helloDeployment({ namespace, name, role, language, annotations: named, ...env });
  }
}
