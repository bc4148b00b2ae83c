/**
 * Who may talk to whom: a NetworkPolicy for the pods of each program. It closes both directions, and opens what the
 * program is there for. The cluster's network has to enforce it.
 *
 * Pods of the namespace that are not ours are left alone. A list of peers that is empty would stand for everybody, so a
 * rule without peers is not written at all.
 * @module
 */
import { k8s } from 'cdk8s-plus-27';
import type { Construct } from 'constructs';
import { CaPort, CERTIFICATE_PORT, CONTAINER_PORT, WEBHOOK_HEALTH_PORT } from '../runtime/contract.ts';
import { checkCidr, checkPeer, checkPort, checkSome, type NetworkDestination } from './network-peers.ts';
import { metadata } from './objects.ts';
import { checkFields, checkFlag, checkList, checkOptional } from './validation.ts';

/** Where the API server is; see {@link NetworkProps.apiServer}. */
export interface ApiServerOptions {
  /** Blocks with its addresses: those that pods connect to, and those that it asks webhooks from. @default - any address */
  readonly cidrs?: readonly string[];
  /** TCP ports that pods connect to, of the Service `kubernetes` and behind it. @default [443, 6443, 8443] */
  readonly ports?: readonly number[];
}

/** How far the network of CA, webhook and signer is closed; what is said here opens it, or closes it further. */
export interface NetworkProps {
  /**
   * Whether to make NetworkPolicies for CA, webhook, signer and the PKI's Jobs. @default true
   * @see docs/network.md
   */
  readonly networkPolicies?: boolean;
  /**
   * Who may read the metrics of all of them: peers as a NetworkPolicy has them, such as
   * `{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }`. @default - nobody
   */
  readonly metricsFrom?: readonly k8s.NetworkPolicyPeer[];
  /** Where the API server is, which a NetworkPolicy cannot name. @default - any address */
  readonly apiServer?: ApiServerOptions;
  /**
   * Blocks with the addresses of the nodes. Pods on the host's network come from there: with these, the certificate
   * endpoint is open to pods and nodes only. @default - the certificate endpoint is open to any address
   */
  readonly nodes?: readonly string[];
}

/** The same, checked, with the namespace and the way to the CA. */
export interface SystemNetwork {
  readonly namespace: string;
  readonly metricsFrom: Peers;
  /** Absent: anywhere. */
  readonly apiServer: Peers | undefined;
  readonly apiServerPorts: readonly number[];
  /** Who gets certificates. Absent: anybody. */
  readonly agents: Peers | undefined;
  readonly toCa: k8s.NetworkPolicyEgressRule;
}

type Peers = readonly k8s.NetworkPolicyPeer[];

/** Where API servers listen: the Service, kubeadm and most others, minikube. */
const API_SERVER_PORTS = [443, 6443, 8443];
/** Where cluster DNS listens: nearly everywhere, and behind its Service on OpenShift. */
const DNS_PORTS = [53, 5353];

/** Checks the props; nothing, if there are to be no NetworkPolicies. */
export function systemNetwork(
  props: NetworkProps,
  namespace: string,
  toCa: SystemNetwork['toCa'],
): SystemNetwork | undefined {
  const blocks = (prop: string, value: unknown) =>
    checkOptional(prop, value, (at, list) => checkSome(at, list, checkCidr))?.map((cidr) => ({ ipBlock: { cidr } }));
  const { cidrs, ports } = checkFields('apiServer', props.apiServer ?? {}, ['cidrs', 'ports']);
  const nodes = blocks('nodes', props.nodes);
  const network: SystemNetwork = {
    namespace,
    metricsFrom: checkList('metricsFrom', props.metricsFrom ?? [], checkPeer),
    apiServer: blocks('apiServer.cidrs', cidrs),
    apiServerPorts: checkSome('apiServer.ports', ports ?? API_SERVER_PORTS, checkPort),
    agents: nodes && [{ namespaceSelector: {} }, ...nodes],
    toCa,
  };
  return checkFlag('networkPolicies', props.networkPolicies ?? true) ? network : undefined;
}

/** The programs, by the label `app` of their pods. */
const App = {
  ca: 'ca',
  webhook: 'autocert',
  signer: 'autocert-signer',
  init: 'autocert-init',
  upkeep: 'autocert-pki',
} as const;

/** The way to a CA of these manifests. */
export const TO_CA = destination({ podSelector: { matchLabels: { app: App.ca } }, ports: [CONTAINER_PORT] });

/** The CA: only Autocert reaches it, and what `from` names; it reaches what `to` names. */
export function closeCa(
  scope: Construct,
  network: SystemNetwork,
  { from, to }: { readonly from: Peers; readonly to: readonly k8s.NetworkPolicyEgressRule[] },
): void {
  close(scope, network, [App.ca], {
    ingress: openTo([{ podSelector: podsOf(App.webhook, App.signer) }, ...from], [CONTAINER_PORT]),
    metrics: Object.values(CaPort),
    // A CA that needs nobody needs no DNS either.
    egress: to.length === 0 ? [] : [DNS, ...to],
  });
}

/** The webhook: the API server reaches admission, pods the certificate endpoint. */
export function closeWebhook(scope: Construct, network: SystemNetwork): void {
  close(scope, network, [App.webhook], {
    ingress: [...openTo(network.apiServer, [CONTAINER_PORT]), ...openTo(network.agents, [CERTIFICATE_PORT])],
    metrics: [WEBHOOK_HEALTH_PORT],
    egress: [DNS, toApiServer(network), network.toCa],
  });
}

/** The signer: nobody has anything to ask of it. */
export function closeSigner(scope: Construct, network: SystemNetwork): void {
  const egress = [DNS, toApiServer(network), network.toCa];
  close(scope, network, [App.signer], { metrics: [WEBHOOK_HEALTH_PORT], egress });
}

/** The Jobs that make the PKI and look after it: they talk to the API server alone. */
export function closeInit(scope: Construct, network: SystemNetwork): void {
  close(scope, network, [App.init, App.upkeep], { egress: [DNS, toApiServer(network)] });
}

/** A policy of its own, by which all metrics are open to these peers, too. */
export function openMetrics(scope: Construct, { namespace }: SystemNetwork, name: string, peers: Peers): void {
  new k8s.KubeNetworkPolicy(scope, 'NetworkPolicy', {
    metadata: metadata(name, namespace),
    spec: {
      podSelector: podsOf(App.webhook, App.signer, App.ca),
      policyTypes: ['Ingress'],
      ingress: openTo(peers, [WEBHOOK_HEALTH_PORT, ...Object.values(CaPort)]),
    },
  });
}

/** Lets pods connect to a peer. */
export function destination({ ports, ...peer }: NetworkDestination): k8s.NetworkPolicyEgressRule {
  return { to: [peer], ports: tcp(ports) };
}

/** Lets pods connect to a port of any address. Not by blocks of all addresses: for some engines those have no pods in them. */
export function anywhere(port: number): k8s.NetworkPolicyEgressRule {
  return { ports: tcp([port]) };
}

/** The way to a CA elsewhere: to its port, or to any of its namespace, for a Service does not tell the port behind it. */
export function toUrl({ hostname, port }: URL, clusterDomain: string): k8s.NetworkPolicyEgressRule {
  const [, namespace, ...rest] = hostname.split('.');
  const isService = ['svc', `svc.${clusterDomain}`].includes(rest.join('.'));
  if (!isService || namespace === undefined) return anywhere(Number(port || 443));
  return { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }] };
}

/** What the pods of a program may do. */
interface Doors {
  readonly ingress?: readonly k8s.NetworkPolicyIngressRule[];
  /** Ports of their metrics. */
  readonly metrics?: readonly number[];
  readonly egress: readonly k8s.NetworkPolicyEgressRule[];
}

/** One policy for the pods of these programs, called like the first. */
function close(scope: Construct, network: SystemNetwork, apps: readonly [string, ...string[]], doors: Doors): void {
  const { metrics = [], egress } = doors;
  const ingress = [...(doors.ingress ?? []), ...(metrics.length > 0 ? openTo(network.metricsFrom, metrics) : [])];
  new k8s.KubeNetworkPolicy(scope, 'NetworkPolicy', {
    metadata: metadata(apps[0], network.namespace),
    spec: {
      podSelector: podsOf(...apps),
      policyTypes: ['Ingress', 'Egress'],
      // The API server keeps no empty list, and would count each `kubectl apply` of one as a change.
      ...(ingress.length > 0 && { ingress }),
      ...(egress.length > 0 && { egress: [...egress] }),
    },
  });
}

function podsOf(...apps: string[]): k8s.LabelSelector {
  const [app, ...more] = apps;
  if (app !== undefined && more.length === 0) return { matchLabels: { app } };
  return { matchExpressions: [{ key: 'app', operator: 'In', values: apps }] };
}

/** Rules that open ports to peers; to anybody, if none are given; to nobody, if the list is empty. */
function openTo(peers: Peers | undefined, ports: readonly number[]): k8s.NetworkPolicyIngressRule[] {
  if (peers?.length === 0) return [];
  return [{ ...(peers && { from: [...peers] }), ports: tcp(ports) }];
}

function toApiServer({ apiServer, apiServerPorts }: SystemNetwork): k8s.NetworkPolicyEgressRule {
  return { ...(apiServer && { to: [...apiServer] }), ports: tcp(apiServerPorts) };
}

function onPorts(protocol: 'TCP' | 'UDP', ports: readonly number[]): k8s.NetworkPolicyPort[] {
  return ports.map((port) => ({ protocol, port: k8s.IntOrString.fromNumber(port) }));
}

function tcp(ports: readonly number[]): k8s.NetworkPolicyPort[] {
  return onPorts('TCP', ports);
}

/** To anywhere: it may run as pods, or on the nodes. */
const DNS: k8s.NetworkPolicyEgressRule = { ports: [...onPorts('UDP', DNS_PORTS), ...tcp(DNS_PORTS)] };
