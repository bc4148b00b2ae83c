/**
 * The webhook's view of its CA: pinned roots, a client, the provisioner's opened key. All of it comes from files and from
 * a CA that may change while the webhook runs (rotated root, new password, replaced provisioner), so it is looked at
 * again and again; what was good stays in use while that fails.
 * @module
 */
import { readFile } from 'node:fs/promises';
import type { CaConfig } from '../contract.ts';
import { CaClient } from '../step-ca/client.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import { AutocertError } from '../lib/errors.ts';
import type { TokenSigner } from '../step-ca/one-time-token.ts';
import { ProvisionerKey } from '../step-ca/provisioner-key.ts';
import { Secret } from '../lib/secret.ts';

/** What signs one-time tokens. */
export interface Issuer {
  readonly signer: TokenSigner;
  /** The root that the tokens name. */
  readonly rootFingerprint: string;
}

/** See the module's header. */
export class CaLink {
  readonly #config: CaConfig;
  readonly #key = new ProvisionerKey();
  #ca: CaClient | undefined;
  #roots: readonly string[] = [];
  #fingerprints: readonly string[] = [];

  constructor(config: CaConfig) {
    this.#config = config;
  }

  /** The pinned roots, each PEM; empty until the file has been read. */
  get roots(): readonly string[] {
    return this.#roots;
  }

  /** Fingerprints of the pinned roots; empty until the file has been read. */
  get fingerprints(): readonly string[] {
    return this.#fingerprints;
  }

  /** `undefined` until the CA has been reached and the key is open. */
  get issuer(): Issuer | undefined {
    const { signer } = this.#key;
    const [rootFingerprint] = this.#fingerprints;
    return signer && rootFingerprint !== undefined ? { signer, rootFingerprint } : undefined;
  }

  /**
   * The client, once the pinned roots are known.
   * @throws AutocertError `UNAVAILABLE` before that.
   */
  get ca(): CaClient {
    if (!this.#ca) throw new AutocertError('UNAVAILABLE', `${this.#config.rootFile} has not been read yet`);
    return this.#ca;
  }

  /** Reads the pinned roots; `true` if they are not the ones that were known. */
  async readRoots(): Promise<boolean> {
    const { rootFile, caUrl } = this.#config;
    const roots = splitPem(await readFile(rootFile, 'utf8'));
    if (roots.length === 0) throw new AutocertError('INVALID_CONFIG', `${rootFile} holds no PEM certificate`);
    const fingerprints = roots.map(fingerprintOf);
    if (fingerprints.join() === this.#fingerprints.join()) return false;
    this.#ca?.close();
    this.#ca = new CaClient({ url: caUrl, roots });
    this.#roots = roots;
    this.#fingerprints = fingerprints;
    return true;
  }

  /** Opens the provisioner's key, or another one if the CA or the password file has another one by now. */
  async openKey(): Promise<void> {
    const { provisioner, provisionerPasswordFile } = this.#config;
    const password = new Secret((await readFile(provisionerPasswordFile, 'utf8')).trimEnd());
    await this.#key.refresh(this.ca, provisioner, password);
  }
}
