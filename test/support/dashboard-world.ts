/**
 * A cluster to look at by `autocert dashboard`: all is well with Autocert, and pods are in every state.
 * @module
 */
import { type DashboardEffects, dashboard } from '../../runtime/cli/dashboard/run.ts';
import type { TextAnswer } from '../../runtime/kubernetes/client.ts';
import { issuedMessage } from '../../runtime/step-ca/audit.ts';
import { At, askingPod, SickCluster, systemPod } from './sick-cluster.ts';

const HOUR_MS = 3_600_000;
const REQUESTS = '/apis/certificates.k8s.io/v1/podcertificaterequests';

/** A pod, and what it has. Hours from now, negative ones are past. */
export interface WorldPod {
  readonly name: string;
  readonly namespace: string;
  readonly delivery?: 'native' | 'sidecar';
  /** Of its certificate. */
  readonly begins?: number;
  readonly ends?: number;
  /** Why it gets none. */
  readonly denied?: string;
  readonly warning?: string;
  readonly serial?: string;
}

/** A cluster whose pods can be changed. */
export class DashboardWorld extends SickCluster {
  /** Whether the API server answers at all. */
  answers = true;

  constructor(pods: readonly WorldPod[] = []) {
    super();
    const metrics = (fingerprint: string, hours: number) =>
      `autocert_certificate_not_after_timestamp_seconds{kind="serving",fingerprint="${fingerprint}"} ${this.at(hours).getTime() / 1000}\n`;
    this.lists.set(At.systemPods, [
      systemPod('ca-0', 'ca'),
      systemPod('autocert-6c9d7f5b8-4kq2z', 'autocert'),
      systemPod('autocert-signer-1', 'autocert-signer'),
    ]);
    this.says('autocert-6c9d7f5b8-4kq2z', 9402, 200, 'ok');
    this.texts.set(At.proxy('autocert-6c9d7f5b8-4kq2z', 9402, 'metrics'), {
      status: 200,
      text: metrics('5d0c1be3a7f2946e', 17.4),
    });
    const labelled = (name: string) => ({ metadata: { name, labels: { 'autocert.step.sm': 'enabled' } } });
    const namespaces = [...new Set(pods.map(({ namespace }) => namespace))];
    this.lists.set(At.namespaces, [{ metadata: { name: 'step', labels: {} } }, ...namespaces.map(labelled)]);
    this.setPods(pods);
  }

  /** In so many hours. */
  at(hours: number): Date {
    return new Date(Date.now() + hours * HOUR_MS);
  }

  /** Replaces all pods. */
  setPods(pods: readonly WorldPod[]): void {
    this.lists.set(At.pods, pods.map(podOf));
    this.lists.set(
      REQUESTS,
      pods.filter(isNative).map((pod) => this.#request(pod)),
    );
    this.lists.set(
      At.events,
      pods.filter((pod) => !isNative(pod)).flatMap((pod) => this.#events(pod)),
    );
  }

  override async request<T>(...call: Parameters<SickCluster['request']>): Promise<T> {
    if (!this.answers) throw new Error('connect ECONNREFUSED 10.0.0.1:6443');
    return super.request<T>(...call);
  }

  /** Its clock goes on, and whoever says by it that he is there. */
  override async text(path: string): Promise<TextAnswer> {
    const found = await super.text(path);
    if (path !== '/version') return found;
    const renewTime = new Date().toISOString();
    this.change(At.lease, { spec: { holderIdentity: 'autocert-signer-1', renewTime, leaseDurationSeconds: 15 } });
    this.lists.set(At.nodeLeases, [{ metadata: { name: 'node-1' }, spec: { renewTime } }]);
    return { ...found, date: new Date() };
  }

  #request({ namespace, name, begins, ends, denied }: WorldPod): object {
    const times = begins !== undefined && ends !== undefined ? this.#times(begins, ends) : {};
    const conditions = denied === undefined ? [{ type: 'Issued' }] : [{ type: 'Denied', message: denied }];
    return {
      metadata: { namespace, creationTimestamp: this.at(begins ?? 0).toISOString() },
      spec: { podUID: uidOf({ namespace, name }) },
      status: { conditions, ...times },
    };
  }

  #times(begins: number, ends: number): object {
    const beginRefreshAt = this.at(begins + ((ends - begins) * 2) / 3);
    return {
      notBefore: this.at(begins).toISOString(),
      notAfter: this.at(ends).toISOString(),
      beginRefreshAt: beginRefreshAt.toISOString(),
    };
  }

  #events({ namespace, name, begins, ends, warning, serial = '7f3a' }: WorldPod): object[] {
    const involvedObject = { kind: 'Pod', namespace, name, uid: uidOf({ namespace, name }) };
    const of = (hours: number, rest: object) => ({
      involvedObject,
      lastTimestamp: this.at(hours).toISOString(),
      ...rest,
    });
    const events: object[] = [];
    if (begins !== undefined && ends !== undefined) {
      const issuance = {
        names: [`${name}.${namespace}.svc`],
        serial,
        notAfter: this.at(ends),
        purpose: 'renewal',
      } as const;
      events.push(of(begins, { type: 'Normal', reason: 'CertificateIssued', message: issuedMessage(issuance) }));
    }
    if (warning !== undefined) {
      events.push(of(0, { type: 'Warning', reason: 'CertificateNotObtained', message: warning }));
    }
    return events;
  }
}

const isNative = ({ delivery }: WorldPod) => delivery === 'native';
const uidOf = ({ namespace, name }: Pick<WorldPod, 'namespace' | 'name'>) => `uid-${namespace}-${name}`;

function podOf({ name, namespace, delivery }: WorldPod) {
  const pod = askingPod(name, { namespace, injected: delivery !== undefined });
  return {
    ...pod,
    metadata: { ...pod.metadata, uid: uidOf({ namespace, name }), creationTimestamp: new Date(0).toISOString() },
    spec: {
      ...pod.spec,
      ...(delivery === 'native' && { initContainers: [], volumes: [{ name: 'autocert-certs', projected: {} }] }),
    },
  };
}

/** A dashboard that runs in this process. */
export interface RunningDashboard {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts it, unless `port` says otherwise, on a free one. */
export async function runDashboard(
  store: SickCluster,
  effects: Partial<DashboardEffects> = {},
  port = 0,
): Promise<RunningDashboard> {
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { allNamespaces: true, autocertNamespace: 'step', port };
  const run = dashboard(options, {
    connect: () => ({ api: store }),
    onListening: resolve,
    stop: stop.signal,
    now: () => new Date(),
    monotonic: () => performance.now(),
    ...effects,
  });
  const url = await Promise.race([promise, run.then(() => '')]);
  return {
    url,
    stop: () => {
      stop.abort();
      return run;
    },
  };
}

/** What the screenshots show. */
export const SHOWN: readonly WorldPod[] = [
  { namespace: 'shop', name: 'web-7d9c6b5f4-x2k4q', delivery: 'native', begins: -3, ends: 21 },
  { namespace: 'shop', name: 'web-7d9c6b5f4-m8t5w', delivery: 'native', begins: -9.2, ends: 14.8 },
  { namespace: 'shop', name: 'cart-0', delivery: 'native', begins: -14.1, ends: 9.9 },
  { namespace: 'shop', name: 'worker-5f8d9-k2j8c' },
  { namespace: 'bank', name: 'ledger-0', delivery: 'native', begins: -0.2, ends: 0.8 },
  { namespace: 'bank', name: 'ledger-1', delivery: 'native', begins: -0.5, ends: 0.5 },
  {
    namespace: 'bank',
    name: 'teller-6b7f8-qq7lm',
    delivery: 'native',
    denied: 'NotAllowed: www.example.com is none of the names that namespace bank may have',
  },
  { namespace: 'monitoring', name: 'grafana-58c9d-v6r2x', delivery: 'sidecar' },
  {
    namespace: 'monitoring',
    name: 'prometheus-0',
    delivery: 'sidecar',
    begins: -0.4,
    ends: 23.6,
    serial: '3f8be10a94c2d756',
  },
];
