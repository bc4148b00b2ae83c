/**
 * A PKI as its objects in the cluster have it: which roots are trusted, what the CA signs with, how far a rotation of the
 * root has come, and which keys are at hand. All of it is read off the objects; nothing else remembers anything.
 * @module
 */
import type { KeyObject } from 'node:crypto';
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { Secret } from '../lib/secret.ts';
import { fingerprintOf, isIssuedByPem, isKeyOf, splitPem } from '../x509/certificate.ts';
import { firstThatOpens, openKey, type PasswordsToTry } from '../x509/private-key.ts';
import type { SigningCertificate } from '../x509/signing.ts';
import { type ClusterObjects, OBJECT_ORDER, type PkiObjectKey, type Stored } from './cluster-objects.ts';

/** What names objects in errors; {@link ClusterObjects} does. */
export type ObjectNames = Pick<ClusterObjects, 'nameOf'>;

/** The PKI's objects that are there. */
export type StoredObjects = ReadonlyMap<PkiObjectKey, Stored>;

/**
 * How far the rotation of the root is. `none`: there is none. `announcing`: the new root is made, and not yet (or, after
 * `abort`, no longer) trusted everywhere. `announced`: both are trusted. `switched`: the CA signs under the new one.
 * `retiring`: the old root is going.
 */
export type RotationPhase = 'none' | 'announcing' | 'announced' | 'switched' | 'retiring';

/** See the module. Certificates are PEM. */
export interface ClusterPki {
  readonly stored: StoredObjects;
  /** Roots to trust; the oldest first. */
  readonly roots: readonly string[];
  /** The intermediate; behind it the cross certificate, while there is one. */
  readonly chain: readonly [intermediate: string, ...others: string[]];
  /** The root that has issued the intermediate. */
  readonly signingRoot: string;
  /** The root that replaces the others, during a rotation. */
  readonly nextRoot?: string;
  /** It, signed by the old root. */
  readonly cross?: string;
  readonly phase: RotationPhase;
}

/** The init Job and its CronJob, an operator, the rotation of a password: hardly more of them at a time. */
const ATTEMPTS = 5;

/** Objects of which a part can be made again from others: they are read whatever they lack. */
const HEALED: readonly PkiObjectKey[] = ['certificates', 'intermediateKey'];

/**
 * Reads all objects.
 * @throws AutocertError `INVALID_CONFIG` when one lacks a file that cannot be made again
 */
export async function readObjects(objects: ClusterObjects): Promise<StoredObjects> {
  const found = new Map<PkiObjectKey, Stored>();
  for (const key of OBJECT_ORDER) {
    const stored = await (HEALED.includes(key) ? objects.read(key) : objects.find(key));
    if (stored) found.set(key, stored);
  }
  return found;
}

/**
 * Makes sense of them; `undefined` when there are no certificates among them.
 * @throws AutocertError `INVALID_CONFIG` when the intermediate is of no root that is there
 */
export function interpret(objects: ObjectNames, stored: StoredObjects): ClusterPki | undefined {
  const certificates = certificatesIn(stored);
  if (certificates === undefined) return undefined;
  const { roots, chain } = certificates;
  const next = stored.get('nextRoot')?.files;
  const nextRoot = next && splitPem(next[PkiFile.root] ?? '')[0];
  const cross = next && splitPem(next[PkiFile.cross] ?? '')[0];
  // The new root first: where both have one name, key identifiers and signatures tell them apart.
  const signingRoot = [nextRoot, ...roots].find((root) => root && isIssuedByPem(chain[0], root));
  if (signingRoot === undefined) {
    throw unfit(objects, 'intermediateKey', 'certificates', 'the intermediate was issued by none of the roots');
  }
  const pki = { stored, roots, chain, signingRoot };
  if (nextRoot === undefined || cross === undefined) return { ...pki, phase: 'none' };
  return { ...pki, nextRoot, cross, phase: phaseOf(pki, nextRoot) };
}

/**
 * The PKI, for commands that change one.
 * @throws AutocertError `INVALID_CONFIG` when there is none, or it does not fit together
 */
export async function loadPki(objects: ClusterObjects): Promise<ClusterPki> {
  const pki = interpret(objects, await readObjects(objects));
  if (pki !== undefined) return pki;
  throw new AutocertError(
    'INVALID_CONFIG',
    `namespace ${objects.namespace} has no PKI: neither ${objects.nameOf('intermediateKey')} nor ${objects.nameOf('certificates')} ` +
      "has certificates. Name the CA's namespace by --namespace; make a PKI by autocert pki init, or restore one by autocert pki restore",
  );
}

/**
 * Does it again when somebody else has changed an object in between: what is asked of a PKI may be asked twice.
 * @throws what `attempt` throws, the last time
 */
export async function withoutRaces<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS - 1; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      // Changed (409), or deleted (404), since it was read.
      const isRace = error instanceof AutocertError && (error.status === 409 || error.status === 404);
      if (!isRace || left <= 0) throw error;
    }
  }
}

/**
 * Opens a key by one of the passwords; `what` names it in the error.
 * @throws AutocertError `WRONG_PASSWORD`, `INVALID_CONFIG`
 */
export function openWithAny(pem: string, passwords: PasswordsToTry, what: string): KeyObject {
  return firstThatOpens(passwords, (password) => openKey(new Secret(pem), password, what));
}

/**
 * The root with its key, where that is in the cluster; `undefined` where it is not.
 * @throws AutocertError `INVALID_CONFIG` when the key beside the root is another's, `WRONG_PASSWORD`
 */
export function signerOf(
  objects: ObjectNames,
  stored: StoredObjects,
  root: string,
  passwords: PasswordsToTry,
): SigningCertificate | undefined {
  for (const object of ['nextRoot', 'rootKey'] as const) {
    const { [PkiFile.rootKey]: keyPem, [PkiFile.root]: copy } = stored.get(object)?.files ?? {};
    if (keyPem === undefined || (copy !== undefined && !sameCertificate(copy, root))) continue;
    const key = openWithAny(keyPem, passwords, objects.nameOf(object));
    if (isKeyOf(key, root)) return { certificatePem: root, key };
    if (copy !== undefined)
      throw unfit(objects, object, object, 'the key is not that of the root certificate beside it');
  }
  return undefined;
}

/** The certificates that count: the Secret's own; ConfigMap `ca-certs` where the Secret is lost, or of an older version. */
function certificatesIn(stored: StoredObjects): Pick<ClusterPki, 'roots' | 'chain'> | undefined {
  for (const object of ['intermediateKey', 'certificates'] as const) {
    const files = stored.get(object)?.files;
    const roots = splitPem(files?.[PkiFile.root] ?? '');
    const [intermediate, ...others] = splitPem(files?.[PkiFile.intermediate] ?? '');
    if (roots.length > 0 && intermediate !== undefined) return { roots, chain: [intermediate, ...others] };
  }
  return undefined;
}

function phaseOf({ stored, roots, signingRoot }: Omit<ClusterPki, 'phase'>, next: string): RotationPhase {
  const isNext = (pem: string) => sameCertificate(pem, next);
  const published = splitPem(stored.get('certificates')?.files[PkiFile.root] ?? '');
  if (!isNext(signingRoot)) return roots.some(isNext) && published.some(isNext) ? 'announced' : 'announcing';
  const hasOldRoot = !roots.every(isNext) && !isNext(stored.get('rootKey')?.files[PkiFile.root] ?? '');
  return hasOldRoot ? 'switched' : 'retiring';
}

/** Whether two PEM texts begin with the same certificate; text that is none equals nothing. */
export function sameCertificate(one: string, other: string): boolean {
  const [first, second] = [splitPem(one)[0], splitPem(other)[0]];
  return first !== undefined && second !== undefined && fingerprintOf(first) === fingerprintOf(second);
}

/** The error for two objects of different PKIs. */
export function unfit(objects: ObjectNames, one: PkiObjectKey, other: PkiObjectKey, reason: string): AutocertError {
  const names =
    one === other ? `the files of ${objects.nameOf(one)}` : `${objects.nameOf(one)} and ${objects.nameOf(other)}`;
  return new AutocertError(
    'INVALID_CONFIG',
    `${names} do not belong together: ${reason}; restore what was changed from a backup (autocert pki restore)`,
  );
}

/** PEM blocks as one file. */
export const bundle = (pems: readonly string[]) => pems.join('');
