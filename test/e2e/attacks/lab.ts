/**
 * Where attacks take place: a tenant with role `edit` in one labelled namespace, a pod of that tenant with a certificate
 * of its own, and a neighbour who has what the tenant wants.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, AttestationToken, CERTIFICATE_PORT } from '../../../runtime/contract.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { Kubectl, type KubernetesObject, type Pod } from '../../../scripts/cluster/kubectl.ts';
import { processesOfContainer } from '../../../scripts/cluster/processes.ts';
import { type Result, type RunOptions, tryRun, type WaitOptions, waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, type PodOptions, testPod } from '../../../scripts/cluster/workloads.ts';
import { type Context, SYSTEM } from '../context.ts';
import type { Defence } from './attack.ts';

/** The attacker's namespace, the neighbour's, and one that is not labelled. */
export const ATTACK_NAMESPACES = { tenant: 'e2e-mallory', victim: 'e2e-alice', bare: 'e2e-bare' } as const;

const { tenant: TENANT, victim: VICTIM, bare: BARE } = ATTACK_NAMESPACES;
/** ServiceAccount of the tenant, and the tenant's pod. */
const ACCOUNT = 'mallory';
const FOOTHOLD = 'foothold';

/** What the tenant wants. */
export const VICTIMS_NAME = `pay.${VICTIM}.svc.cluster.local`;

/** An answer over HTTP; status 0: there was none. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** The place, and what attacks are made with. */
export class Lab {
  readonly context: Context;
  readonly admin: Kubectl;
  /** With the tenant's token. */
  readonly tenant: Kubectl;
  /** With the credentials of the node's kubelet. */
  readonly node: Kubectl;
  #number = 0;

  private constructor(context: Context, tenant: Kubectl, node: Kubectl) {
    this.context = context;
    this.admin = context.kubectl;
    this.tenant = tenant;
    this.node = node;
  }

  /** Makes namespaces, tenant and pods; waits until the tenant's pod has its certificate. */
  static async open(context: Context): Promise<Lab> {
    const { kubectl } = context;
    const baseline = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    const labelled = [TENANT, VICTIM].map((name) => {
      const namespace = enabledNamespace(name) as { metadata: { labels: object } };
      return {
        ...namespace,
        metadata: { ...namespace.metadata, labels: { ...namespace.metadata.labels, ...baseline } },
      };
    });
    await kubectl.apply([...labelled, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: BARE } }]);
    const rbac = 'rbac.authorization.k8s.io';
    await kubectl.apply([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: ACCOUNT, namespace: TENANT } },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: ACCOUNT, namespace: TENANT },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'edit' },
        subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: TENANT }],
      },
    ]);
    const token = (await kubectl.run(['-n', TENANT, 'create', 'token', ACCOUNT, '--duration=3h'])).trim();
    const tenant = new Kubectl(await withUser(context, ACCOUNT, { token }));
    const own = { [Annotation.name]: ownName(FOOTHOLD), [Annotation.delivery]: 'sidecar' };
    const pay = { [Annotation.name]: VICTIMS_NAME };
    await waitFor('the pods of tenant and neighbour', async () =>
      kubectl.apply([testPod(TENANT, FOOTHOLD, { annotations: own }), testPod(VICTIM, 'pay', { annotations: pay })]),
    );
    await kubectl.ready(TENANT, `app=${FOOTHOLD}`);
    await kubectl.ready(VICTIM, 'app=pay');
    return new Lab(context, tenant, new Kubectl(kubeletArgv(kubectl)));
  }

  /** A name for an object that no other attack uses. */
  unique(prefix: string): string {
    return `${prefix}-${++this.#number}`;
  }

  /** Creates an object for real, as whoever. */
  create(kubectl: Kubectl, object: object, args: readonly string[] = []): Promise<Result> {
    return kubectl.try(['create', '-f', '-', ...args], { input: JSON.stringify(object), timeoutMs: 60_000 });
  }

  /** A pod of the tenant's. */
  pod(
    name: string,
    annotations: Readonly<Record<string, string>>,
    options: PodOptions = {},
  ): ReturnType<typeof testPod> {
    return testPod(TENANT, name, { ...options, annotations });
  }

  /** Runs a command in the tenant's pod. */
  inPod(command: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.admin.try(['-n', TENANT, 'exec', '-i', FOOTHOLD, '-c', 'main', '--', ...command], options);
  }

  /** An HTTP request of the tenant's pod, without a look at the server's certificate. */
  async curl(url: string, args: readonly string[] = [], input = ''): Promise<HttpAnswer> {
    const quiet = ['-s', '-k', '--connect-timeout', '4', '--max-time', '20', '-w', '\n%{http_code}'];
    const { stdout } = await this.inPod(['curl', ...quiet, ...args, url], { input, timeoutMs: 60_000 });
    const at = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(at + 1)) || 0, body: stdout.slice(0, at) };
  }

  /** Asks the certificate endpoint, from the tenant's pod. */
  async ask(token: string, body?: unknown, path = 'certificate'): Promise<HttpAnswer> {
    const given = body ?? { csr: (await createKeyAndRequest()).csrPem };
    const headers = ['-H', 'content-type: application/json', '-H', `authorization: Bearer ${token}`];
    const url = `https://autocert.${SYSTEM}.svc:${CERTIFICATE_PORT}/${path}`;
    return this.curl(
      url,
      [...headers, '--data-binary', '@-'],
      typeof given === 'string' ? given : JSON.stringify(given),
    );
  }

  /** Asks until the answer is another than a certificate: the API server remembers a good token for ten seconds. */
  refusalOf(token: string, patience?: WaitOptions): Promise<HttpAnswer> {
    const asked = async () => {
      const answer = await this.ask(token);
      return answer.status !== 200 && answer;
    };
    return waitFor('the refusal', asked, patience);
  }

  /** A pod that admission must deny the tenant; the webhook's log tells of it. */
  async denied(pod: ReturnType<typeof testPod>): Promise<Defence> {
    const since = new Date();
    const { code, stderr } = await this.create(this.tenant, pod);
    assert.notEqual(code, 0, 'it was admitted');
    const trace = await this.log('autocert', new RegExp(`"pod":"${pod.metadata.name}".*"result":"denied"`), since);
    return { happened: `refused: ${firstLine(stderr)}`, trace };
  }

  /** The attestation token of one of the tenant's pods, as its agent has it. */
  async tokenOf(pod: string = FOOTHOLD): Promise<string> {
    const { uid } = (await this.admin.json<Pod>(['-n', TENANT, 'get', 'pod', pod])).metadata;
    const bound = ['--bound-object-kind=Pod', `--bound-object-name=${pod}`, `--bound-object-uid=${uid}`];
    const which = ['default', `--audience=${AttestationToken.audience}`, ...bound];
    return (await this.admin.run(['-n', TENANT, 'create', 'token', ...which])).trim();
  }

  /** Processes of this machine's files, in the network of the tenant's pod. */
  async inPodNetwork(argv: readonly string[]): Promise<string[]> {
    const pod = await this.admin.json<Pod>(['-n', TENANT, 'get', 'pod', FOOTHOLD]);
    const id = pod.status.containerStatuses?.[0]?.containerID?.replace(/^.*:\/\//, '') ?? 'none';
    const [first] = processesOfContainer(id);
    assert(first, 'the tenant’s pod has a process');
    return ['nsenter', `--target=${first.pid}`, '--net', '--', ...argv];
  }

  /** A log line of one of our programs, since a time, that matches. */
  log(app: string, pattern: RegExp, since: Date): Promise<string> {
    const args = ['-n', SYSTEM, 'logs', '-l', `app=${app}`, '--tail=-1', `--since-time=${since.toISOString()}`];
    return waitFor(
      `a line ${pattern} in the log of ${app}`,
      async () => (await this.admin.run(args)).split('\n').find((line) => pattern.test(line)),
      { timeoutMs: 20_000 },
    );
  }

  /** The message of an Event about an object that matches. */
  event(namespace: string, name: string, pattern: RegExp, timeoutMs = 60_000): Promise<string> {
    return waitFor(
      `an event ${pattern} of ${name}`,
      async () => {
        const selector = `involvedObject.name=${name}`;
        const { items } = await this.admin.json<{
          items: readonly (KubernetesObject & { reason: string; message: string })[];
        }>([...['-n', namespace, 'get', 'events', '--field-selector', selector]]);
        const found = items.find(({ reason, message }) => pattern.test(`${reason}: ${message}`));
        return found && `Event ${found.reason}: ${found.message}`;
      },
      { timeoutMs, everyMs: 500 },
    );
  }

  /** The sum of the API server's samples whose line matches. */
  async apiMetric(pattern: RegExp): Promise<number> {
    const lines = (await this.admin.run(['get', '--raw', '/metrics'])).split('\n');
    return lines.filter((line) => pattern.test(line)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Does something that must raise a count of the API server's; the trace is the metric. */
  async counted<T>(metric: string, work: () => Promise<T>): Promise<{ readonly result: T; readonly trace: string }> {
    const pattern = new RegExp(`^${metric}`);
    const before = await this.apiMetric(pattern);
    const result = await work();
    const after = await waitFor(`${metric} to rise`, async () => {
      const now = await this.apiMetric(pattern);
      return now > before && now;
    });
    return { result, trace: `API server: ${metric.replaceAll('\\', '').replace('.*', '…')} +${after - before}` };
  }

  /** Something the API server must refuse whoever asks: `Forbidden` by RBAC, NodeRestriction or a policy. */
  async forbidden(work: () => Promise<Result>, pattern = /Forbidden|forbidden|denied/): Promise<Defence> {
    const { result, trace } = await this.counted(REFUSALS, async () => {
      const result = await work();
      assert.notEqual(result.code, 0, `it was allowed: ${result.stdout.slice(0, 300)}`);
      assert.match(result.stderr, pattern);
      return result;
    });
    return { happened: `refused: ${firstLine(result.stderr)}`, trace };
  }

  /** Packets that the network has refused, on a node of our own that enforces NetworkPolicies. */
  async refusedPackets(): Promise<number | undefined> {
    const { inNetwork, ownNode } = this.context;
    if (!ownNode) return undefined;
    const { stdout } = await tryRun(inNetwork(['iptables-legacy-save', '-c', '-t', 'filter']));
    const counts = stdout.split('\n').map((line) => /^\[(\d+):\d+\] .*-j (?:REJECT|DROP)/.exec(line)?.[1]);
    return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
  }

  /** Samples of our programs' metrics that match, in one line. */
  async gauge(app: string, pattern: RegExp): Promise<string> {
    const pods = await this.admin.pods(SYSTEM, `app=${app}`);
    const texts = await Promise.all(pods.map((pod) => this.admin.metrics(pod, 9402)));
    const lines = texts.flatMap((text) =>
      text.split('\n').filter((line) => !line.startsWith('#') && pattern.test(line)),
    );
    assert(lines.length > 0, `${app} has no metric ${pattern}`);
    return `metrics: ${lines.slice(0, 4).join(', ')}`;
  }

  /** How often our containers were restarted. */
  async restarts(): Promise<number> {
    return this.admin.restarts(SYSTEM, 'app in (autocert, autocert-signer, ca)');
  }

  /** Seconds until a new pod of the neighbour has its certificate. */
  async neighbour(delivery: 'native' | 'sidecar', timeoutMs = 60_000): Promise<number> {
    const name = this.unique('neighbour');
    const annotations = { [Annotation.name]: `${name}.${VICTIM}.svc`, [Annotation.delivery]: delivery };
    const started = Date.now();
    await waitFor(
      'the neighbour’s pod to be admitted',
      () => this.admin.apply([testPod(VICTIM, name, { annotations })]),
      { timeoutMs },
    );
    await this.admin.ready(VICTIM, `app=${name}`, { timeoutMs });
    const seconds = (Date.now() - started) / 1000;
    await this.admin.run(['-n', VICTIM, 'delete', 'pod', name, '--wait=false']);
    return seconds;
  }

  /** Deletes pods of the tenant's, without waiting for them. */
  async remove(...pods: readonly string[]): Promise<void> {
    if (pods.length > 0)
      await this.admin.try([
        '-n',
        TENANT,
        'delete',
        'pod',
        ...pods,
        '--wait=false',
        '--ignore-not-found',
        '--grace-period=1',
      ]);
  }

  /** Removes it all. */
  async close(): Promise<void> {
    await this.admin.try([
      'delete',
      'namespace',
      ...Object.values(ATTACK_NAMESPACES),
      '--wait=false',
      '--ignore-not-found',
    ]);
  }
}

/** What admission, Pod Security and NodeRestriction refuse; and what RBAC does, which is no request to a resource yet. */
const REFUSALS =
  '(apiserver_request_total\\{code="(403|422|500)"|authorization_attempts_total\\{result="(denied|no-opinion)")';

/** A name that pods of the tenant's namespace may have. */
export function ownName(service: string): string {
  return `${service}.${TENANT}.svc.cluster.local`;
}

/** The first line, shortened. */
export function firstLine(text: string): string {
  const [line = ''] = text.trim().split('\n');
  return line.replace(/^Error from server( \(\w+\))?: (error when creating "STDIN": )?/, '').slice(0, 160);
}

/** kubectl as another user of the same cluster. */
async function withUser({ kubectl, scratch }: Context, name: string, user: object): Promise<string[]> {
  const config = await kubectl.json<{ clusters: object[] }>(['config', 'view', '--raw', '--minify', '--flatten']);
  const [cluster] = config.clusters as [{ name: string }];
  const file = join(scratch, `${name}.kubeconfig`);
  const context = { name, context: { cluster: cluster.name, user: name } };
  const users = [{ name, user }];
  writeFileSync(file, JSON.stringify({ ...config, users, contexts: [context], 'current-context': name }), {
    mode: 0o600,
  });
  const argv = kubectl.argv.filter((word) => !word.startsWith('--kubeconfig='));
  return [...argv, `--kubeconfig=${file}`];
}

/** Beside the administrator's credentials are those of the node's kubelet, if the node is ours. */
function kubeletArgv({ argv }: Kubectl): string[] {
  return argv.map((word) => word.replace(/^(--kubeconfig=.*\/)admin\.kubeconfig$/, '$1kubelet.kubeconfig'));
}
