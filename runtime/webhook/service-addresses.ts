/**
 * Addresses of the certificate endpoint's Service, for agents in pods without cluster DNS (the host's network).
 * Resolved beforehand and now and then again, so that admission never waits for DNS.
 * @module
 */
import { isIP } from 'node:net';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';

/** Resolves a host name to one address. */
export type Resolve = (host: string) => Promise<string>;

/** The last known addresses. */
export class ServiceAddresses {
  readonly #urls: () => readonly string[];
  readonly #known = new Map<string, string>();

  /** The hosts of these URLs; those that are addresses already need no alias. */
  constructor(urls: () => readonly string[]) {
    this.#urls = urls;
  }

  /** As `AUTOCERT_HOST_ALIASES` has it; hosts that never resolved are left out. */
  get aliases(): string {
    return [...this.#known].map(([host, address]) => `${host}=${address}`).join(',');
  }

  /** Resolves each host again. One that fails keeps its last address: that of a Service changes only with the Service. */
  async refresh(resolve: Resolve, log: Log): Promise<void> {
    const hosts = new Set(this.#urls().map((url) => new URL(url).hostname));
    for (const host of this.#known.keys()) if (!hosts.has(host)) this.#known.delete(host);
    const names = [...hosts].filter((host) => isIP(host.replace(/^\[|\]$/g, '')) === 0);
    const attempts = names.map(async (host) => {
      try {
        this.#known.set(host, await resolve(host));
      } catch (error) {
        if (!this.#known.has(host)) log.warn({ host, reason: messageOf(error) }, 'host alias is not known yet');
      }
    });
    await Promise.all(attempts);
  }
}
