/**
 * Faults of the network: packets between two parts are dropped, without anybody being told.
 * @module
 */
import { CERTIFICATE_PORT } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { type ClusterNode, linkTo } from '../../../scripts/cluster/node.ts';
import { SECOND_NODE } from '../../../scripts/cluster/settings.ts';
import { run } from '../../../scripts/cluster/shell.ts';
import type { Course, Fault } from './fault.ts';
import { type Lab, PARTS, type Part } from './lab.ts';

/** A chain and what is dropped there, on one node. */
interface Rule {
  readonly node: ClusterNode;
  readonly words: string;
}

/** Drops packets until the fault is ended. */
async function drop(rules: readonly Rule[]): Promise<Course> {
  const each = async (action: '-I' | '-D') => {
    for (const { node, words } of rules) {
      await run(node.inNetwork(['iptables', '-w', '10', action, ...words.split(' '), '-j', 'DROP']));
    }
  };
  await each('-I');
  return { end: () => each('-D') };
}

async function addressesOf(lab: Lab, part: Part): Promise<readonly string[]> {
  return (await lab.podsOf(part)).flatMap(({ status }) => status.podIP ?? []);
}

/** What one part sends to another, on every node that it passes. */
async function between(lab: Lab, from: Part, to: Part): Promise<Rule[]> {
  const [sources, targets] = [await addressesOf(lab, from), await addressesOf(lab, to)];
  return lab.nodes.flatMap((node) =>
    sources.flatMap((source) => targets.map((target) => ({ node, words: `FORWARD -s ${source} -d ${target}` }))),
  );
}

/** What a part sends to the API server. */
async function toApiServer(lab: Lab, from: Part): Promise<Rule[]> {
  const sources = await addressesOf(lab, from);
  return sources.map((source) => ({ node: lab.first, words: `INPUT -s ${source} -p tcp --dport 6443` }));
}

/** The faults. */
export const networkFaults: readonly Fault[] = [
  {
    id: 'cut-apiserver-webhook',
    name: 'no packets from API server to webhook, 12 s',
    happens: 'Annotated pods are refused after the webhook’s 5 s; those that run notice nothing.',
    lastsMs: 12_000,
    inject: async (lab) => {
      // As it was sent: kubelet's probes go to the pods themselves.
      const address = await lab.kubectl.serviceAddress(SYSTEM, PARTS.webhook);
      return drop([{ node: lab.first, words: `OUTPUT -p tcp -m conntrack --ctorigdst ${address}` }]);
    },
  },
  {
    id: 'cut-webhook-apiserver',
    name: 'no packets from webhook to API server, 12 s',
    happens: 'Admission goes on; agents that ask for a certificate wait, since nobody can say who they are.',
    lastsMs: 12_000,
    inject: async (lab) => drop(await toApiServer(lab, 'webhook')),
  },
  {
    id: 'cut-webhook-ca',
    name: 'no packets from webhook to CA, 12 s',
    happens: 'Pods with sidecar delivery wait, those with native delivery do not.',
    lastsMs: 12_000,
    inject: async (lab) => drop(await between(lab, 'webhook', 'ca')),
  },
  {
    id: 'cut-signer-ca',
    name: 'no packets from signer to CA, 12 s',
    happens: 'Pods with native delivery wait, those with sidecar delivery do not.',
    lastsMs: 12_000,
    inject: async (lab) => drop(await between(lab, 'signer', 'ca')),
  },
  {
    id: 'cut-signer-apiserver',
    name: 'no packets from signer to API server, 25 s',
    happens: 'Nobody leads; whoever gets through first leads afterwards.',
    lastsMs: 25_000,
    inject: async (lab) => drop(await toApiServer(lab, 'signer')),
  },
  {
    id: 'cut-pods-webhook',
    name: 'no packets from pods to webhook, 12 s',
    happens: 'Agents wait and try again; pods with native delivery need no way there.',
    lastsMs: 12_000,
    inject: async (lab) => {
      const targets = await addressesOf(lab, 'webhook');
      return drop(
        lab.nodes.flatMap((node) =>
          targets.map((target) => ({ node, words: `FORWARD -d ${target} -p tcp --dport ${CERTIFICATE_PORT}` })),
        ),
      );
    },
  },
  {
    id: 'cut-nodes',
    name: 'no packets between the nodes for 8 s, the CA and one webhook on the other',
    happens: 'New pods wait. Too short for Kubernetes to give the node up.',
    prepare: async (lab) => {
      await lab.placeCaOnSecond();
      await lab.spread();
    },
    inject: async (lab) => {
      const link = linkTo(SECOND_NODE);
      const words = ['INPUT -i', 'FORWARD -i', 'FORWARD -o', 'OUTPUT -o'].map((start) => `${start} ${link}`);
      return drop(words.map((each) => ({ node: lab.first, words: each })));
    },
  },
];
