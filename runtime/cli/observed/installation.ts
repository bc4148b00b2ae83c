/**
 * How Autocert itself is: its three parts, its roots, and what it has registered with the API server. Reads only.
 * @module
 */
import type { V1ConfigMap, V1Deployment, V1MutatingWebhookConfiguration } from '@kubernetes/client-node';
import { type AdmissionMode, PkiFile, PkiObject } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { AutocertError } from '../../lib/errors.ts';
import { title } from '../../pki/words.ts';
import { clusterName } from '../../policy/cluster-names.ts';
import { labelOf, labelText } from '../../policy/namespace-label.ts';
import { fingerprintOf, isCertificate, isIssuedByPem, splitPem, validityOf } from '../../x509/certificate.ts';
import type { InjectorConfig } from '../explain/injection.ts';

/** What of an object can be told: `unknown`: the user may not read it. */
export type Presence = 'there' | 'missing' | 'unknown';

/** One part that runs. */
export interface Part {
  readonly name: 'CA' | 'webhook' | 'signer';
  readonly object: string;
  readonly presence: Presence;
  /** Replicas that are ready, and that are wanted; of a part that is there. */
  readonly ready?: number;
  readonly wanted?: number;
}

/** A root that pods trust, or an intermediate. */
export interface Authority {
  readonly name: string;
  /** RFC 3339. */
  readonly notAfter: string;
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string;
}

/** An intermediate. */
export interface Intermediate extends Authority {
  /** Fingerprint of the root that has issued it. Absent: it is none of `roots`. */
  readonly issuer?: string;
}

/** An object by which the API server asks Autocert, or refuses for it. */
export interface Registration {
  readonly object: string;
  readonly presence: Presence;
  /** What is wrong with one that is there. */
  readonly problem?: string;
}

/** All of it. */
export interface Installation {
  readonly namespace: string;
  readonly parts: readonly Part[];
  /** Absent: there are none, or the user may not read them. */
  readonly roots?: readonly Authority[];
  /** By which the CA issues; the cross certificate, too, while one root replaces another. Absent as `roots` are. */
  readonly intermediates?: readonly Intermediate[];
  readonly registrations: readonly Registration[];
  /** Absent: there is no configuration, it cannot be read, or the user may not read it. */
  readonly settings?: Settings;
}

/** What of the configuration decides on every pod. */
export interface Settings {
  /** The label of namespaces that turns Autocert on. */
  readonly namespaceLabel: string;
  readonly mode: AdmissionMode;
}

type Api = Pick<KubernetesApi, 'get'>;

const PARTS = [
  { name: 'CA', kind: 'statefulset', object: 'ca' },
  { name: 'webhook', kind: 'deployment', object: 'autocert' },
  { name: 'signer', kind: 'deployment', object: 'autocert-signer' },
] as const;
const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const POLICIES = [
  ['mutatingadmissionpolicies', 'autocert'],
  ['validatingadmissionpolicies', 'autocert'],
  ['validatingadmissionpolicies', 'autocert-annotations'],
  ['validatingadmissionpolicies', 'autocert-signer'],
] as const;
const SINGULAR = {
  mutatingadmissionpolicies: 'mutatingadmissionpolicy',
  validatingadmissionpolicies: 'validatingadmissionpolicy',
} as const;
/** Roots and intermediates that are shown; during a rotation there are two, and federated ones besides. */
const MAX_AUTHORITIES = 20;

/**
 * Reads it.
 * @param config by which it runs, as far as that is known
 * @throws AutocertError what the API server answers, unless it is that an object is not there, or not to be read
 */
export async function readInstallation(
  api: Api,
  namespace: string,
  config: Promise<InjectorConfig | undefined>,
): Promise<Installation> {
  const [parts, certificates, registrations, settings] = await Promise.all([
    Promise.all(PARTS.map((part) => readPart(api, namespace, part))),
    look<V1ConfigMap>(api, `/api/v1/namespaces/${namespace}/configmaps/${PkiObject.certificates}`),
    Promise.all([
      readWebhook(api, clusterName('autocert', namespace)),
      ...POLICIES.map(([plural, name]) => readPolicy(api, plural, clusterName(name, namespace))),
    ]),
    config.then(settingsOf),
  ]);
  return { namespace, parts, ...authorities(certificates.object?.data), registrations, ...(settings && { settings }) };
}

function settingsOf(config: InjectorConfig | undefined): Settings | undefined {
  return config && { namespaceLabel: labelText(labelOf(config)), mode: config.mode ?? 'enforce' };
}

async function readPart(api: Api, namespace: string, { name, kind, object }: (typeof PARTS)[number]): Promise<Part> {
  const path = `/apis/apps/v1/namespaces/${namespace}/${kind}s/${object}`;
  const { presence, object: found } = await look<V1Deployment>(api, path);
  const replicas = found && { ready: found.status?.readyReplicas ?? 0, wanted: found.spec?.replicas ?? 1 };
  return { name, object: `${kind}/${object}`, presence, ...replicas };
}

function authorities(data: V1ConfigMap['data']): Pick<Installation, 'roots' | 'intermediates'> {
  const roots = readable(data?.[PkiFile.root]);
  const intermediates = readable(data?.[PkiFile.intermediate]);
  return {
    ...(roots && { roots: roots.map(authority) }),
    ...(intermediates && {
      intermediates: intermediates.map((pem) => {
        const root = roots?.find((each) => isIssuedByPem(pem, each));
        return { ...authority(pem), ...(root !== undefined && { issuer: fingerprintOf(root) }) };
      }),
    }),
  };
}

/** What cannot be read is for `autocert doctor` to tell. */
function readable(bundle: string | undefined): string[] | undefined {
  return bundle === undefined ? undefined : splitPem(bundle).slice(0, MAX_AUTHORITIES).filter(isCertificate);
}

function authority(pem: string): Authority {
  return { name: title(pem), notAfter: validityOf(pem).notAfter.toISOString(), fingerprint: fingerprintOf(pem) };
}

async function readWebhook(api: Api, name: string): Promise<Registration> {
  const path = `${REGISTRATION}/mutatingwebhookconfigurations/${name}`;
  const { presence, object } = await look<V1MutatingWebhookConfiguration>(api, path);
  const lacksBundle = object?.webhooks?.some(({ clientConfig }) => !clientConfig.caBundle) ?? false;
  const problem = 'it has no caBundle: annotated pods are refused until the signer has written it';
  return { object: `mutatingwebhookconfiguration/${name}`, presence, ...(lacksBundle && { problem }) };
}

async function readPolicy(api: Api, plural: keyof typeof SINGULAR, name: string): Promise<Registration> {
  const singular = SINGULAR[plural];
  const [policy, binding] = await Promise.all([
    look(api, `${REGISTRATION}/${plural}/${name}`),
    look(api, `${REGISTRATION}/${singular}bindings/${name}`),
  ]);
  const isIdle = policy.presence === 'there' && binding.presence === 'missing';
  const problem = `it has no ${singular}binding, and does nothing`;
  return { object: `${singular}/${name}`, presence: policy.presence, ...(isIdle && { problem }) };
}

async function look<T>(api: Api, path: string): Promise<{ readonly presence: Presence; readonly object?: T }> {
  try {
    return { presence: 'there', object: await api.get<T>(path) };
  } catch (error) {
    const status = error instanceof AutocertError ? error.status : undefined;
    if (status === 404) return { presence: 'missing' };
    if (status === 403) return { presence: 'unknown' };
    throw error;
  }
}
