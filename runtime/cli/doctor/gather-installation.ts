/**
 * What belongs to Autocert: parts, configuration, certificates, Lease, rights, policies.
 * @module
 */
import type { V1ConfigMap, V1Lease, V1NetworkPolicy } from '@kubernetes/client-node';
import { PkiFile, PkiObject } from '../../contract.ts';
import { AutocertError, messageOf } from '../../lib/errors.ts';
import { clusterName, trustBundleName } from '../../policy/cluster-names.ts';
import { isCertificate, splitPem } from '../../x509/certificate.ts';
import { configOfCluster } from '../explain/configuration.ts';
import { type Installation, readInstallation } from '../observed/installation.ts';
import type { Known, Look } from '../observed/look.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';
import type { Account, Binding, Configuration, Facts } from './facts.ts';

/** Policies, and certificates of a bundle, that are looked at. */
const MAX = { policies: 5_000, certificates: 20 } as const;
const ACCOUNTS = ['autocert', 'autocert-signer'] as const;

/** The parts, as `autocert status` tells of them. */
export async function readParts(look: Look, namespace: string, by: Promise<Configuration>): Promise<Installation> {
  const config = by.then((found) => found.config);
  const installation = await readInstallation(look.api, namespace, config);
  for (const { object, presence } of [...installation.parts, ...installation.registrations]) {
    if (presence === 'unknown') look.missed(`${object}, for lack of the verb get`);
  }
  return installation;
}

/** What webhook or signer runs by. */
export async function readConfiguration(look: Look, namespace: string): Promise<Configuration> {
  try {
    return { state: 'there', config: await configOfCluster({ api: look.api }, namespace) };
  } catch (error) {
    if (!(error instanceof AutocertError) || error.code === 'UNAVAILABLE') throw error;
    if (error.code === 'INVALID_CONFIG') return { state: 'wrong', problem: excerpt(messageOf(error), MAX_TEXT) };
    if (error.code === 'INVALID_INPUT') return { state: 'missing' };
    look.missed(`configmaps in namespace ${namespace}, for lack of the verb get`);
    return { state: 'unknown' };
  }
}

/** ConfigMap `ca-certs`. */
export async function readCertificates(look: Look, namespace: string): Promise<Facts['certificates']> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${PkiObject.certificates}`;
  const found = await look.get<V1ConfigMap>(path, `configmaps in namespace ${namespace}`);
  if (!found) return found;
  const blocks = (file: string) => splitPem(found.data?.[file] ?? '').slice(0, MAX.certificates);
  const [roots, intermediates] = [blocks(PkiFile.root), blocks(PkiFile.intermediate)];
  return {
    roots: roots.filter(isCertificate),
    intermediates: intermediates.filter(isCertificate),
    unreadable: [...roots, ...intermediates].filter((pem) => !isCertificate(pem)).length,
  };
}

/** The roots that kubelet writes. */
export async function readTrustBundle(look: Look, namespace: string): Promise<Facts['trustBundle']> {
  const path = `/apis/certificates.k8s.io/v1/clustertrustbundles/${encodeURIComponent(trustBundleName(namespace))}`;
  const found = await look.get<{ spec?: { trustBundle?: string } }>(path, 'clustertrustbundles');
  return (
    found &&
    splitPem(found.spec?.trustBundle ?? '')
      .slice(0, MAX.certificates)
      .filter(isCertificate)
  );
}

/** The signer's. */
export async function readLease(look: Look, namespace: string): Promise<Facts['lease']> {
  const found = await look.get<V1Lease>(
    `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/autocert-signer`,
    `leases in namespace ${namespace}`,
  );
  if (!found) return found;
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = 15 } = found.spec ?? {};
  return { holder: excerpt(holderIdentity, MAX_TEXT), renewTime: String(renewTime), seconds: leaseDurationSeconds };
}

/** The accounts of webhook and signer. */
export function readAccounts(look: Look, namespace: string): Promise<readonly Account[]> {
  return Promise.all(ACCOUNTS.map((name) => readAccount(look, namespace, name)));
}

async function readAccount(look: Look, namespace: string, name: string): Promise<Account> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const read = async (scope: string, kind: string, named: string, resource: string): Promise<Binding> => {
    const [role, binding] = await Promise.all([
      look.get<{ rules?: Known<Binding['role']> }>(`${scope}/${kind}s/${named}`, `${kind}s${resource}`),
      look.get<NonNullable<Binding['binding']>>(`${scope}/${kind}bindings/${named}`, `${kind}bindings${resource}`),
    ]);
    return {
      objects: { role: `${kind}/${named}`, binding: `${kind}binding/${named}` },
      role: role && (role.rules ?? []),
      binding: binding && { roleRef: binding.roleRef, subjects: binding.subjects ?? [] },
    };
  };
  const [cluster, namespaced] = await Promise.all([
    read(rbac, 'clusterrole', clusterName(name, namespace), ''),
    read(`${rbac}/namespaces/${namespace}`, 'role', name, ` in namespace ${namespace}`),
  ]);
  return { name, cluster, namespaced };
}

/** All, else those of Autocert's namespace. */
export async function readPolicies(look: Look, namespace: string): Promise<Facts['policies']> {
  const group = '/apis/networking.k8s.io/v1';
  const read = (path: string, where: string) =>
    look.list(path, `networkpolicies ${where}`, MAX.policies, (one: V1NetworkPolicy) => one);
  const all = await read(`${group}/networkpolicies`, 'of all namespaces');
  return all ?? read(`${group}/namespaces/${namespace}/networkpolicies`, `in namespace ${namespace}`);
}
