/**
 * What steps 26.x break of Autocert itself, so that it is felt for seconds only.
 * @module
 */
import { TRUST_BUNDLE_NAME } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { issue } from '../../support/tiny-ca.ts';
import { type Context, SYSTEM } from '../context.ts';
import { type Breakage, besides, hands, type Mend } from './breakages.ts';
import { withoutObject } from './objects.ts';

const CONFIGURATION = 'mutatingwebhookconfiguration/autocert';
const BUNDLE = '/webhooks/0/clientConfig/caBundle';

/** The signer would mend it at once; back at work it does. */
async function whileNobodyLeads(kubectl: Kubectl, change: readonly string[]): Promise<Mend> {
  return besides(await hands(kubectl).scaled(SYSTEM, 'deployment/autocert-signer'), async () => {
    // Until its pod has gone the last leader mends on.
    const pods = ['pod', '-l', 'app=autocert-signer'];
    await kubectl.run(['-n', SYSTEM, 'wait', ...pods, '--for=delete', '--timeout=60s']);
    await kubectl.run(change);
  });
}

const patchBundle = (operation: object) => {
  return ['patch', CONFIGURATION, '--type=json', '-p', JSON.stringify([{ path: BUNDLE, ...operation }])];
};

/** The API server trusts another root than the webhook's. */
export function withForeignBundle(kubectl: Kubectl): Promise<Mend> {
  const value = Buffer.from(issue('Another', { ca: true }).certificatePem).toString('base64');
  return whileNobodyLeads(kubectl, patchBundle({ op: 'replace', value }));
}

/** All of them. */
export function autocertBreakages({ kubectl, native }: Context): readonly Breakage[] {
  const { applied, scaled, patched } = hands(kubectl);
  return [
    {
      name: 'the caBundle is removed',
      check: 'ca-bundle',
      object: /autocert$/,
      break: () => whileNobodyLeads(kubectl, patchBundle({ op: 'remove' })),
    },
    {
      name: 'the caBundle is another root',
      check: 'ca-bundle',
      object: /autocert$/,
      break: () => withForeignBundle(kubectl),
    },
    {
      name: 'no signer leads',
      check: 'leader',
      object: /^lease\/autocert-signer$/,
      break: () => scaled(SYSTEM, 'deployment/autocert-signer'),
    },
    ...(native
      ? [
          {
            name: 'the trust bundle is gone',
            check: 'trust-bundle',
            object: /^clustertrustbundle\//,
            break: () => whileNobodyLeads(kubectl, ['delete', 'clustertrustbundle', TRUST_BUNDLE_NAME]),
          },
        ]
      : []),
    {
      name: 'the webhook is down',
      check: 'webhook-down',
      object: /^service\/autocert$/,
      break: () => scaled(SYSTEM, 'deployment/autocert'),
    },
    {
      name: 'DNS is down',
      check: 'dns',
      object: /kube-dns$/,
      break: () => scaled('kube-system', 'deployment/coredns'),
    },
    {
      name: 'a NetworkPolicy shuts the webhook',
      check: 'network-policy',
      object: /^networkpolicy\/autocert$/,
      break: async () => {
        const which = ['-n', SYSTEM, 'networkpolicy', 'autocert'];
        const { spec } = await kubectl.json<{ spec: { ingress: readonly object[] } }>(['get', ...which]);
        const put = (value: readonly object[]) => ({ op: 'replace', path: '/spec/ingress', value });
        return patched(which, put([]), put(spec.ingress));
      },
    },
    {
      name: "a node's clock is wrong: its Lease is from in ten minutes",
      check: 'clock',
      object: /^node\/e2e-doctor$/,
      break: () => {
        const renewTime = new Date(Date.now() + 600_000).toISOString().replace('Z', '000Z');
        const metadata = { name: 'e2e-doctor', namespace: 'kube-node-lease' };
        const spec = { holderIdentity: 'e2e-doctor', leaseDurationSeconds: 40, renewTime };
        const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
        return applied([lease], ['-n', 'kube-node-lease', 'lease', 'e2e-doctor']);
      },
    },
    ...(['clusterrolebinding/autocert', 'rolebinding/autocert-signer'] as const).map((object) => ({
      name: `${object} is gone`,
      check: 'rbac',
      object: new RegExp(`^${object}$`),
      break: () => withoutObject(kubectl, object.startsWith('c') ? [object] : ['-n', SYSTEM, object]),
    })),
  ];
}
