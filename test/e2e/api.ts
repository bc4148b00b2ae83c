/**
 * The API server by way of `kubectl proxy` and a socket: a request costs a millisecond where another kubectl would cost a
 * tenth of a second of a CPU that pods are to start on.
 * @module
 */
import { existsSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { background, waitFor } from '../../scripts/cluster/shell.ts';

const TIMEOUT_MS = 15_000;

/** An answer other than 2xx; status 0: none came. */
export class ApiRefusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(`${status}: ${text.slice(0, 600)}`);
    this.name = 'ApiRefusal';
    this.status = status;
  }
}

/** The API server, as the administrator. */
export class Api {
  readonly #socket: string;
  readonly #stop: () => Promise<void>;

  private constructor(socket: string, stop: () => Promise<void>) {
    this.#socket = socket;
    this.#stop = stop;
  }

  static async open(kubectl: Kubectl, scratch: string): Promise<Api> {
    const socket = join(scratch, 'api.sock');
    rmSync(socket, { force: true });
    const proxy = background([...kubectl.argv, 'proxy', `--unix-socket=${socket}`]);
    await waitFor('kubectl proxy', async () => existsSync(socket), { everyMs: 50 });
    return new Api(socket, proxy.stop);
  }

  /** Ends the proxy. */
  close(): Promise<void> {
    return this.#stop();
  }

  get<T>(path: string): Promise<T> {
    return this.#send('GET', path) as Promise<T>;
  }

  post<T>(path: string, body: object): Promise<T> {
    return this.#send('POST', path, body) as Promise<T>;
  }

  delete(path: string): Promise<unknown> {
    return this.#send('DELETE', path, { gracePeriodSeconds: 1 });
  }

  #send(method: string, path: string, body?: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const options = { socketPath: this.#socket, method, path, headers, timeout: TIMEOUT_MS };
      const call = request(options, (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            text += chunk;
          })
          .on('error', (error) => reject(new ApiRefusal(0, error.message)))
          .on('end', () => {
            const status = response.statusCode ?? 0;
            if (status < 200 || status > 299) return reject(new ApiRefusal(status, text));
            try {
              resolve(JSON.parse(text));
            } catch (error) {
              reject(new ApiRefusal(status, String(error)));
            }
          });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      call.on('error', (error) => reject(new ApiRefusal(0, error.message)));
      call.end(body && JSON.stringify(body));
    });
  }
}
