/**
 * What whoever has installed Autocert wants to know then: the root's fingerprint, the passwords, and what comes next.
 * @module
 */
import type { V1ConfigMap, V1Secret } from '@kubernetes/client-node';
import { PkiFile, PkiObject } from '../../contract.ts';
import type { KubernetesApi } from '../../kubernetes/client.ts';
import { ifFound } from '../../kubernetes/cluster-state.ts';
import { Secret } from '../../lib/secret.ts';
import { labelOf, labelText } from '../../policy/namespace-label.ts';
import { fingerprintOf, splitPem } from '../../x509/certificate.ts';
import { configIfKnown } from '../explain/configuration.ts';

/** Passwords, by what they are for. */
const PASSWORDS = [
  [PkiObject.caPassword, "admin provisioner password (also of the CA's keys)"],
  [PkiObject.autocertPassword, 'autocert provisioner password'],
] as const;

/** How it is told. */
export interface ClosingOptions {
  readonly namespace: string;
  /** Print the passwords, not only how to read them. */
  readonly showPasswords: boolean;
  /** By the account of a pod: somebody may have given it rights for this alone. */
  readonly byServiceAccount: boolean;
}

/** The text; ends in a newline. */
export async function closingText(api: Pick<KubernetesApi, 'get'>, options: ClosingOptions): Promise<string> {
  const { namespace, showPasswords, byServiceAccount } = options;
  const core = `/api/v1/namespaces/${namespace}`;
  const map = await ifFound(api.get<V1ConfigMap>(`${core}/configmaps/${PkiObject.certificates}`));
  const fingerprints = splitPem(map?.data?.[PkiFile.root] ?? '').map(fingerprintOf);
  const config = await configIfKnown(api, namespace);
  const passwords = map ? await Promise.all(PASSWORDS.map((each) => passwordLines(api, each, options))) : [];
  const lines = [
    '',
    `Autocert is installed in namespace ${namespace}.`,
    '',
    ...fingerprints.map((fingerprint) => `  root certificate fingerprint (SHA-256)  ${fingerprint}`),
    ...passwords.flat(),
    ...(passwords.length > 0 && !showPasswords
      ? [
          '',
          'The passwords are not printed, since the output of a pod is kept in its log: --show-passwords prints them.',
        ]
      : []),
    ...(passwords.length > 0
      ? ['Store fingerprint and passwords in a safe place, and the keys by: autocert pki backup --out FILE']
      : []),
    ...(config ? enabling(labelText(labelOf(config))) : []),
    ...(byServiceAccount
      ? [
          '',
          'If you gave this account rights for it, take them back:',
          '  kubectl delete clusterrolebinding autocert-init-binding',
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function enabling(label: string): string[] {
  return [
    '',
    'Enable a namespace, then annotate pods with autocert.step.sm/name:',
    `  kubectl label namespace default ${label}`,
  ];
}

async function passwordLines(
  api: Pick<KubernetesApi, 'get'>,
  [secret, what]: (typeof PASSWORDS)[number],
  { namespace, showPasswords }: ClosingOptions,
): Promise<string[]> {
  if (!showPasswords) {
    const path = `{.data.${PkiFile.password}}`;
    return [`  ${what}:`, `    kubectl -n ${namespace} get secret ${secret} -o jsonpath='${path}' | base64 -d`];
  }
  const found = await ifFound(api.get<V1Secret>(`/api/v1/namespaces/${namespace}/secrets/${secret}`));
  const data = found?.data?.[PkiFile.password];
  if (data === undefined) return [`  ${what}: there is no secret/${secret}`];
  return [`  ${what}  ${new Secret(Buffer.from(data, 'base64').toString('utf8')).reveal()}`];
}
