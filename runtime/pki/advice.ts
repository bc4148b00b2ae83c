/**
 * What there is to do about a PKI, and until when: what the init Job warns of and `autocert pki status` shows. Pure.
 * @module
 */
import { POD_CERTIFICATE } from '../policy/lifetimes.ts';
import { validityOf } from '../x509/certificate.ts';
import { ROOT_NOTICE_MS, renewalDateOf } from './authorities.ts';
import type { ClusterPki } from './cluster-pki.ts';
import { isKeyInCluster } from './root-key.ts';
import { day, title } from './words.ts';

/** One thing to do. */
export interface Advice {
  /** A plain sentence: what there is, and what follows. */
  readonly text: string;
  /** To be run by somebody; absent: nothing is to be run. */
  readonly command?: string;
  /** Until when; absent: at leisure. */
  readonly by?: Date;
}

/** A CronJob that has not renewed for so long does not run. */
const OVERDUE_MS = 7 * 24 * 3_600_000;

/** What somebody has to do, the most pressing first; empty: nothing. */
export function adviceOn(pki: ClusterPki, now: Date): readonly Advice[] {
  return [...intermediateAdvice(pki, now), ...rootAdvice(pki, now), ...rotationAdvice(pki)];
}

/** The last day on which a certificate that lasts as long as pods' may can be issued under this one. */
function lastDayOf(pem: string): Date {
  return new Date(+validityOf(pem).notAfter - POD_CERTIFICATE.mostMs);
}

function intermediateAdvice({ chain, signingRoot, stored }: ClusterPki, now: Date): Advice[] {
  const due = renewalDateOf(chain[0], signingRoot);
  if (due === undefined || now < due) return [];
  const [by, until] = [lastDayOf(chain[0]), day(validityOf(chain[0]).notAfter)];
  if (!isKeyInCluster(stored, signingRoot)) {
    const text = `less than half of the intermediate's life is left (it expires on ${until}), and the root's key is not in the cluster: renew it by ${day(by)}`;
    return [{ text, command: 'autocert pki intermediate --root-key FILE', by }];
  }
  if (+now < +due + OVERDUE_MS) return [];
  const text = `the intermediate expires on ${until} and was to be renewed on ${day(due)}: the CronJob autocert-pki does not run, or fails`;
  return [{ text, command: 'autocert pki intermediate', by }];
}

function rootAdvice({ signingRoot, phase }: ClusterPki, now: Date): Advice[] {
  const { notAfter } = validityOf(signingRoot);
  if (phase !== 'none' || +notAfter - +now >= ROOT_NOTICE_MS) return [];
  const by = lastDayOf(signingRoot);
  const text = `root ${title(signingRoot)} expires on ${day(notAfter)}: begin to replace it, so that the rotation has ended by ${day(by)}`;
  return [{ text, command: 'autocert pki rotate announce', by }];
}

function rotationAdvice({ phase, roots }: ClusterPki): Advice[] {
  const by = lastDayOf(roots[0] ?? '');
  const done = `so that the rotation has ended by ${day(by)}`;
  switch (phase) {
    case 'none':
      return [];
    case 'announcing': {
      const text =
        'a new root was made, and is not trusted everywhere: announce it, or give it up (autocert pki rotate abort)';
      return [{ text, command: 'autocert pki rotate announce' }];
    }
    case 'announced':
      return [
        {
          text: `both roots are trusted: have the CA sign under the new one, ${done}`,
          command: 'autocert pki rotate switch',
          by,
        },
      ];
    case 'switched':
      return [
        {
          text: `the CA signs under the new root: retire the old one, ${done}`,
          command: 'autocert pki rotate retire',
          by,
        },
      ];
    case 'retiring':
      return [{ text: 'the old root was not retired to the end', command: 'autocert pki rotate retire' }];
  }
}
