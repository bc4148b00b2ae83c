/**
 * Where the API server is and how to prove who asks: by the pod's service account, or by a kubeconfig as
 * `@kubernetes/client-node` reads it; its generated API (25 times the size of this program) is left out, so it is
 * imported by file.
 * @module
 */
import type https from 'node:https';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { newClusters, newContexts, newUsers, type User } from '@kubernetes/client-node/dist/config_types.js';
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js';
import { parse } from 'yaml';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { readTextFile } from '../lib/text-file.ts';

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
  /** Namespace of the kubeconfig's context. */
  readonly namespace?: string;
}

/** Which kubeconfig, and what of it: the flags of kubectl. */
export interface KubeconfigFlags {
  /** File. Absent: see {@link findApiServer}. */
  readonly kubeconfig?: string | undefined;
  /** Name of a context. Absent: the current one. */
  readonly context?: string | undefined;
}

/**
 * Finds the API server: the flags if given, else `KUBECONFIG` if set, else the pod's service account, else `~/.kube/config`.
 * @throws AutocertError `INVALID_CONFIG` when there is none, or it wants a kind of credentials that is not supported.
 */
export function findApiServer(env: NodeJS.ProcessEnv, flags: KubeconfigFlags = {}): KubernetesApiOptions {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  const { kubeconfig, context } = flags;
  const isAsked = kubeconfig !== undefined || context !== undefined;
  if (!isAsked && !KUBECONFIG && host) return inCluster(isIPv6(host) ? `[${host}]` : host, port);
  const [usual = join(homedir(), '.kube', 'config')] = KUBECONFIG?.split(delimiter).filter(Boolean) ?? [];
  const file = kubeconfig ?? usual;
  const text = readKubeconfig(file);
  try {
    return fromKubeconfig(text, dirname(resolve(file)), context);
  } catch (error) {
    throw new AutocertError('INVALID_CONFIG', `cannot use kubeconfig ${file}`, { cause: error });
  }
}

function readKubeconfig(file: string): string {
  try {
    return readTextFile(file);
  } catch (error) {
    const message = `no cluster is known: ${messageOf(error)}; name a kubeconfig by --kubeconfig FILE or KUBECONFIG`;
    throw new AutocertError('INVALID_CONFIG', message);
  }
}

function inCluster(host: string, port: string): KubernetesApiOptions {
  return {
    server: `https://${host}:${port}`,
    ca: readTextFile(join(SERVICE_ACCOUNT, 'ca.crt')),
    headers: bearerFrom(join(SERVICE_ACCOUNT, 'token')),
  };
}

function bearerFrom(file: string): () => Headers {
  let headers: Headers = {};
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (Date.now() - readAt > TOKEN_CACHE_MS) {
      headers = { authorization: `Bearer ${readTextFile(file).trim()}` };
      readAt = Date.now();
    }
    return headers;
  };
}

/** A context of a kubeconfig, by default the current one; file names in it are relative to `folder`. */
function fromKubeconfig(text: string, folder: string, asked: string | undefined): KubernetesApiOptions {
  const config = parse(text) as Record<string, unknown> | null;
  const wanted = asked ?? config?.['current-context'];
  const context = newContexts(config?.contexts).find(({ name }) => name === wanted);
  if (asked !== undefined && !context) throw new Error(`there is no context ${JSON.stringify(asked.slice(0, 253))}`);
  const cluster = newClusters(config?.clusters).find(({ name }) => name === context?.cluster);
  const user = newUsers(config?.users).find(({ name }) => name === context?.user);
  if (!cluster || !user) throw new Error('current-context does not name a context with a cluster and a user');
  const pem = (data: string | undefined, file: string | undefined) =>
    data ? Buffer.from(data, 'base64').toString('utf8') : file ? readTextFile(resolve(folder, file)) : undefined;
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
    ...(context?.namespace && { namespace: context.namespace }),
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
