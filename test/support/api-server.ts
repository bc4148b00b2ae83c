/**
 * A real kube-apiserver on loopback, with an etcd and nothing else: no controller, no scheduler, no kubelet, so what is
 * made in it stays as it is. For what only the API server can answer: whether it takes an object, and what its admission
 * policies say of it.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubeconfig } from '../../runtime/kubernetes/kubeconfig.ts';
import { freePorts } from '../../runtime/lib/free-ports.ts';
import { makeClusterPki } from '../../scripts/cluster/pki.ts';
import { ensureKubernetes, ensurePrograms } from '../../scripts/cluster/programs.ts';
import { BIN, KUBERNETES_BIN } from '../../scripts/cluster/settings.ts';
import { type Background, background, tied, waitFor } from '../../scripts/cluster/shell.ts';

/** What the API server answers. */
export interface ApiReply {
  readonly status: number;
  /** The object, or a `Status` that says what is wrong. */
  // biome-ignore lint/suspicious/noExplicitAny: looked at as the JSON it is
  readonly body: any;
}

/** An API server that runs, and its administrator. */
export class ApiServer implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #token: string;
  readonly #port: number;
  readonly #end: () => Promise<void>;

  /** A kubeconfig for the administrator; it is gone when the server is. */
  readonly kubeconfig: string;

  private constructor(port: number, token: string, dir: string, end: () => Promise<void>) {
    this.#port = port;
    this.#token = token;
    this.kubeconfig = join(dir, 'kubeconfig');
    const ca = readFileSync(join(dir, 'pki/ca.crt'), 'utf8');
    const cluster = {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority-data': Buffer.from(ca).toString('base64'),
    };
    writeFileSync(this.kubeconfig, kubeconfig(cluster, { token }), { mode: 0o600 });
    this.#agent = new Agent({ keepAlive: true, maxSockets: 32, ca });
    this.#end = end;
  }

  /**
   * Starts one; ready when it says so. Builds the programs where they are missing, which takes minutes.
   * @param more flags of kube-apiserver besides those that it always has
   */
  static async start(more: Readonly<Record<string, string>> = {}): Promise<ApiServer> {
    await ensurePrograms(() => undefined, ['etcd']);
    await ensureKubernetes(() => undefined);
    const dir = mkdtempSync(join(tmpdir(), 'autocert-api-server-'));
    const programs: Background[] = [];
    const end = async () => {
      for (const { stop } of programs.toReversed()) await stop('SIGKILL'); // nothing of it is wanted any more
      rmSync(dir, { recursive: true, force: true });
    };
    try {
      await makeClusterPki(dir);
      const [client = 0, peer = 0, secure = 0] = await freePorts(3);
      const token = randomBytes(16).toString('hex');
      writeFileSync(join(dir, 'tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
      programs.push(launch(dir, join(BIN, 'etcd'), etcdFlags(dir, client, peer)));
      programs.push(
        launch(dir, join(KUBERNETES_BIN, 'kube-apiserver'), { ...apiServerFlags(dir, client, secure), ...more }),
      );
      const server = new ApiServer(secure, token, dir, async () => {
        server.#agent.destroy();
        await end();
      });
      await waitFor('the API server', async () => (await server.get('/readyz')).status === 200, {
        timeoutMs: 180_000,
        needs: programs,
      });
      return server;
    } catch (error) {
      await end();
      throw error;
    }
  }

  get(path: string): Promise<ApiReply> {
    return this.send('GET', path);
  }

  /** Makes an object; `dryRun`: the answer is the same and nothing is made. */
  create(path: string, object: object | string, dryRun = false): Promise<ApiReply> {
    return this.send('POST', dryRun ? `${path}?dryRun=All` : path, object);
  }

  /** Any request; a text is sent as it is. */
  send(method: string, path: string, body?: object | string): Promise<ApiReply> {
    const headers = { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path, headers, timeout: 30_000 };
    return new Promise((resolve, reject) => {
      const call = request(options, async (response) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of response) chunks.push(chunk as Buffer);
        } catch (error) {
          return reject(error);
        }
        const text = Buffer.concat(chunks).toString();
        const isJson = response.headers['content-type']?.startsWith('application/json') === true;
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer to ${method} ${path}`))).on('error', reject);
      call.end(typeof body === 'object' ? JSON.stringify(body) : body);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }
}

function launch(dir: string, program: string, flags: Readonly<Record<string, string>>): Background {
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return background(tied([program, ...args]), { log: join(dir, 'log'), holds: false });
}

function etcdFlags(dir: string, client: number, peer: number): Record<string, string> {
  const url = `http://127.0.0.1:${client}`;
  return {
    'data-dir': join(dir, 'etcd'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': `http://127.0.0.1:${peer}`,
    'initial-advertise-peer-urls': `http://127.0.0.1:${peer}`,
    'initial-cluster': `default=http://127.0.0.1:${peer}`,
    'unsafe-no-fsync': 'true',
    'log-level': 'warn',
  };
}

function apiServerFlags(dir: string, etcd: number, port: number): Record<string, string> {
  const pki = (file: string) => join(dir, 'pki', file);
  return {
    'etcd-servers': `http://127.0.0.1:${etcd}`,
    'bind-address': '127.0.0.1',
    'advertise-address': '127.0.0.1',
    'secure-port': String(port),
    'service-cluster-ip-range': '198.19.0.0/16',
    'authorization-mode': 'RBAC',
    'token-auth-file': join(dir, 'tokens.csv'),
    'tls-cert-file': pki('apiserver.crt'),
    'tls-private-key-file': pki('apiserver.key'),
    'client-ca-file': pki('ca.crt'),
    'service-account-key-file': pki('service-account.pub'),
    'service-account-signing-key-file': pki('service-account.key'),
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    'endpoint-reconciler-type': 'none', // it would publish loopback, which endpoints may not be
    'max-requests-inflight': '0',
    'max-mutating-requests-inflight': '0',
    'enable-priority-and-fairness': 'false',
  };
}
