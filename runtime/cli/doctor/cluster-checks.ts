/**
 * Checks of the cluster: its clocks, its DNS, its APIs.
 * @module
 */
import { capabilitiesOf } from '../../webhook/capabilities.ts';
import type { Facts, NodeClock } from './facts.ts';
import type { Check, Found } from './finding.ts';
import { part } from './ours.ts';
import { faultIn } from './words.ts';

/** From which difference of clocks on something goes wrong: certificates begin a minute before they are issued. */
const AHEAD_MS = 30_000;
/** A node gives a sign of life each ten seconds. */
const BEHIND_MS = 60_000;
const NTP = 'have its clock set (chrony, systemd-timesyncd)';

/** The checks. */
export const clusterChecks: readonly Check[] = [
  { id: 'clock', looksAt: 'the clocks of this machine, the API server and the nodes', find: clocks },
  { id: 'dns', looksAt: 'the cluster’s DNS', find: dns },
  { id: 'api', looksAt: 'the APIs that the configuration needs', find: apis },
];

function clocks({ clock, nodes = [], systemPods = [] }: Facts): Found[] {
  const seconds = (ms: number) => `${Math.abs(Math.round(ms / 1000))} s ${ms > 0 ? 'ahead' : 'behind'}`;
  const here: Found = {
    object: 'apiserver',
    message: `its clock is ${seconds(clock.aheadMs)}, by this machine’s`,
    remedy: `if no node is named here, it is this machine’s that is wrong; else ${NTP} on the control plane`,
    severity: 'warning',
  };
  return [
    ...(Math.abs(clock.aheadMs) >= AHEAD_MS ? [here] : []),
    ...nodes.filter(isWrong).map(({ name, aheadMs }) => ({
      object: `node/${name}`,
      message: `its clock is ${seconds(aheadMs)}, by the API server’s: certificates look expired, or not yet valid, to its pods`,
      remedy: `${NTP} on that node, and restart the pods that complain`,
    })),
    ...systemPods
      .filter(({ words = '' }) => faultIn(words) === 'clock')
      .map(({ name, words }) => ({
        object: `pod/${name}`,
        message: `it says: ${words}`,
        remedy: `${NTP} on its node`,
      })),
  ];
}

/** A node that is silent says nothing of its clock. */
function isWrong({ aheadMs, ready }: NodeClock): boolean {
  return aheadMs > AHEAD_MS || (ready === true && aheadMs < -BEHIND_MS);
}

function dns({ dns: found }: Facts): Found[] {
  const effect = 'agents do not find Autocert, nor the webhook and the signer the CA';
  if (found === null) {
    return [
      {
        object: 'kube-system/service/kube-dns',
        message: `there is no such Service: if the cluster’s DNS is not elsewhere, ${effect}`,
        remedy: 'put the cluster’s DNS back (CoreDNS), as your distribution installs it',
      },
    ];
  }
  if (found?.ready !== 0) return [];
  const [namespace, name] = found.name.split('/');
  return [
    {
      object: `${namespace}/service/${name}`,
      message: `the cluster’s DNS has no ready endpoint: ${effect}`,
      remedy: `kubectl -n ${namespace} get pods; most often kubectl -n ${namespace} scale deployment coredns --replicas=2`,
    },
  ];
}

function apis(facts: Facts): Found[] {
  const { apis: served, configuration } = facts;
  const { config } = configuration;
  if (!config) return [];
  const found: Found[] = [];
  const wantsNative = config.delivery === 'native';
  const isExpected = served.version !== undefined && capabilitiesOf(served.version).podCertificates;
  if (served.podCertificates === false && (wantsNative || isExpected)) {
    found.push({
      object: 'api/certificates.k8s.io/v1',
      message: `podcertificaterequests and clustertrustbundles are not served${wantsNative ? ', and the configuration has delivery: native' : `, though this is Kubernetes ${served.version}`}`,
      remedy: wantsNative
        ? 'take Kubernetes 1.37 or have the API server serve them (--runtime-config, --feature-gates), or set delivery: auto'
        : 'have the API server serve them (--runtime-config, --feature-gates); until then pods have agents',
      severity: wantsNative ? 'error' : 'warning',
    });
  }
  const usesPolicy = part(facts, 'webhook')?.presence === 'missing' && config.autocertUrl === undefined;
  if (usesPolicy && served.mutatingPolicies === false) {
    found.push({
      object: 'api/admissionregistration.k8s.io/v1',
      message: 'mutatingadmissionpolicies are not served, and there is no webhook: no pod is injected',
      remedy: 'have the API server serve them, or take Injector.webhook()',
    });
  }
  if (served.validatingPolicies === false) {
    found.push({
      object: 'api/admissionregistration.k8s.io/v1',
      message:
        'validatingadmissionpolicies are not served (Kubernetes 1.30): wrong names are refused late, and nothing guards annotations and keys',
      remedy:
        'upgrade Kubernetes, or live with it: guard: false, retain: false and workloadPolicy: false leave them out',
      severity: 'warning',
    });
  }
  return found;
}
