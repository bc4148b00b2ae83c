/**
 * Who tries the doors of the system namespace, and how: pods of a tenant, of monitoring, a guest in the namespace itself,
 * and Autocert's own. A door is tried by connecting to it; what would be said there does not matter.
 * @module
 */
import { App, Chart } from 'cdk8s';
import { StepCa, type StepCaProps } from '../../constructs/index.ts';
import type { Kubectl, Pod } from '../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { HARDENED, testPod } from '../../scripts/cluster/workloads.ts';
import { SYSTEM } from './context.ts';

/** Namespaces of those who try. */
export const NETWORK_NAMESPACES = { tenant: 'e2e-network', monitoring: 'e2e-monitoring' } as const;

/** Where a tenant's pod listens. */
export const LISTENER_PORT = 8080;

/** An address and a port, with a name for messages. */
export interface Door {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** A container that tries, with the path of its busybox. */
interface Party {
  readonly pod: Pod;
  readonly container: string;
  readonly busybox: string;
}

/** Those who try, by name. */
export type PartyName = 'tenant' | 'impostor' | 'prometheus' | 'guest' | 'webhook' | 'signer' | 'ca';

/** All of them, running. */
export class Parties {
  readonly #kubectl: Kubectl;

  private constructor(kubectl: Kubectl) {
    this.#kubectl = kubectl;
  }

  static async deploy(kubectl: Kubectl): Promise<Parties> {
    const { tenant, monitoring } = NETWORK_NAMESPACES;
    const listens = { command: ['/bin/nc', '-ll', '-p', String(LISTENER_PORT), '-e', '/bin/true'] };
    await kubectl.apply([
      ...[tenant, monitoring].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      testPod(tenant, 'tenant'),
      testPod(tenant, 'impostor', { labels: { app: 'autocert' } }),
      testPod(tenant, 'listener', { container: listens }),
      testPod(monitoring, 'prometheus'),
      testPod(SYSTEM, 'guest', { container: { securityContext: HARDENED } }),
    ]);
    const pods = [
      [tenant, 'app=tenant'],
      [tenant, 'app=autocert'],
      [tenant, 'app=listener'],
      [monitoring, 'app=prometheus'],
      [SYSTEM, 'app=guest'],
    ] as const;
    for (const [namespace, selector] of pods) await kubectl.ready(namespace, selector);
    return new Parties(kubectl);
  }

  /** Removes what was deployed. */
  async remove(): Promise<void> {
    await this.#kubectl.run(['-n', SYSTEM, 'delete', 'pod', 'guest', '--wait=false']);
    await this.#kubectl.run(['delete', 'namespace', ...Object.values(NETWORK_NAMESPACES), '--wait=false']);
  }

  /** A port of the oldest pod with this label. */
  async door(name: string, namespace: string, app: string, port: number): Promise<Door> {
    const { status } = await this.#kubectl.ready(namespace, `app=${app}`);
    return { name, address: status.podIP ?? '', port };
  }

  /** Whether the connection comes about. */
  async connects(from: PartyName, { address, port }: Door): Promise<boolean> {
    const { pod, container, busybox } = await this.#find(from);
    const inside = ['-n', pod.metadata.namespace ?? '', 'exec', pod.metadata.name, '-c', container, '--'];
    // Its input is at its end, so the other side has nothing to wait for and closes.
    const { code, stderr } = await this.#kubectl.try([...inside, busybox, 'nc', '-w', '4', address, String(port)]);
    if (code === 0) return true;
    if (/refused|timed out|unreachable|prohibited/i.test(stderr)) return false;
    throw new Error(`${from} could not try ${address}:${port}: ${code} ${stderr}`);
  }

  /** Waits until each of these finds the door open, or closed: the network hears of a new pod or policy a little later. */
  async expect(state: 'open' | 'closed', door: Door, parties: readonly PartyName[]): Promise<void> {
    const each = parties.map((from) => {
      const found = async () => (await this.connects(from, door)) === (state === 'open');
      const what = `${door.name} (${door.address}:${door.port}) to be ${state} to ${from}`;
      return waitFor(what, found, { timeoutMs: 20_000 });
    });
    await Promise.all(each);
  }

  async #find(name: PartyName): Promise<Party> {
    const pod = (namespace: string, app: string) => this.#kubectl.ready(namespace, `app=${app}`);
    const ours = async (app: string): Promise<Party> => {
      return { pod: await pod(SYSTEM, app), container: app, busybox: '/bin/busybox' };
    };
    const tries = async (namespace: string, app: string): Promise<Party> => {
      return { pod: await pod(namespace, app), container: 'main', busybox: '/bin/busybox' };
    };
    switch (name) {
      case 'tenant':
        return tries(NETWORK_NAMESPACES.tenant, 'tenant');
      case 'impostor':
        return tries(NETWORK_NAMESPACES.tenant, 'autocert');
      case 'prometheus':
        return tries(NETWORK_NAMESPACES.monitoring, 'prometheus');
      case 'guest':
        return tries(SYSTEM, 'guest');
      case 'webhook':
        return ours('autocert');
      case 'signer':
        return ours('autocert-signer');
      case 'ca':
        return { pod: await pod(SYSTEM, 'ca'), container: 'step-ca', busybox: '/run/autocert/programs/busybox' };
    }
  }
}

/** The NetworkPolicies of what `build` makes. */
export function policiesOf(build: (chart: Chart) => unknown): object[] {
  const chart = new Chart(new App(), 'network');
  build(chart);
  return (chart.toJson() as { kind: string }[]).filter(({ kind }) => kind === 'NetworkPolicy');
}

/** Lets peers reach the CA, as `allowFrom` does, until the work is done. */
export async function whileAllowed(
  kubectl: Kubectl,
  allowFrom: NonNullable<StepCaProps['allowFrom']>,
  work: () => Promise<void>,
): Promise<void> {
  await kubectl.apply(policiesOf((chart) => new StepCa(chart, 'ca', { allowFrom })));
  try {
    await work();
  } finally {
    await kubectl.apply(policiesOf((chart) => new StepCa(chart, 'ca')));
  }
}
