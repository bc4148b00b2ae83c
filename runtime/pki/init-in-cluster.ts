/**
 * The init Job: makes the PKI in the cluster once, and puts its root into the webhook's `caBundle`.
 *
 * It may be killed at any point and started again, also twice at a time. Each object is written before those that depend
 * on it (passwords, then the keys they encrypt, then the certificates of these keys in one piece, then the provisioners),
 * so what is missing after a crash can always be made from what is there. An object that is missing although something
 * depends on it was deleted: that is said, and nothing is made in its place, for it would not fit.
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { PkiFile, PkiObject, Provisioner } from '../contract.ts';
import { AutocertError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Secret } from '../lib/secret.ts';
import { type JwkProvisioner, TokenSigner } from '../step-ca/one-time-token.ts';
import { fingerprintOf, splitPem } from '../x509/certificate.ts';
import { createKey, encryptKey, openKey } from '../x509/private-key.ts';
import { createIntermediate, createPassword, createRoot } from './authorities.ts';
import { type CaBundleOutcome, putCaBundle } from './ca-bundle.ts';
import { ClusterObjects, type ClusterPort, type Files, type PkiObjectKey } from './cluster-objects.ts';
import { createProvisioners } from './pki.ts';

/** Options of {@link runInitJob}. */
export interface InitJobOptions {
  readonly namespace: string;
  /** First words of the certificates' names. @default 'Autocert' */
  readonly caName?: string;
  /** MutatingWebhookConfiguration to put the root into. @default - none */
  readonly webhook?: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** @default - the clock's time */
  readonly now?: Date;
  /** How long to wait for the MutatingWebhookConfiguration, which may be applied after this Job. @default 120_000 */
  readonly webhookWaitMs?: number;
  /** @default 1_000 */
  readonly pollMs?: number;
}

/** What {@link runInitJob} found and did. */
export interface InitReport {
  /** Such as `secret/ca-password`. */
  readonly created: readonly string[];
  readonly kept: readonly string[];
  /** SHA-256 of the root, lower-case hex; of each, if there are several. */
  readonly fingerprints: readonly string[];
  readonly caBundle: CaBundleOutcome;
}

/** Who needs whom: an object that is missing is not made while one of these exists. */
const DEPENDENTS: Readonly<Record<PkiObjectKey, readonly PkiObjectKey[]>> = {
  caPassword: ['rootKey', 'intermediateKey', 'provisioners'],
  autocertPassword: ['provisioners'],
  // Not while the certificates are there: whoever keeps the root's key outside of the cluster, where it is safer, deletes
  // the Secret. But without both a new root would take the place of the one that pods trust.
  rootKey: ['intermediateKey', 'provisioners'],
  intermediateKey: ['certificates'],
  certificates: [],
  provisioners: [],
};

/** Dependents before what they need: an object seen here cannot have appeared after its dependency was looked for. */
const READING_ORDER: readonly PkiObjectKey[] = [
  'provisioners',
  'certificates',
  'intermediateKey',
  'rootKey',
  'autocertPassword',
  'caPassword',
];

/** Makes what is missing of the PKI, checks that it fits together, puts the root into the webhook's `caBundle`. */
export async function runInitJob(api: ClusterPort, options: InitJobOptions): Promise<InitReport> {
  const { namespace, log } = options;
  const pki = await completePki(
    new ClusterObjects(api, namespace),
    options.caName ?? 'Autocert',
    options.now ?? new Date(),
  );
  const fingerprints = splitPem(pki.rootPem).map(fingerprintOf);
  for (const name of pki.created) log.info({ object: name, namespace }, 'created');
  for (const name of pki.kept) log.info({ object: name, namespace }, 'exists: kept');
  log.info({ fingerprints }, 'fingerprint of the root certificate');
  for (const name of [PkiObject.caPassword, PkiObject.autocertPassword]) {
    const command = `kubectl -n ${namespace} get secret ${name} -o jsonpath='{.data.password}' | base64 -d`;
    log.info({ command }, 'a password, which is not printed here because logs are kept');
  }
  const caBundle =
    options.webhook === undefined ? 'none' : await putCaBundle(api, options.webhook, pki.rootPem, options);
  return { created: pki.created, kept: pki.kept, fingerprints, caBundle };
}

interface CompletedPki {
  readonly rootPem: string;
  readonly created: readonly string[];
  readonly kept: readonly string[];
}

async function completePki(objects: ClusterObjects, name: string, now: Date): Promise<CompletedPki> {
  const found = await readAll(objects);
  const created: PkiObjectKey[] = [];
  const ensure = async (key: PkiObjectKey, make: () => Promise<Files> | Files): Promise<Files> => {
    const existing = found.get(key);
    if (existing) return existing;
    refuseToReplace(objects, key, found);
    created.push(key);
    return objects.create(key, await make());
  };
  const password = async (key: PkiObjectKey) =>
    fileOf(await ensure(key, () => ({ [PkiFile.password]: createPassword().reveal() })), PkiFile.password);
  const caPassword = await password('caPassword');
  const autocertPassword = await password('autocertPassword');
  const newKey = (file: string) => async () => ({ [file]: encryptKey(await createKey(), caPassword).reveal() });

  const needsRootKey = !found.has('certificates');
  const rootKey = needsRootKey ? fileOf(await ensure('rootKey', newKey(PkiFile.rootKey)), PkiFile.rootKey) : undefined;
  const intermediateKeyPem = fileOf(
    await ensure('intermediateKey', newKey(PkiFile.intermediateKey)),
    PkiFile.intermediateKey,
  );
  const intermediateKey = openKey(intermediateKeyPem, caPassword, objects.nameOf('intermediateKey'));
  const certificates = await ensure('certificates', async () => {
    const key = openKey(rootKey ?? new Secret(''), caPassword, objects.nameOf('rootKey'));
    const root = await createRoot({ name, key, now });
    const issuer = { certificatePem: root, key };
    const intermediate = await createIntermediate({ name, key: intermediateKey, now }, issuer);
    return { [PkiFile.root]: root, [PkiFile.intermediate]: intermediate };
  });
  const intermediate = fileOf(certificates, PkiFile.intermediate).reveal();
  if (!parseCertificate(intermediate, objects).checkPrivateKey(intermediateKey)) {
    throw unfit(objects, 'intermediateKey', 'certificates', 'the key is not that of the intermediate certificate');
  }
  const provisioners = await ensure('provisioners', async () => ({
    [PkiFile.provisioners]: JSON.stringify(await createProvisioners(caPassword, autocertPassword), null, 2),
  }));
  if (found.has('provisioners')) await checkProvisioners(provisioners, autocertPassword, objects);
  return {
    rootPem: fileOf(certificates, PkiFile.root).reveal(),
    created: created.map((key) => objects.nameOf(key)),
    kept: [...found.keys()].map((key) => objects.nameOf(key)),
  };
}

async function readAll(objects: ClusterObjects): Promise<Map<PkiObjectKey, Files>> {
  const found = new Map<PkiObjectKey, Files>();
  for (const key of READING_ORDER) {
    const files = await objects.find(key);
    if (files) found.set(key, files);
  }
  return found;
}

function refuseToReplace(objects: ClusterObjects, key: PkiObjectKey, found: ReadonlyMap<PkiObjectKey, Files>): void {
  const dependents = DEPENDENTS[key].filter((dependent) => found.has(dependent)).map((name) => objects.nameOf(name));
  if (dependents.length === 0) return;
  const name = objects.nameOf(key);
  const missing =
    key === 'rootKey'
      ? `${objects.nameOf('certificates')} is missing, and so is ${name}, by which it could be made again`
      : `${name} is missing`;
  throw new AutocertError(
    'INVALID_CONFIG',
    `${missing}, but ${dependents.join(' and ')}, made with it, exists: restore it from a backup, ` +
      `or delete ${dependents.join(' and ')} too to have all of them made anew`,
  );
}

async function checkProvisioners(files: Files, password: Secret, objects: ClusterObjects): Promise<void> {
  const provisioner = parseProvisioners(fileOf(files, PkiFile.provisioners).reveal(), objects).find(
    ({ name }) => name === Provisioner.autocert,
  );
  // The user's own provisioners: the webhook is told the name of the one it uses, and checks that one itself.
  if (provisioner === undefined) return;
  try {
    await TokenSigner.open(provisioner, password);
  } catch (error) {
    throw unfit(objects, 'autocertPassword', 'provisioners', messageOf(error));
  }
}

function parseProvisioners(text: string, objects: ClusterObjects): readonly JwkProvisioner[] {
  try {
    const provisioners: unknown = JSON.parse(text);
    if (Array.isArray(provisioners)) return provisioners;
  } catch {
    // said below
  }
  throw new AutocertError(
    'INVALID_CONFIG',
    `${objects.nameOf('provisioners')}: ${PkiFile.provisioners} is not a JSON list`,
  );
}

function parseCertificate(pem: string, objects: ClusterObjects): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    const problem = `${objects.nameOf('certificates')}: ${PkiFile.intermediate} is not a PEM certificate`;
    throw new AutocertError('INVALID_CONFIG', problem, { cause });
  }
}

function unfit(objects: ClusterObjects, one: PkiObjectKey, other: PkiObjectKey, reason: string): AutocertError {
  return new AutocertError(
    'INVALID_CONFIG',
    `${objects.nameOf(one)} and ${objects.nameOf(other)} do not belong together: ${reason}; restore the one that was changed`,
  );
}

/** Objects were checked to have all of their files. */
const fileOf = (files: Files, file: string) => new Secret(files[file] ?? '');
