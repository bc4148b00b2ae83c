/**
 * The end of the root's rotation: the old root is trusted no more.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { BACKDATE_MS } from '../policy/lifetimes.ts';
import { fingerprintOf, validityOf } from '../x509/certificate.ts';
import { type ClusterObjects, type ClusterPort, sameFiles } from './cluster-objects.ts';
import { type ClusterPki, loadPki, sameCertificate, withoutRaces } from './cluster-pki.ts';
import { putIntermediate, withCertificates } from './intermediate.ts';
import { longestLifetimeMs } from './leaf-lifetime.ts';
import { findPinnedPods, type PinnedPods } from './pinned-pods.ts';
import { title } from './words.ts';

/** Options of {@link retire}. */
export interface RetireOptions {
  /** Goes on although certificates or pods need the old root. */
  readonly force?: boolean;
  readonly now: Date;
}

/** The CA takes a new intermediate into use within minutes; until then it signs with the old one. */
const SWITCH_TAKES_MS = 3_600_000;

/** When the last certificate that was issued under the old root expires. */
export async function oldLeavesExpireAt(
  api: ClusterPort,
  objects: ClusterObjects,
  { chain, stored }: ClusterPki,
): Promise<Date> {
  const switchedAt = +validityOf(chain[0]).notBefore + BACKDATE_MS;
  return new Date(switchedAt + SWITCH_TAKES_MS + (await longestLifetimeMs(api, objects, stored)));
}

/**
 * Has the old root trusted no more, and drops it with its key and the cross certificate. The text for whoever asked.
 * @throws AutocertError `INVALID_INPUT` before the switch; `FORBIDDEN` while the old root is needed, with what needs it
 */
export function retire(
  api: ClusterPort,
  objects: ClusterObjects,
  { force = false, now }: RetireOptions,
): Promise<string> {
  return withoutRaces(async () => {
    const pki = await loadPki(objects);
    const { nextRoot, phase, roots } = pki;
    const seen = pki.stored.get('nextRoot');
    if (nextRoot === undefined || seen === undefined)
      return 'No rotation of the root is under way: there is nothing to retire.\n';
    if (phase === 'announcing' || phase === 'announced') {
      throw new AutocertError(
        'INVALID_INPUT',
        'the CA signs under the old root: run autocert pki rotate switch first (or give up: autocert pki rotate abort)',
      );
    }
    const needed = await whatNeedsTheOldRoot(api, objects, pki, nextRoot, now, force);
    if (needed.length > 0 && !force) throw new AutocertError('FORBIDDEN', `${needed.join('\n')}\n${HOW_TO_GO_ON}`);
    const old = roots.filter((root) => !sameCertificate(root, nextRoot));
    const hasKey = await replaceRootKey(objects, pki, nextRoot);
    await putIntermediate(objects, pki.stored, withCertificates(objects, pki, [nextRoot], [pki.chain[0]]));
    await objects.remove('nextRoot', seen);
    return retiredText(objects, nextRoot, old, needed, hasKey);
  });
}

const HOW_TO_GO_ON = `Nothing was changed. Restart these pods (kubectl rollout restart), and come again when the old certificates have expired.
Sooner: autocert renew --all, wait ten minutes, restart pods with native delivery, then --force is safe.`;

async function whatNeedsTheOldRoot(
  api: ClusterPort,
  objects: ClusterObjects,
  pki: ClusterPki,
  nextRoot: string,
  now: Date,
  force: boolean,
): Promise<string[]> {
  const expire = await oldLeavesExpireAt(api, objects, pki);
  const leaves = `certificates issued under the old root may be valid until ${expire.toISOString()}: who trusts the new root only refuses them`;
  const pods = await findPinnedPods(api, objects.namespace, nextRoot).catch((error: unknown) => {
    const isForbidden = error instanceof AutocertError && error.status === 403;
    if (force && isForbidden) return undefined;
    throw error;
  });
  const needed = now < expire ? [leaves] : [];
  if (pods === undefined) return [...needed, 'whether pods pin the old root was not looked at: you may not list pods'];
  return pods.pinned === 0 ? needed : [...needed, pinnedText(pods)];
}

/** The pods by name, and how many more. */
function pinnedText({ pinned, names }: PinnedPods): string {
  const more = pinned - names.length;
  const verb = pinned === 1 ? 'pod knows' : 'pods know';
  const list = names.map((name) => `\n  ${name}`).join('');
  return `${pinned} ${verb} the old root only, and would get no certificate when restarted in place:${list}${more > 0 ? `\n  and ${more} more` : ''}`;
}

/** First of the writes: from then on the new root's key is in its last place. Whether it is in the cluster. */
async function replaceRootKey(objects: ClusterObjects, { stored }: ClusterPki, nextRoot: string): Promise<boolean> {
  const seen = stored.get('rootKey');
  const keyPem = stored.get('nextRoot')?.files[PkiFile.rootKey];
  if (keyPem === undefined) {
    if (seen && sameCertificate(seen.files[PkiFile.root] ?? '', nextRoot)) return true;
    if (seen) await objects.remove('rootKey', seen);
    return false;
  }
  // Also where it is there already: its password may have been replaced between the two writes.
  const files = { [PkiFile.rootKey]: keyPem, [PkiFile.root]: nextRoot };
  const written = await objects.write('rootKey', files, seen);
  if (sameFiles(written.files, files)) return true;
  throw new AutocertError('UNAVAILABLE', `${objects.nameOf('rootKey')} was made by somebody else in the meantime`, {
    status: 409,
  });
}

function retiredText(
  objects: ClusterObjects,
  nextRoot: string,
  old: readonly string[],
  needed: readonly string[],
  hasKey: boolean,
): string {
  const forced = needed.length > 0 ? `\nForced, although:\n${needed.join('\n')}\n` : '';
  const names = old.map(title).join(', ') || 'The old root';
  return `${names} is retired: trusted is ${title(nextRoot)} alone.
Fingerprint: ${fingerprintOf(nextRoot)}

The cross certificate is dropped, and the old root's key is gone from the cluster: destroy its copies.
${hasKey ? `The new root's key is in ${objects.nameOf('rootKey')}. You may move it to a safe place.` : "The new root's key is not in the cluster: keep it safe."}
${forced}
Next: autocert pki backup, for older backups hold the old root.
`;
}
