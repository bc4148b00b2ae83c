/**
 * How the control plane leads its agents: when to renew, which roots to trust, which certificates to replace early.
 * The model is RFC 9773 (ACME Renewal Information).
 * @module
 */
import { RENEW_ALL, RENEWALS_CONFIG_MAP, type RenewalInfo } from '../contract.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import { ifFound } from '../kubernetes/cluster-state.ts';
import { AutocertError } from '../lib/errors.ts';
import { windowFor } from '../policy/renewal.ts';
import { CERTIFICATES_PER_SECOND } from './pacer.ts';

/** What the answers are made from. */
export interface RenewalInfoPorts {
  readonly issuer: { readonly roots: readonly string[]; readonly anchors: readonly string[] };
  /** The usual lifetime of a certificate, milliseconds. */
  readonly lifetimeMs: () => number;
  readonly now: () => Date;
}

/** Agents ask again after this time, give or take a quarter: with the spread of replacements well within ten minutes. */
const ASK_AGAIN_SECONDS = 240;
/** Replacements are spread over this time. */
const REPLACE_WITHIN_SECONDS = 180;
/** Certificates issued within this time are due together. */
const TOGETHER_MS = 60_000;
/** More namespaces than any cluster has. */
const MAX_ENTRIES = 10_000;

/** Keeps what is to be replaced, and how many certificates were issued together of late. */
export class RenewalInformation {
  readonly #ports: RenewalInfoPorts;
  #replacements: ReadonlyMap<string, number> = new Map();
  /** Certificates issued since `since`, and the most in any such time before; it fades, by half a lifetime. */
  #issued = { since: 0, count: 0, peak: 0 };

  constructor(ports: RenewalInfoPorts) {
    this.#ports = ports;
  }

  /** For the certificates of a namespace. @throws AutocertError `UNAVAILABLE` before the roots are known */
  for(namespace: string): RenewalInfo {
    const { issuer, lifetimeMs } = this.#ports;
    if (issuer.roots.length === 0) throw new AutocertError('UNAVAILABLE', 'the roots are not known yet; try again');
    const time = this.replaceBefore(namespace);
    const together = Math.max(this.#issued.count, this.#issued.peak);
    return {
      suggestedWindow: windowFor(together, CERTIFICATES_PER_SECOND, lifetimeMs()),
      roots: issuer.roots.join(''),
      anchors: issuer.anchors.join(''),
      ...(time > 0 && {
        replace: { issuedBefore: new Date(time).toISOString(), withinSeconds: REPLACE_WITHIN_SECONDS },
      }),
      askAgainSeconds: ASK_AGAIN_SECONDS,
    };
  }

  /** Before when certificates of a namespace must have been issued to be replaced early, Unix time, milliseconds; 0: none. */
  replaceBefore(namespace: string): number {
    const times = [RENEW_ALL, namespace].map((key) => this.#replacements.get(key) ?? 0);
    // A time to come counts when it has come: before, certificates would be replaced over and over.
    return Math.max(0, ...times.filter((asked) => asked <= this.#ports.now().getTime()));
  }

  /** Counts a certificate: where many are issued together, the window is wider. */
  issued(): void {
    const at = this.#ports.now().getTime();
    const elapsed = at - this.#issued.since;
    if (elapsed >= TOGETHER_MS || elapsed < 0) {
      const faded = this.#issued.peak * 2 ** (-Math.max(0, elapsed) / this.#ports.lifetimeMs());
      this.#issued = { since: at, count: 0, peak: Math.max(this.#issued.count, faded) };
    }
    this.#issued.count += 1;
  }

  /** Reads what `autocert renew` has asked for. */
  async refresh(api: Pick<KubernetesApi, 'get'>, systemNamespace: string): Promise<void> {
    const path = `/api/v1/namespaces/${encodeURIComponent(systemNamespace)}/configmaps/${RENEWALS_CONFIG_MAP}`;
    const found = await ifFound(api.get<{ data?: Readonly<Record<string, string>> }>(path));
    const entries = Object.entries(found?.data ?? {}).slice(0, MAX_ENTRIES);
    const times = entries.map(([namespace, time]) => [namespace, Date.parse(time)] as const);
    this.#replacements = new Map(times.filter(([, time]) => !Number.isNaN(time)));
  }
}
