/**
 * Checks of the PKI: certificates that expire, passwords that open nothing, a database without room, roots that pods lack.
 * @module
 */
import { PkiObject } from '../../contract.ts';
import { day, title } from '../../pki/words.ts';
import { trustBundleName } from '../../policy/cluster-names.ts';
import { fingerprintOf, validityOf } from '../../x509/certificate.ts';
import { daysUntil, endsSoon } from '../ends.ts';
import type { Facts } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { counted, hasSigner, part } from './ours.ts';
import { faultIn } from './words.ts';

/** The checks. */
export const pkiChecks: readonly Check[] = [
  { id: 'expiry', looksAt: 'the ends of roots and intermediates', find: expiry },
  { id: 'password', looksAt: 'passwords that do not open their keys', find: password },
  { id: 'ca-volume', looksAt: 'whether the CA can write its database', find: volume },
  { id: 'trust-bundle', looksAt: 'the roots in ConfigMap ca-certs and in the ClusterTrustBundle', find: trust },
];

function expiry({ certificates, clock, namespace }: Facts): Found[] {
  if (!certificates) return [];
  const now = (clock.server ?? clock.local).getTime();
  const kinds = { root: certificates.roots, intermediate: certificates.intermediates } as const;
  const remedies = {
    root: `replace it: autocert pki rotate announce --namespace ${namespace}, then switch, then retire`,
    intermediate: `have it renewed: kubectl -n ${namespace} create job --from=cronjob/autocert-pki renew-now; where the root key is elsewhere, autocert pki intermediate --root-key FILE`,
  };
  return (['root', 'intermediate'] as const).flatMap((kind) =>
    kinds[kind].flatMap((pem): Found[] => {
      const { notBefore, notAfter } = validityOf(pem);
      const days = daysUntil(notAfter, now);
      const base = { object: `configmap/${PkiObject.certificates}`, remedy: remedies[kind] };
      const which = `the ${kind} ${title(pem)} (SHA-256 ${fingerprintOf(pem).slice(0, 16)}…)`;
      if (notAfter.getTime() <= now) return [{ ...base, message: `${which} expired on ${day(notAfter)}` }];
      if (notBefore.getTime() > now) {
        const remedy = 'look at the clocks: of who made it, and of the API server';
        return [{ ...base, message: `${which} is valid from ${notBefore.toISOString()} only`, remedy }];
      }
      if (!endsSoon(kind, days)) return [];
      return [{ ...base, message: `${which} expires on ${day(notAfter)}, in ${days} days`, severity: 'warning' }];
    }),
  );
}

function password({ systemPods = [], namespace }: Facts): Found[] {
  return systemPods
    .filter(({ words = '' }) => faultIn(words) === 'password')
    .map(({ name, app, words, ready }) => {
      const secret = app === 'ca' ? PkiObject.caPassword : PkiObject.autocertPassword;
      const effect = ready ? ', and it runs on with what fitted before' : '';
      return {
        object: `secret/${secret}`,
        message: `pod/${name} says: ${words}${effect}`,
        remedy: `put the password back that belongs to the key: from your backup (autocert pki restore), else kubectl -n ${namespace} get secret ${secret} --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}' says who has written it`,
      };
    });
}

function volume({ systemPods = [], namespace }: Facts): Found[] {
  return systemPods
    .filter(({ app, words = '' }) => app === 'ca' && faultIn(words) === 'ca-volume')
    .map(({ name, words }) => ({
      object: 'persistentvolumeclaim/ca-db',
      message: `pod/${name} cannot write its database, and issues nothing: ${words}`,
      remedy: `make room: enlarge the claim, or have the database pruned: kubectl -n ${namespace} delete pod ${name}`,
    }));
}

function trust(facts: Facts): Found[] {
  const { certificates, trustBundle, apis, namespace } = facts;
  const configMap = `configmap/${PkiObject.certificates}`;
  if (certificates === null || (certificates && certificates.roots.length === 0)) {
    const message = 'there is no root in it: webhook and signer cannot trust the CA, and do not start';
    return [
      {
        object: configMap,
        message,
        remedy: 'restore it from your backup: autocert pki restore; or apply the manifests again',
      },
    ];
  }
  if (certificates && certificates.unreadable > 0) {
    const message = `${counted(certificates.unreadable, 'certificate')} in it cannot be read: the CA keeps to what fitted before, or does not start`;
    return [{ object: configMap, message, remedy: 'restore it from your backup: autocert pki restore' }];
  }
  if (!apis.podCertificates || trustBundle === undefined || !hasSigner(facts)) return [];
  const object = `clustertrustbundle/${trustBundleName(namespace)}`;
  const remedy =
    part(facts, 'signer')?.wanted === 0
      ? `the signer makes it: kubectl -n ${namespace} scale deployment/autocert-signer --replicas=2`
      : `the signer makes it within a minute; if not, its log says why: kubectl -n ${namespace} logs -l app=autocert-signer --tail=50`;
  if (trustBundle === null)
    return [{ object, message: 'it is not there: pods with native delivery do not start', remedy }];
  const known = new Set(trustBundle.map(fingerprintOf));
  const lacking = (certificates?.roots ?? []).filter((pem) => !known.has(fingerprintOf(pem)));
  return lacking.map((pem) => {
    const message = `it lacks the root ${title(pem)} of ${configMap}: pods with native delivery do not trust it`;
    return { object, message, remedy };
  });
}
