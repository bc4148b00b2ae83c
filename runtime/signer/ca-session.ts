/**
 * The signer's dealings with the CA: one client over kept-alive connections and one opened provisioner key. Both come
 * from files that may be replaced while the signer runs, so a refusal that a stale key or root would explain closes the
 * session, and the next order opens it anew from the files as they are then.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { CaConfig } from '../contract.ts';
import { CaClient } from '../step-ca/client.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import type { TokenSigner } from '../step-ca/one-time-token.ts';
import { ProvisionerKey } from '../step-ca/provisioner-key.ts';
import { Secret } from '../lib/secret.ts';

/** What is needed of an opened session; a test gives its own. */
export interface OpenSession {
  readonly ca: Pick<CaClient, 'sign' | 'health' | 'fetchRoots' | 'roots' | 'url'>;
  readonly tokens: Pick<TokenSigner, 'mint'>;
}

/** One certificate to obtain for somebody else's CSR. */
export interface SignOrder {
  readonly csrPem: string;
  readonly csrFingerprint: string;
  readonly commonName: string;
  readonly sans: readonly string[];
  readonly durationMs: number;
}

const REOPEN_AFTER_MS = 5000;
/**
 * Connections to the CA: what can be signed at once by a CA with a core of its own, and by one that is some way off
 * still more than nodes start pods.
 */
const CONNECTIONS = 4;

/** See the module's header. */
export class CaSession {
  readonly #open: (extraRoots: readonly string[]) => Promise<OpenSession>;
  readonly #now: () => number;
  #session: Promise<OpenSession> | undefined;
  #openedAt = 0;
  #announcedRoots: readonly string[] = [];

  /** `now`: monotonic milliseconds. */
  constructor(
    open: (extraRoots: readonly string[]) => Promise<OpenSession>,
    now: () => number = () => performance.now(),
  ) {
    this.#open = open;
    this.#now = now;
  }

  /** The roots that signatures are checked against. */
  async roots(): Promise<readonly string[]> {
    return (await this.#current()).ca.roots;
  }

  /** Has `order` signed: leaf first, not verified yet. */
  async sign(order: SignOrder): Promise<readonly string[]> {
    const { ca, tokens } = await this.#current();
    const token = await tokens.mint({
      subject: order.commonName,
      sans: order.sans,
      caUrl: ca.url,
      rootFingerprint: fingerprintOf(ca.roots[0] ?? ''),
      csrFingerprint: order.csrFingerprint,
    });
    const { chainPem } = await ca.sign({ csrPem: order.csrPem, token, duration: order.durationMs });
    return chainPem;
  }

  /** All roots of the CA as it announces them over a verified connection; they are trusted from now on. */
  async refreshRoots(): Promise<readonly string[]> {
    const { ca } = await this.#current();
    const announced = await ca.fetchRoots();
    const trusted = fingerprints(ca.roots);
    const current = fingerprints(announced);
    const added = [...current].some((root) => !trusted.has(root));
    const removed = this.#announcedRoots.some((root) => !current.has(fingerprintOf(root)));
    this.#announcedRoots = announced;
    if (added || removed) this.#session = undefined;
    return announced;
  }

  /**
   * Uses every connection, so that the CA keeps them open (step-ca closes one that idles for 15 s). Names would be
   * resolved and keys exchanged anew otherwise while a pod waits: with a hundred of them starting that takes half a second.
   */
  async keepConnected(): Promise<void> {
    const { ca } = await this.#current();
    await Promise.all(Array.from({ length: CONNECTIONS }, () => ca.health()));
  }

  /**
   * After a refusal: reads the files again before the next order, unless that was done just now (a wave of refusals
   * must not open the key as many times).
   */
  reopen(): void {
    if (this.#now() - this.#openedAt > REOPEN_AFTER_MS) this.#session = undefined;
  }

  async #current(): Promise<OpenSession> {
    if (!this.#session) {
      this.#openedAt = this.#now();
      this.#session = this.#open(this.#announcedRoots);
    }
    const session = this.#session;
    try {
      return await session;
    } catch (error) {
      if (this.#session === session) this.#session = undefined;
      throw error;
    }
  }
}

/** What opens sessions from the files of `config`; the key is opened again only when it is another. */
export function caOpener(config: CaConfig): (extraRoots: readonly string[]) => Promise<OpenSession> {
  const key = new ProvisionerKey();
  return async (extraRoots) => {
    const pinned = splitPem(await readFile(config.rootFile, 'utf8'));
    const ca = new CaClient({ url: config.caUrl, roots: unique([...pinned, ...extraRoots]), connections: CONNECTIONS });
    const password = new Secret((await readFile(config.provisionerPasswordFile, 'utf8')).trimEnd());
    return { ca, tokens: await key.refresh(ca, config.provisioner, password) };
  };
}

function fingerprints(roots: readonly string[]): ReadonlySet<string> {
  return new Set(roots.map(fingerprintOf));
}

function unique(roots: readonly string[]): readonly string[] {
  return [...new Map(roots.map((root) => [fingerprintOf(root), root])).values()];
}
