/**
 * Gathers the facts, once, side by side. Reads no Secret, and writes nothing.
 * @module
 */
import type { Look } from '../observed/look.ts';
import { readNamespaces } from '../observed/namespaces.ts';
import { otherInjector, otherWebhooks } from '../observed/other-installations.ts';
import { OwnPods } from '../observed/other-pods.ts';
import { ownLabel, readWebhooks } from '../observed/webhooks.ts';
import type { Facts } from './facts.ts';
import { readApis, readDns, readNodes, readServices } from './gather-cluster.ts';
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
  const reading = readConfiguration(look, namespace);
  const [installation, configuration, certificates, trustBundle, lease, accounts, policies] = await Promise.all([
    readParts(look, namespace, reading),
    reading,
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
  const known = { configuration, webhooks, namespace };
  const [label, others] = [ownLabel(known), otherWebhooks(known)];
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
    namespaces,
    systemPods,
    pods: pods?.filter((pod) => own.has(pod.origin ?? otherInjector(namespaces?.get(pod.namespace), others, label))),
    otherPods: own.others,
    uncreated,
  };
}
