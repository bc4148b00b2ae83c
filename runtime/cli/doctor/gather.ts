/**
 * Gathers the facts, once, side by side. Reads no Secret, and writes nothing.
 * @module
 */
import { OwnPods } from '../other-pods.ts';
import type { Facts } from './facts.ts';
import { readApis, readDns, readNamespaces, readNodes } from './gather-cluster.ts';
import {
  readAccounts,
  readCertificates,
  readConfiguration,
  readLease,
  readParts,
  readPolicies,
  readTrustBundle,
} from './gather-installation.ts';
import { readAskingPods, readSystemPods } from './gather-pods.ts';
import { readServices, readWebhooks } from './gather-webhooks.ts';
import type { Look } from './look.ts';
import { otherInjector, otherWebhooks } from './other-installations.ts';
import { ownLabel } from './ours.ts';
import { serverClock } from './server-clock.ts';
import { readUncreated } from './uncreated.ts';

/**
 * All facts.
 * @param now this machine's clock
 * @param monotonic milliseconds
 * @throws AutocertError `UNAVAILABLE` and `UNAUTHENTICATED`: the cluster cannot be asked
 */
export async function gather(look: Look, namespace: string, now: () => Date, monotonic: () => number): Promise<Facts> {
  const clock = await serverClock(look.api, now, monotonic);
  const [apis, namespaces, webhooks] = await Promise.all([
    readApis(look, clock.version),
    readNamespaces(look),
    readWebhooks(look),
  ]);
  const labels = namespaces && new Map(namespaces);
  const [installation, configuration, certificates, trustBundle, lease, accounts, policies] = await Promise.all([
    readParts(look, namespace),
    readConfiguration(look, namespace),
    readCertificates(look, namespace),
    apis.podCertificates ? readTrustBundle(look, namespace) : undefined,
    readLease(look, namespace),
    readAccounts(look, namespace),
    readPolicies(look, namespace),
  ]);
  const [services, dns, nodes, systemPods, pods, uncreated] = await Promise.all([
    readServices(look, webhooks ?? []),
    readDns(look),
    readNodes(look, clock),
    readSystemPods(look, namespace),
    readAskingPods(look),
    readUncreated(look, namespace),
  ]);
  const label = ownLabel({ configuration, webhooks, namespace });
  const others = otherWebhooks(webhooks ?? [], namespace, label);
  const own = new OwnPods(namespace);
  return {
    namespace,
    clock,
    apis,
    installation,
    configuration,
    certificates,
    trustBundle,
    lease,
    accounts,
    policies,
    webhooks,
    services,
    dns,
    nodes,
    namespaces: labels,
    systemPods,
    pods: pods?.filter((pod) => own.has(pod.origin ?? otherInjector(labels?.get(pod.namespace), others, label))),
    otherPods: own.others,
    uncreated,
  };
}
