/**
 * `autocert pki status`: what there is of the PKI, how long it lasts, and what there is to do. Reads only.
 * @module
 */
import { PkiFile } from '../contract.ts';
import { AutocertError } from '../lib/errors.ts';
import { fingerprintOf, validityOf } from '../x509/certificate.ts';
import { authorityNameOf } from '../x509/signing.ts';
import { type Advice, adviceOn } from './advice.ts';
import { renewalDateOf } from './authorities.ts';
import type { ClusterObjects, ClusterPort, PkiObjectKey } from './cluster-objects.ts';
import { type ClusterPki, loadPki, type RotationPhase, sameCertificate } from './cluster-pki.ts';
import { passwordsIn } from './next-password.ts';
import { findPinnedPods, type PinnedPods } from './pinned-pods.ts';
import { oldLeavesExpireAt } from './retire.ts';
import { isKeyInCluster } from './root-key.ts';

/** The state of a PKI; as JSON it is what `--json` prints. */
export interface PkiStatus {
  readonly namespace: string;
  readonly roots: readonly RootStatus[];
  readonly intermediate: AuthorityStatus & {
    /** When it is renewed; absent: it lasts as long as its root. */
    readonly renewedFrom?: Date;
    /** `cronjob`: by itself; `operator`: by hand, with the root's key. */
    readonly renewedBy: 'cronjob' | 'operator';
  };
  /** Whether the key of the root that signs is in the cluster. */
  readonly rootKeyInCluster: boolean;
  readonly rotation: RotationPhase;
  /** During the rotation, once the CA signs under the new root: when the last older certificate expires. */
  readonly oldCertificatesUntil?: Date;
  /** Objects with a password that is being replaced. */
  readonly passwordRotations: readonly string[];
  /** Objects that are missing, or behind the Secret. */
  readonly damaged: readonly string[];
  /** Pods whose agent does not know the newest root. Absent: the caller may not list pods. */
  readonly pods?: PinnedPods;
  /** What takes a person, the most pressing first. */
  readonly todo: readonly Advice[];
}

/** A root or an intermediate. */
export interface AuthorityStatus {
  readonly name: string;
  readonly notAfter: Date;
}

/** A root that is trusted. */
export interface RootStatus extends AuthorityStatus {
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
  /** Whether the intermediate is of this root. */
  readonly signs: boolean;
}

/** Objects without which something does not work. */
const NEEDED: readonly PkiObjectKey[] = [
  'caPassword',
  'autocertPassword',
  'intermediateKey',
  'provisioners',
  'certificates',
];

/** @throws AutocertError `INVALID_CONFIG` when there is no PKI, or an object lacks what cannot be made again */
export async function readStatus(api: ClusterPort, objects: ClusterObjects, now: Date): Promise<PkiStatus> {
  const pki = await loadPki(objects);
  const { stored, roots, chain, signingRoot, phase, nextRoot } = pki;
  const rootKeyInCluster = isKeyInCluster(stored, signingRoot);
  const renewedFrom = renewalDateOf(chain[0], signingRoot);
  const pods = await podsWithout(api, objects.namespace, nextRoot ?? roots.at(-1) ?? '');
  const isSwitched = phase === 'switched' || phase === 'retiring';
  const oldCertificatesUntil = isSwitched ? await oldLeavesExpireAt(api, objects, pki) : undefined;
  const passwordRotations = (['caPassword', 'autocertPassword'] as const)
    .filter((key) => passwordsIn(stored.get(key)?.files ?? {}).next !== undefined)
    .map((key) => objects.nameOf(key));
  const damaged = damagedObjects(objects, pki);
  return {
    namespace: objects.namespace,
    roots: roots.map((root) => ({
      ...authority(root),
      fingerprint: fingerprintOf(root),
      signs: sameCertificate(root, signingRoot),
    })),
    intermediate: {
      ...authority(chain[0]),
      ...(renewedFrom && { renewedFrom }),
      renewedBy: rootKeyInCluster ? 'cronjob' : 'operator',
    },
    rootKeyInCluster,
    rotation: phase,
    ...(oldCertificatesUntil && { oldCertificatesUntil }),
    passwordRotations,
    damaged,
    ...(pods && { pods }),
    todo: [
      ...damageAdvice(damaged),
      ...passwordAdvice(objects, passwordRotations),
      ...podAdvice(phase, pods),
      // Until then there is nothing to do but wait.
      ...adviceOn(pki, now).filter(
        () => oldCertificatesUntil === undefined || phase === 'retiring' || now >= oldCertificatesUntil,
      ),
    ],
  };
}

const authority = (pem: string): AuthorityStatus => ({
  name: authorityNameOf(pem).commonName,
  notAfter: validityOf(pem).notAfter,
});

async function podsWithout(api: ClusterPort, namespace: string, root: string): Promise<PinnedPods | undefined> {
  try {
    return await findPinnedPods(api, namespace, root);
  } catch (error) {
    if (error instanceof AutocertError && error.status === 403) return undefined;
    throw error;
  }
}

/** Missing, or without one of the files that the init Job puts into it. */
function damagedObjects(objects: ClusterObjects, { stored }: ClusterPki): string[] {
  const missing = NEEDED.filter((key) => !stored.has(key));
  const secret = stored.get('intermediateKey')?.files;
  const isWhole = [PkiFile.intermediateKey, PkiFile.intermediate, PkiFile.root].every((file) => secret?.[file]);
  const published = stored.get('certificates')?.files;
  const isBehind = [PkiFile.root, PkiFile.intermediate].some((file) => secret?.[file] !== published?.[file]);
  const partly: PkiObjectKey[] = [
    ...(isWhole ? [] : ['intermediateKey' as const]),
    ...(isBehind ? ['certificates' as const] : []),
  ];
  return [...new Set([...missing, ...partly])].map((key) => objects.nameOf(key));
}

function damageAdvice(damaged: readonly string[]): Advice[] {
  if (damaged.length === 0) return [];
  const text = `${damaged.join(' and ')} ${damaged.length === 1 ? 'is' : 'are'} missing or incomplete: the CronJob autocert-pki makes it again, or says what to restore`;
  return [{ text, command: 'autocert pki init' }];
}

function passwordAdvice(objects: ClusterObjects, rotations: readonly string[]): Advice[] {
  return rotations.map((name) => ({
    text: `the password in ${name} is being replaced: bring it to its end`,
    command: name === objects.nameOf('caPassword') ? 'autocert pki password' : 'autocert pki provisioner',
  }));
}

function podAdvice(phase: RotationPhase, pods: PinnedPods | undefined): Advice[] {
  // Before the switch the pods that start anew, for whatever reason, are the fewer to restart.
  if (!pods || pods.pinned === 0 || phase === 'announcing' || phase === 'announced') return [];
  const text =
    pods.pinned === 1
      ? 'a pod does not know the newest root, and would get no certificate when it is restarted in place: replace it'
      : `${pods.pinned} pods do not know the newest root, and would get no certificate when restarted in place: replace them`;
  return [{ text, command: 'kubectl rollout restart' }];
}
