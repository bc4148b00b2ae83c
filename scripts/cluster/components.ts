/**
 * Command lines and configuration files of the parts of a node.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeGroup } from './control-groups.ts';
import { Address, BIN, KUBERNETES_BIN, type NodePlace } from './settings.ts';

/** Path of containerd's socket, inside the node. */
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** Image of the process that holds a pod's namespaces. */
export const PAUSE_IMAGE = 'registry.k8s.io/pause:3.10';

/** For plugins of volumes, of which there are none. Kubelet and the controller manager make it: inside the node's own mount. */
const VOLUME_PLUGINS = '/var/lib/kubelet/volume-plugins';

const ETCD_URL = 'http://127.0.0.1:2379';

/** The parts in the order of their start. */
export type Component =
  | 'etcd'
  | 'containerd'
  | 'apiserver'
  | 'controller-manager'
  | 'scheduler'
  | 'kubelet'
  | 'proxy'
  | 'kube-router';

const CONTROL_PLANE: readonly Component[] = ['etcd', 'apiserver', 'controller-manager', 'scheduler'];

/** Where it gets its share of the CPU from. */
export function groupOf(component: Component): NodeGroup {
  return CONTROL_PLANE.includes(component) ? 'control-plane' : 'system';
}

/** How long the parts of a cluster wait for each other, where that is not as Kubernetes has it by default. */
export interface NodeTiming {
  /**
   * Whether the cluster gives a node up that is silent for ten seconds, and its pods five seconds later: what Kubernetes
   * does after 50 and 300 seconds, unless it is told otherwise.
   */
  readonly impatient?: boolean;
  /** Whether kubelet looks after each pod every ten seconds, not every minute: what ConfigMaps and trust bundles say is in pods as soon. */
  readonly attentive?: boolean;
}

/** A node as its parts see it. */
export interface NodeSetting extends NodeTiming {
  /** Its folder. */
  readonly state: string;
  readonly place: NodePlace;
}

/** What {@link NodeTiming.impatient} is made of. Seconds, but for the first a string of flags. */
const GRACE = { node: '10s', pods: '5', lease: 8 } as const;

/** The command line of a part. */
export function commandOf(component: Component, { state, place, impatient = false }: NodeSetting): string[] {
  const pki = (file: string) => join(state, 'pki', file);
  const kubeconfig = (party: string) => `--kubeconfig=${join(state, `${party}.kubeconfig`)}`;
  const flags = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => `--${name}=${value}`);
  switch (component) {
    case 'etcd':
      return [
        join(BIN, 'etcd'),
        ...flags({
          'data-dir': join(state, 'etcd'),
          'listen-client-urls': ETCD_URL,
          'advertise-client-urls': ETCD_URL,
          'listen-peer-urls': 'http://127.0.0.1:2380',
          'unsafe-no-fsync': 'true',
          'log-level': 'warn',
        }),
      ];
    case 'containerd':
      return [join(BIN, 'containerd'), '--config', join(state, 'containerd.toml')];
    case 'apiserver':
      return [
        join(KUBERNETES_BIN, 'kube-apiserver'),
        ...flags({
          'etcd-servers': ETCD_URL,
          'advertise-address': Address.node,
          'service-cluster-ip-range': Address.services,
          'allow-privileged': 'true',
          'authorization-mode': 'Node,RBAC',
          'enable-admission-plugins': 'NodeRestriction',
          'tls-cert-file': pki('apiserver.crt'),
          'tls-private-key-file': pki('apiserver.key'),
          'client-ca-file': pki('ca.crt'),
          'service-account-key-file': pki('service-account.pub'),
          'service-account-signing-key-file': pki('service-account.key'),
          'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
          'kubelet-client-certificate': pki('apiserver-kubelet.crt'),
          'kubelet-client-key': pki('apiserver-kubelet.key'),
          'kubelet-preferred-address-types': 'InternalIP',
          // One CA for clients and front proxy: 1.37 wants the front proxy's name then.
          'requestheader-client-ca-file': pki('ca.crt'),
          'requestheader-allowed-names': 'front-proxy-client',
          'proxy-client-cert-file': pki('front-proxy.crt'),
          'proxy-client-key-file': pki('front-proxy.key'),
          ...(impatient && {
            'default-not-ready-toleration-seconds': GRACE.pods,
            'default-unreachable-toleration-seconds': GRACE.pods,
          }),
        }),
      ];
    case 'controller-manager':
      return [
        join(KUBERNETES_BIN, 'kube-controller-manager'),
        kubeconfig('controller-manager'),
        ...flags({
          'leader-elect': 'false',
          'use-service-account-credentials': 'true',
          'service-account-private-key-file': pki('service-account.key'),
          'root-ca-file': pki('ca.crt'),
          'cluster-cidr': Address.pods,
          'flex-volume-plugin-dir': VOLUME_PLUGINS,
          'cluster-signing-cert-file': pki('ca.crt'),
          'cluster-signing-key-file': pki('ca.key'),
          ...(impatient && { 'node-monitor-grace-period': GRACE.node }),
        }),
      ];
    case 'scheduler':
      return [join(KUBERNETES_BIN, 'kube-scheduler'), kubeconfig('scheduler'), '--leader-elect=false'];
    case 'kubelet':
      return [
        join(KUBERNETES_BIN, 'kubelet'),
        kubeconfig('kubelet'),
        ...flags({
          config: join(state, 'kubelet.json'),
          'hostname-override': place.name,
          'node-ip': place.address,
        }),
      ];
    case 'proxy':
      return [join(KUBERNETES_BIN, 'kube-proxy'), `--config=${join(state, 'proxy.json')}`];
    case 'kube-router': // enforces NetworkPolicies, and nothing else of what it could do
      return [
        join(BIN, 'kube-router'),
        kubeconfig('proxy'),
        ...flags({
          'run-firewall': 'true',
          'run-router': 'false',
          'run-service-proxy': 'false',
          'run-loadbalancer': 'false',
          'enable-cni': 'false',
          'service-cluster-ip-range': Address.services,
          'hostname-override': place.name,
          'health-port': '0',
        }),
      ];
  }
}

/** Folders with programs that a part is to find before those of the system. */
export function toolsOf(component: Component, { state }: NodeSetting): readonly string[] {
  return component === 'kube-router' ? [legacyTools(state)] : [];
}

/**
 * kube-router reads the whole table `filter` and writes it back: what kube-proxy had written meanwhile would be undone. So it
 * has a table of its own, the one of the kernel's older interface. A packet has to pass both.
 */
export function legacyTools(state: string): string {
  return join(state, 'iptables-legacy');
}

/** Writes the files that the command lines name. `cgroup` is the control group that pods are below. */
export function writeConfigurations({ state, place, impatient, attentive }: NodeSetting, cgroup: string): void {
  const write = (name: string, content: object | string) =>
    writeFileSync(join(state, name), typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));

  write('containerd.toml', containerd(state));
  write('cni/10-bridge.conflist', {
    cniVersion: '0.4.0',
    name: 'e2e',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: false, // nothing outside is reached, and the other node has to see which pod it is
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: place.pods }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
  write('resolv.conf', 'nameserver 192.0.2.53\n'); // answers nothing: no name outside the cluster is ever looked up
  write('kubelet.json', {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      x509: { clientCAFile: join(state, 'pki/ca.crt') },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: [Address.dns],
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    resolvConf: join(state, 'resolv.conf'),
    tlsCertFile: join(state, 'pki/kubelet.crt'),
    tlsPrivateKeyFile: join(state, 'pki/kubelet.key'),
    volumePluginDir: VOLUME_PLUGINS,
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    maxPods: 250,
    registryPullQPS: 0,
    eventRecordQPS: 0,
    serializeImagePulls: false,
    ...(impatient && { nodeLeaseDurationSeconds: GRACE.lease, nodeStatusUpdateFrequency: '2s' }),
    ...(attentive && { syncFrequency: '10s' }),
  });
  write('proxy.json', {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: join(state, 'proxy.kubeconfig') },
    mode: 'iptables',
    clusterCIDR: Address.pods,
    hostnameOverride: place.name,
    conntrack: { maxPerCore: 0 },
    iptables: { minSyncPeriod: '100ms' },
  });
}

function containerd(state: string): string {
  // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc would die when it lowers the score.
  // stats_collect_period: containerd would ask each container every second, for figures that nobody reads here: a fifth of the CPU.
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  stats_collect_period = "1h"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "${join(state, 'cni')}"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
}
