/**
 * A PKI in a Kubernetes API in memory, and what a CA and a webhook that start on it would find.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { Secret } from '../../runtime/lib/secret.ts';
import { ClusterObjects } from '../../runtime/pki/cluster-objects.ts';
import { makePki } from '../../runtime/pki/first-run.ts';
import { type JwkProvisioner, TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { openKey } from '../../runtime/x509/private-key.ts';
import { ObjectStore } from './object-store.ts';

const SECRETS = '/api/v1/namespaces/step/secrets';

/** The API server, and the PKI's objects in namespace `step`. */
export class PkiStore extends ObjectStore {
  readonly pki = new ClusterObjects(this, 'step');

  /** With a PKI of its own. */
  static async make(): Promise<PkiStore> {
    const store = new PkiStore();
    store.objects.set('/api/v1/namespaces/step', { metadata: { name: 'step' } });
    await makePki(store.pki, { name: 'Autocert', permitted: undefined, now: new Date() });
    return store;
  }

  /** Another store with the same objects, as if nothing had been written yet. */
  copy(): PkiStore {
    const copy = new PkiStore();
    for (const [path, object] of this.objects) copy.objects.set(path, structuredClone(object));
    return copy;
  }

  /** A file of a Secret; `undefined`: there is none. */
  secret(name: string, file: string): string | undefined {
    const object = this.objects.get(`${SECRETS}/${name}`) as { data: Record<string, string> } | undefined;
    const content = object?.data[file];
    return content === undefined ? undefined : Buffer.from(content, 'base64').toString();
  }

  /** Changes a Secret as somebody with `kubectl` would. */
  setSecret(name: string, files: Readonly<Record<string, string>>): void {
    const data = Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')]);
    this.objects.set(`${SECRETS}/${name}`, { kind: 'Secret', metadata: { name }, data: Object.fromEntries(data) });
  }

  deleteSecret(name: string): void {
    this.objects.delete(`${SECRETS}/${name}`);
  }

  /** As whoever reads a Secret with a password does: `password`, then `next-password`. */
  passwords(name: string): Secret[] {
    const found = ['password', 'next-password'].map((file) => this.secret(name, file));
    return found.filter((password) => password !== undefined).map((password) => new Secret(password));
  }

  provisioner(name: string): JwkProvisioner {
    const list: JwkProvisioner[] = JSON.parse(this.secret('ca-provisioners', 'provisioners.json') ?? '[]');
    const found = list.find((one) => one.name === name);
    if (!found) throw new Error(`no provisioner ${name}`);
    return found;
  }

  /** Throws when a CA that starts now could not open what it needs. */
  checkCaStarts(): void {
    const pem = new Secret(this.secret('ca-intermediate-key', 'intermediate_ca_key') ?? '');
    const [key] = this.passwords('ca-password').flatMap((password) => {
      try {
        return [openKey(pem, password, 'the intermediate key')];
      } catch {
        return [];
      }
    });
    const certificate = new X509Certificate(this.secret('ca-intermediate-key', 'intermediate_ca.crt') ?? '');
    if (!key || !certificate.checkPrivateKey(key)) throw new Error('the CA cannot start');
    this.provisioner('admin');
    this.provisioner('autocert');
  }

  /** Which of the passwords in a Secret opens a provisioner's key: 0, 1, or -1. */
  async opening(name: string, secret: string): Promise<number> {
    for (const [index, password] of this.passwords(secret).entries()) {
      const isOpen = await TokenSigner.open(this.provisioner(name), password).then(
        () => true,
        () => false,
      );
      if (isOpen) return index;
    }
    return -1;
  }

  /** Everything that must never be printed: passwords, keys, what is in Secrets, also as base64. */
  secrets(): string[] {
    const contents = [...this.objects].flatMap(([path, object]) =>
      path.startsWith(SECRETS) ? Object.values((object as { data: Record<string, string> }).data) : [],
    );
    return contents.flatMap((base64) => {
      const text = Buffer.from(base64, 'base64').toString();
      // Of what has lines, a line of the middle; certificates are public.
      const lines = /CERTIFICATE/.test(text) ? [] : text.split('\n').filter((line) => line.length > 30);
      return [...lines.slice(1, 3), ...(text.includes('\n') ? [] : [text])];
    });
  }
}
