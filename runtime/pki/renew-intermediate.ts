/**
 * The intermediate's renewal: by itself where the root's key is in the cluster, else by `autocert pki intermediate`.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { validityOf } from '../x509/certificate.ts';
import { nameConstraintsOf } from '../x509/signing.ts';
import { renewalDateOf } from './authorities.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import { type ClusterPki, loadPki, signerOf, withoutRaces } from './cluster-pki.ts';
import { newIntermediate, type PermittedNames, putIntermediate, wantedConstraints } from './intermediate.ts';
import { caPasswordsOf, type RootKeyFile, requireSigner } from './root-key.ts';
import { day, title } from './words.ts';

/** Options of {@link renewIntermediate}. */
export interface RenewIntermediateOptions {
  /** Absent: the key in the cluster. */
  readonly rootKey?: RootKeyFile;
  /** Names that it may sign: one that may sign others is due. Absent: as the one before. */
  readonly permitted?: PermittedNames;
  /** Also when it is not due. */
  readonly force?: boolean;
  readonly now: Date;
}

/** Whether the intermediate is to be renewed: less than half of its life is left, and a new one would last longer. */
export function isDue({ chain, signingRoot }: ClusterPki, now: Date): boolean {
  const due = renewalDateOf(chain[0], signingRoot);
  return due !== undefined && now >= due;
}

/** Whether it may sign other names than it is to. */
export function isOtherwiseConstrained(
  { chain }: Pick<ClusterPki, 'chain'>,
  permitted: PermittedNames | undefined,
): boolean {
  if (permitted === undefined) return false; // it stays as it is
  const [wanted, found] = [wantedConstraints(permitted, chain[0]), nameConstraintsOf(chain[0])];
  return Buffer.compare(wanted ?? Buffer.of(), found ?? Buffer.of()) !== 0;
}

/** Renews it when it is due, or is to sign other names, and the root's key is in the cluster; whether it did. */
export async function renewIfDue(objects: ClusterObjects, now: Date, permitted?: PermittedNames): Promise<boolean> {
  const pki = await loadPki(objects);
  if (!isDue(pki, now) && !isOtherwiseConstrained(pki, permitted)) return false;
  const passwords = caPasswordsOf(objects, pki.stored);
  const signer = signerOf(objects, pki.stored, pki.signingRoot, passwords);
  if (signer === undefined) return false;
  const { roots, chain, stored } = pki;
  const nameConstraints = wantedConstraints(permitted, chain[0]);
  const options = { signer, roots, others: chain.slice(1), nameConstraints, password: passwords[0], now };
  await putIntermediate(objects, stored, await newIntermediate(options));
  return true;
}

/** `autocert pki intermediate`; the text for whoever asked. */
export function renewIntermediate(
  objects: ClusterObjects,
  { rootKey, permitted, force = false, now }: RenewIntermediateOptions,
): Promise<string> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    const { stored, roots, chain, signingRoot } = pki;
    const isLost = stored.get('intermediateKey')?.files[PkiFile.intermediateKey] === undefined;
    if (!force && !isLost && !isDue(pki, now) && !isOtherwiseConstrained(pki, permitted)) return notDue(pki);
    const signer = requireSigner(objects, pki, signingRoot, rootKey);
    const [password] = caPasswordsOf(objects, stored);
    const nameConstraints = wantedConstraints(permitted, chain[0]);
    const files = await newIntermediate({ signer, roots, others: chain.slice(1), nameConstraints, password, now });
    await putIntermediate(objects, stored, files);
    const until = validityOf(files[PkiFile.intermediate] ?? '').notAfter;
    return `A new intermediate, with a new key, is in ${objects.nameOf('intermediateKey')}; it is valid until ${day(until)}.
The CA takes it into use by itself. Certificates of the old one stay valid and are renewed as always.
`;
  });
}

function notDue({ chain, signingRoot }: ClusterPki): string {
  const due = renewalDateOf(chain[0], signingRoot);
  const until = day(validityOf(chain[0]).notAfter);
  const text =
    due === undefined
      ? `it lasts as long as its root ${title(signingRoot)} allows, until ${until}. Replace the root: autocert pki rotate announce`
      : `it is valid until ${until}, and to be renewed from ${day(due)} on`;
  return `The intermediate was left alone: ${text}.\nTo have a new one now all the same: --force\n`;
}
