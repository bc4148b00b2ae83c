/**
 * Pods from before a rotation, of both deliveries, which are restarted in each of its phases.
 * @module
 */
import { Annotation, CERTIFICATE_DIR, ContainerName } from '../../../runtime/contract.ts';
import { isReady, type Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { assertCertificate, type CertificateFiles, readFiles } from '../certificates.ts';

const DELIVERIES = ['sidecar', 'native'] as const;
const EACH = 3;
const SLOWLY = { timeoutMs: 2 * 60_000, everyMs: 1000 };

interface OldPod {
  readonly name: string;
  readonly delivery: (typeof DELIVERIES)[number];
}

/** Three pods of each delivery. */
export class OldPods {
  readonly #kubectl: Kubectl;
  readonly #namespace: string;
  readonly #pods: readonly OldPod[];

  constructor(kubectl: Kubectl, namespace: string) {
    this.#kubectl = kubectl;
    this.#namespace = namespace;
    this.#pods = DELIVERIES.flatMap((delivery) =>
      Array.from({ length: EACH }, (_, index) => ({ name: `old-${delivery}-${index + 1}`, delivery })),
    );
  }

  /** Makes them. */
  async start(): Promise<void> {
    const manifests = this.#pods.map(({ name, delivery }) => {
      const annotations = { [Annotation.name]: this.#nameOf(name), [Annotation.delivery]: delivery };
      return testPod(this.#namespace, name, { annotations });
    });
    await this.#kubectl.apply(manifests);
    for (const { name } of this.#pods) await this.#kubectl.ready(this.#namespace, `app=${name}`);
  }

  /**
   * Restarts those of the deliveries in place, agents without anything they have learnt, as after a reboot of their node.
   * Each then has a certificate that is as it must be, soon also as is `wanted`, and greets the server at `url` by the roots
   * that it has.
   */
  async restart(
    url: string,
    wanted: (files: CertificateFiles) => boolean,
    deliveries: readonly OldPod['delivery'][] = DELIVERIES,
  ): Promise<void> {
    const pods = this.#pods.filter(({ delivery }) => deliveries.includes(delivery));
    await Promise.all(
      pods.map(async ({ name, delivery }) => {
        await (delivery === 'sidecar' ? this.#forget(name) : this.#endMain(name));
        const read = async () => {
          const found = await readFiles(this.#kubectl, this.#namespace, name, 'main');
          return wanted(found) && found;
        };
        const files = await waitFor(`the files of ${name}`, read, SLOWLY);
        assertCertificate(files, { name: this.#nameOf(name) });
        await this.#greet(name, url);
      }),
    );
  }

  #nameOf(pod: string): string {
    return `${pod}.${this.#namespace}.svc.cluster.local`;
  }

  /** The agent finds nothing in its volume, and has the roots of its environment only. */
  async #forget(pod: string): Promise<void> {
    const script = `rm -rf ${CERTIFICATE_DIR}/* ${CERTIFICATE_DIR}/..?*; kill $(/bin/busybox pidof sleep)`;
    await this.#kubectl.exec(this.#namespace, pod, ContainerName.renewer, ['/bin/sh', '-c', script]);
  }

  async #endMain(pod: string): Promise<void> {
    const label = `app=${pod}`;
    const before = await this.#kubectl.restarts(this.#namespace, label);
    // The command dies with the container.
    await this.#kubectl.exec(this.#namespace, pod, 'main', ['/bin/sh', '-c', 'kill 1']).catch(() => undefined);
    const isBack = async () => {
      const [found] = await this.#kubectl.pods(this.#namespace, label);
      const restarts = await this.#kubectl.restarts(this.#namespace, label);
      return restarts > before && found !== undefined && isReady(found);
    };
    await waitFor(`${pod} to be back`, isBack, SLOWLY);
  }

  async #greet(pod: string, url: string): Promise<void> {
    const curl = `cd ${CERTIFICATE_DIR}; curl -sS --fail --max-time 10 --cert site.crt --key site.key --cacert root.crt ${url}`;
    await this.#kubectl.exec(this.#namespace, pod, 'main', ['/bin/sh', '-c', curl]);
  }
}
