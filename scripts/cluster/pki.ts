/**
 * The cluster's own certificates and kubeconfig files: one CA and a certificate for each part of Kubernetes.
 * @module
 */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfig } from '../../runtime/kubernetes/kubeconfig.ts';
import { Address, FIRST_NODE, type NodePlace } from './settings.ts';
import { run } from './shell.ts';

const API_NAMES = [
  ...['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'].map(
    (name) => `DNS:${name}`,
  ),
  ...[Address.node, Address.kubernetes, '127.0.0.1'].map((ip) => `IP:${ip}`),
];

interface Party {
  readonly file: string;
  readonly user: string;
  readonly group: string;
  readonly names?: readonly string[];
}

const CONTROL_PLANE: readonly Party[] = [
  { file: 'apiserver', user: 'kube-apiserver', group: 'k8s', names: API_NAMES },
  { file: 'apiserver-kubelet', user: 'kube-apiserver-kubelet-client', group: 'system:masters' },
  { file: 'front-proxy', user: 'front-proxy-client', group: 'front' },
  { file: 'admin', user: 'admin', group: 'system:masters' },
  { file: 'controller-manager', user: 'system:kube-controller-manager', group: 'system:masters' },
  { file: 'scheduler', user: 'system:kube-scheduler', group: 'system:masters' },
];

/** What runs on every node. */
function partiesOf({ name, address }: NodePlace): readonly Party[] {
  return [
    { file: 'proxy', user: 'system:kube-proxy', group: 'system:masters' },
    {
      file: 'kubelet',
      user: `system:node:${name}`,
      group: 'system:nodes',
      names: [`DNS:${name}`, `IP:${address}`],
    },
  ];
}

/** Makes everything in `folder`/pki, and a `<party>.kubeconfig` in `folder` for each. */
export async function makeClusterPki(folder: string): Promise<void> {
  const pki = pkiFolder(folder);
  const openssl = (...args: string[]) => run(['openssl', ...args], { cwd: pki });
  await newKey(pki, 'ca');
  await openssl('req', '-x509', '-new', '-key', 'ca.key', '-days', '30', '-subj', '/CN=e2e-ca', '-out', 'ca.crt');
  await openssl('genrsa', '-out', 'service-account.key', '2048');
  await openssl('rsa', '-in', 'service-account.key', '-pubout', '-out', 'service-account.pub');
  await certify(folder, [...CONTROL_PLANE, ...partiesOf(FIRST_NODE)]);
}

/** Makes what runs on another node, in its `folder`, by the CA of the first, which is in the folder `first`. */
export async function joinClusterPki(folder: string, first: string, place: NodePlace): Promise<void> {
  const pki = pkiFolder(folder);
  for (const file of ['ca.crt', 'ca.key']) copyFileSync(join(first, 'pki', file), join(pki, file));
  await certify(folder, partiesOf(place));
}

function pkiFolder(folder: string): string {
  const pki = join(folder, 'pki');
  mkdirSync(pki, { recursive: true });
  chmodSync(pki, 0o700);
  return pki;
}

async function newKey(cwd: string, name: string): Promise<void> {
  await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`], { cwd });
}

/** A key, a certificate and a kubeconfig for each. */
async function certify(folder: string, parties: readonly Party[]): Promise<void> {
  const pki = join(folder, 'pki');
  const openssl = (...args: string[]) => run(['openssl', ...args], { cwd: pki });
  for (const { file, user, group, names } of parties) {
    await newKey(pki, file);
    await openssl('req', '-new', '-key', `${file}.key`, '-subj', `/O=${group}/CN=${user}`, '-out', `${file}.csr`);
    const alternative = names === undefined ? '' : `subjectAltName=${names.join(',')}\n`;
    writeFileSync(join(pki, `${file}.ext`), `extendedKeyUsage=clientAuth,serverAuth\n${alternative}`);
    const issue = ['x509', '-req', '-in', `${file}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
    await openssl(...issue, '-days', '30', '-extfile', `${file}.ext`, '-out', `${file}.crt`);
    writeFileSync(join(folder, `${file}.kubeconfig`), kubeconfigOf(pki, file), { mode: 0o600 });
  }
}

function kubeconfigOf(pki: string, party: string): string {
  const user = { 'client-certificate': join(pki, `${party}.crt`), 'client-key': join(pki, `${party}.key`) };
  return kubeconfig({ server: Address.api, 'certificate-authority': join(pki, 'ca.crt') }, user);
}
