/**
 * A small typed client of the Kubernetes API: JSON over keep-alive connections of `node:https`, server-side apply and
 * watch. Credentials come from the pod's service account, or from a kubeconfig as `@kubernetes/client-node` reads it;
 * its generated API (25 times the size of this program) is left out, so it is imported by file.
 * @module
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { newClusters, newContexts, newUsers, type User } from '@kubernetes/client-node/dist/config_types.js';
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js';
import { parse } from 'yaml';
import { AutocertError, messageOf } from './errors.ts';
import { exchange, lines, parseJson, readAll, refusal, unreachable } from './kubernetes-wire.ts';

export { KubernetesApiError } from './kubernetes-wire.ts';

/** Silence after which a request has failed, and a watch has to be opened anew (bookmarks come each minute). */
const TIMEOUT_MS = 15_000;
const WATCH_TIMEOUT_MS = 330_000;
/** Connections to the API server; requests beyond them wait. */
const MAX_SOCKETS = 64;
/** How long a token file's content is used: kubelet writes a new one long before the old one ends. */
const TOKEN_CACHE_MS = 60_000;

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

type Headers = Readonly<Record<string, string>>;

/** Where the API server is and how to prove who asks. */
export interface KubernetesApiOptions {
  /** Base URL, such as `https://10.96.0.1`. */
  readonly server: string;
  /** CA bundle of the server, PEM. */
  readonly ca?: string;
  /** Headers of each request, such as `Authorization`. */
  readonly headers: () => Promise<Headers> | Headers;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Name to verify the server's certificate by, if not the URL's host. */
  readonly serverName?: string;
  /** `true`: the kubeconfig says `insecure-skip-tls-verify`. */
  readonly insecure?: boolean;
}

/** Options of {@link KubernetesApi.request}. */
export interface KubernetesRequest {
  readonly body?: unknown;
  /** @default 'application/json' */
  readonly contentType?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Types of watch events. `ERROR` carries a `Status`, `BOOKMARK` only a resource version. */
export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Client of one API server. */
export class KubernetesApi {
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #headers: KubernetesApiOptions['headers'];

  constructor({ server, headers, insecure, serverName, ...tls }: KubernetesApiOptions) {
    this.#base = new URL(server.endsWith('/') ? server : `${server}/`);
    this.#headers = headers;
    const options = { keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: 'lifo' } as const;
    this.#agent =
      this.#base.protocol === 'http:'
        ? new http.Agent(options)
        : new https.Agent({
            ...options,
            ...tls,
            ...(serverName && { servername: serverName }),
            ...(insecure && { rejectUnauthorized: false }),
          });
  }

  /**
   * Finds the API server: `KUBECONFIG` if set, else the pod's service account, else `~/.kube/config`.
   * @throws AutocertError `INVALID_CONFIG` when there is none, or it wants a kind of credentials that is not supported.
   */
  static load(): KubernetesApi {
    const { KUBECONFIG, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
    if (!KUBECONFIG && host) return new KubernetesApi(inCluster(isIPv6(host) ? `[${host}]` : host, port));
    const [file = ''] = KUBECONFIG?.split(delimiter).filter(Boolean) ?? [join(homedir(), '.kube', 'config')];
    try {
      return new KubernetesApi(fromKubeconfig(readFileSync(file, 'utf8'), dirname(resolve(file))));
    } catch (error) {
      throw new AutocertError('INVALID_CONFIG', `cannot use kubeconfig ${file}`, { cause: error });
    }
  }

  /**
   * One request, its answer read as JSON.
   * @throws KubernetesApiError what the server refuses; AutocertError `UNAVAILABLE` when it cannot be reached.
   */
  async request<T>(method: string, path: string, options: KubernetesRequest = {}): Promise<T> {
    const response = await this.#send(method, path, options, TIMEOUT_MS);
    const text = await readAll(response, `${method} ${path}`);
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw refusal(status, text, `${method} ${path}`);
    return parseJson(text, `${method} ${path}`) as T;
  }

  /** Reads an object or a list. */
  get<T>(path: string): Promise<T> {
    return this.request<T>('GET', path);
  }

  /** Creates an object; `path` is that of its collection. */
  create<T>(path: string, body: unknown): Promise<T> {
    return this.request<T>('POST', path, { body });
  }

  /** Replaces an object; refused with `Conflict` if `resourceVersion` is given and no longer the current one. */
  update<T>(path: string, body: unknown): Promise<T> {
    return this.request<T>('PUT', path, { body });
  }

  /** Server-side apply: creates the object or takes over exactly the fields that `body` has. */
  apply<T>(path: string, body: unknown, fieldManager: string): Promise<T> {
    const query = { fieldManager, force: 'true' };
    return this.request<T>('PATCH', path, { body, query, contentType: 'application/apply-patch+yaml' });
  }

  /**
   * Watches a collection; resolves when the stream ends or `signal` aborts. The caller opens the next one.
   * @throws what {@link KubernetesApi.request} throws, and whatever `onEvent` throws, which ends the watch.
   */
  async watch<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    onEvent: (type: WatchEventType, object: T) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `watch ${path}`;
    try {
      const response = await this.#send('GET', path, { query: { ...query, watch: '1' }, signal }, WATCH_TIMEOUT_MS);
      const status = response.statusCode ?? 0;
      if (status !== 200) throw refusal(status, await readAll(response, what), what);
      for await (const line of lines(response, what)) {
        const { type, object } = parseJson(line, what) as { type: WatchEventType; object: T };
        onEvent(type, object);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #send(
    method: string,
    path: string,
    request: KubernetesRequest,
    timeout: number,
  ): Promise<http.IncomingMessage> {
    const url = new URL(path.replace(/^\//, ''), this.#base);
    for (const [key, value] of Object.entries(request.query ?? {})) url.searchParams.set(key, value);
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const options: https.RequestOptions = {
      method,
      agent: this.#agent,
      timeout,
      headers: {
        accept: 'application/json',
        ...(payload && { 'content-type': request.contentType ?? 'application/json', 'content-length': payload.length }),
        ...(await this.#headers()),
      },
      ...(request.signal && { signal: request.signal }),
    };
    try {
      return await exchange(url, options, payload);
    } catch (error) {
      throw unreachable(`${method} ${path}`, error);
    }
  }
}

function inCluster(host: string, port: string): KubernetesApiOptions {
  return {
    server: `https://${host}:${port}`,
    ca: readFileSync(join(SERVICE_ACCOUNT, 'ca.crt'), 'utf8'),
    headers: bearerFrom(join(SERVICE_ACCOUNT, 'token')),
  };
}

function bearerFrom(file: string): () => Headers {
  let headers: Headers = {};
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (Date.now() - readAt > TOKEN_CACHE_MS) {
      headers = { authorization: `Bearer ${readFileSync(file, 'utf8').trim()}` };
      readAt = Date.now();
    }
    return headers;
  };
}

/** The current context of a kubeconfig; file names in it are relative to `folder`. */
function fromKubeconfig(text: string, folder: string): KubernetesApiOptions {
  const config = parse(text) as Record<string, unknown> | null;
  const context = newContexts(config?.contexts).find(({ name }) => name === config?.['current-context']);
  const cluster = newClusters(config?.clusters).find(({ name }) => name === context?.cluster);
  const user = newUsers(config?.users).find(({ name }) => name === context?.user);
  if (!cluster || !user) throw new Error('current-context does not name a context with a cluster and a user');
  const pem = (data: string | undefined, file: string | undefined) =>
    data
      ? Buffer.from(data, 'base64').toString('utf8')
      : file
        ? readFileSync(resolve(folder, file), 'utf8')
        : undefined;
  const ca = pem(cluster.caData, cluster.caFile);
  const cert = pem(user.certData, user.certFile);
  const key = pem(user.keyData, user.keyFile);
  return {
    server: cluster.server,
    headers: credentials(user),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(cluster.tlsServerName !== undefined && { serverName: cluster.tlsServerName }),
    insecure: cluster.skipTLSVerify,
  };
}

function credentials(user: User): KubernetesApiOptions['headers'] {
  const as: Headers = user.impersonateUser ? { 'impersonate-user': user.impersonateUser } : {};
  if (user.token) return () => ({ authorization: `Bearer ${user.token}`, ...as });
  if (user.username) {
    const basic = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
    return () => ({ authorization: `Basic ${basic}`, ...as });
  }
  if (user.exec) return execCredentials(user, as);
  if (user.authProvider) {
    throw new Error(`auth-provider ${JSON.stringify(user.authProvider.name)} is not supported; use an exec plugin`);
  }
  return () => as;
}

function execCredentials(user: User, as: Headers): KubernetesApiOptions['headers'] {
  const plugin = new ExecAuth();
  return async () => {
    const options: https.RequestOptions = { headers: {} };
    try {
      await plugin.applyAuthentication(user, options);
    } catch (error) {
      throw new AutocertError('UNAUTHENTICATED', `the kubeconfig's exec plugin failed: ${messageOf(error)}`);
    }
    if (options.cert)
      throw new AutocertError('INVALID_CONFIG', 'exec plugins that give client certificates are not supported');
    return { ...(options.headers as Headers), ...as };
  };
}
