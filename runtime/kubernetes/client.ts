/**
 * A small typed client of the Kubernetes API: JSON over keep-alive connections of `node:https`, server-side apply and
 * watch.
 * @module
 */
import http from 'node:http';
import https from 'node:https';
import { findApiServer, type KubeconfigFlags, type KubernetesApiOptions } from './credentials.ts';
import { exchange, lines, parseJson, readAll, refusal, unreachable } from './wire.ts';

/** Silence after which a request has failed, and a watch has to be opened anew (bookmarks come each minute). */
const TIMEOUT_MS = 15_000;
const WATCH_TIMEOUT_MS = 100_000;
/** Connections to the API server unless told otherwise; requests beyond them wait. */
const MAX_SOCKETS = 64;

/** Content type of a merge patch (RFC 7396). */
export const MERGE_PATCH = 'application/merge-patch+json';

/** Options of {@link KubernetesApi.request}. */
export interface KubernetesRequest {
  readonly body?: unknown;
  /** @default 'application/json' */
  readonly contentType?: string;
  /** What the answer may be. @default 'application/json' */
  readonly accept?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** An answer of any status as it came, from {@link KubernetesApi.text}. */
export interface TextAnswer {
  readonly status: number;
  readonly text: string;
  /** When the server sent it, by its own clock, to the second. Absent: it did not say. */
  readonly date?: Date;
}

/** Options of {@link KubernetesApi.apply}. */
export interface ApplyOptions {
  /** Take fields over that another manager holds with another value; `false`: refused with `Conflict`. @default true */
  readonly force?: boolean;
  /** Only ask what would come of it. @default false */
  readonly dryRun?: boolean;
}

/** Types of watch events. `ERROR` carries a `Status`, `BOOKMARK` only a resource version. */
export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Client of one API server. */
export class KubernetesApi {
  readonly #base: URL;
  readonly #agent: http.Agent;
  readonly #headers: KubernetesApiOptions['headers'];

  /** @param maxSockets most connections; requests beyond them wait */
  constructor(
    { server, headers, insecure, serverName, namespace: _, ...tls }: KubernetesApiOptions,
    maxSockets = MAX_SOCKETS,
  ) {
    this.#base = new URL(server.endsWith('/') ? server : `${server}/`);
    this.#headers = headers;
    const options = { keepAlive: true, maxSockets, scheduling: 'lifo' } as const;
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
   * Finds the API server: by the flags, else `KUBECONFIG` if set, else the pod's service account, else `~/.kube/config`.
   * @throws AutocertError `INVALID_CONFIG` when there is none, or it wants a kind of credentials that is not supported.
   */
  static load(flags?: KubeconfigFlags): KubernetesApi {
    return new KubernetesApi(findApiServer(process.env, flags));
  }

  /**
   * One request, its answer read as JSON.
   * @throws AutocertError with the status and reason of what the server refuses; `UNAVAILABLE` when it cannot be reached.
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

  /**
   * What is no JSON: logs, and what pods answer through the API server's proxy. Any status is an answer.
   * @throws AutocertError `UNAVAILABLE` when the server cannot be reached
   */
  async text(path: string, query: Readonly<Record<string, string>> = {}): Promise<TextAnswer> {
    const response = await this.#send('GET', path, { accept: '*/*', query }, TIMEOUT_MS);
    const date = new Date(response.headers.date ?? Number.NaN);
    return {
      status: response.statusCode ?? 0,
      text: await readAll(response, `GET ${path}`),
      ...(!Number.isNaN(date.getTime()) && { date }),
    };
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
  apply<T>(path: string, body: unknown, fieldManager: string, options: ApplyOptions = {}): Promise<T> {
    const { force = true, dryRun = false } = options;
    const query = { fieldManager, force: String(force), ...(dryRun && { dryRun: 'All' }) };
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
        accept: request.accept ?? 'application/json',
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
