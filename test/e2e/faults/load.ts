/**
 * What goes on while things go wrong: six pods, of each delivery a server and clients of both, that greet each other with
 * mutual TLS four times a second. Their certificates are as short as can be, so that renewals fall into faults.
 * @module
 */
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { FIRST_NODE } from '../../../scripts/cluster/settings.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace } from '../../../scripts/cluster/workloads.ts';
import { filesByNode, type HelloOptions, helloDeployment, helloService } from '../greetings.ts';
import type { DeliveryName } from '../prober.ts';
import { annotationsOf, FAULTS_NAMESPACE as NAMESPACE } from './settings.ts';

const INTERVAL_MS = 250;

/** How requests went. */
export interface Traffic {
  readonly failed: number;
  /** Seconds: the longest time a client had no good answer. */
  readonly gap: number;
}

/** The pods. */
export class Load {
  readonly #kubectl: Kubectl;
  readonly servers: readonly string[];
  readonly clients: readonly string[];

  constructor(kubectl: Kubectl, deliveries: readonly DeliveryName[]) {
    this.#kubectl = kubectl;
    this.servers = deliveries.map((delivery) => `server-${delivery}`);
    this.clients = deliveries.flatMap((server) => deliveries.map((client) => `client-${client}-of-${server}`));
  }

  /** Deploys them; resolves when all greet. */
  async start(): Promise<void> {
    const kubectl = this.#kubectl;
    await kubectl.apply([
      enabledNamespace(NAMESPACE),
      ...this.servers.flatMap((name) => [deployment(name, 'server'), helloService(NAMESPACE, name)]),
    ]);
    for (const name of this.servers) await kubectl.ready(NAMESPACE, `app=${name}`);
    for (const name of this.clients) {
      const server = `server-${name.split('-').at(-1)}`;
      await kubectl.apply([
        deployment(name, 'client', {
          HELLO_MTLS_URL: `https://${server}.${NAMESPACE}.svc.cluster.local`,
          // That the load finds its way is not what is tested.
          HELLO_MTLS_ADDRESS: await kubectl.serviceAddress(NAMESPACE, server),
          INTERVAL_MS: String(INTERVAL_MS),
        }),
      ]);
    }
    for (const name of this.clients) await kubectl.ready(NAMESPACE, `app=${name}`);
    const begun = new Date();
    await waitFor('greetings', async () => (await this.#lines(begun)).every((lines) => lines.length > 4));
  }

  /** How requests went since a time. */
  async trafficSince(begin: Date): Promise<Traffic> {
    const end = Date.now();
    let failed = 0;
    let gap = 0;
    for (const lines of await this.#lines(begin)) {
      let last = begin.getTime();
      for (const line of lines) {
        const [stamp = '', ...rest] = line.split(' ');
        if (!rest.join(' ').includes(': Hello, ')) {
          failed++;
          continue;
        }
        const time = Date.parse(stamp);
        gap = Math.max(gap, time - last);
        last = time;
      }
      gap = Math.max(gap, end - last);
    }
    return { failed, gap: Math.max(0, gap - INTERVAL_MS) / 1000 };
  }

  /** What is wrong with the certificates of running pods: nothing, if all is well. */
  async problems(rootFingerprint: string): Promise<readonly string[]> {
    const apps = [...this.servers, ...this.clients];
    const found = await Promise.all(
      apps.map(async (app): Promise<string[]> => {
        const { leaf, root } = await filesByNode(this.#kubectl, NAMESPACE, app);
        const expired = leaf.validToDate.getTime() < Date.now();
        return [
          ...(expired ? [`the certificate of ${app} expired at ${leaf.validTo}`] : []),
          ...(root.fingerprint256 === rootFingerprint ? [] : [`${app} has another root`]),
        ];
      }),
    );
    return found.flat();
  }

  /** How often containers were restarted. */
  restarts(): Promise<number> {
    return this.#kubectl.restarts(NAMESPACE, `app in (${[...this.servers, ...this.clients].join(', ')})`);
  }

  /** What the clients said since a time, with the time of each line. */
  async #lines(begin: Date): Promise<readonly (readonly string[])[]> {
    const logs = this.clients.map((app) =>
      this.#kubectl.run([
        ...['-n', NAMESPACE, 'logs', '-l', `app=${app}`, '-c', app, '--timestamps', '--tail=-1'],
        `--since-time=${begin.toISOString()}`,
      ]),
    );
    return (await Promise.all(logs)).map((log) => log.trim().split('\n').filter(Boolean).sort());
  }
}

function deployment(name: string, role: HelloOptions['role'], environment?: Readonly<Record<string, string>>): object {
  const delivery: DeliveryName = name.split('-')[1] === 'native' ? 'native' : 'sidecar';
  return helloDeployment({
    namespace: NAMESPACE,
    name,
    role,
    annotations: annotationsOf(name, delivery),
    ...(environment && { environment }),
    spec: { nodeSelector: { 'kubernetes.io/hostname': FIRST_NODE.name } },
  });
}
