/**
 * Attacks on native delivery: volumes and requests that are written by hand.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Annotation, SIGNER_NAME, TRUST_BUNDLE_NAME } from '../../../runtime/contract.ts';
import type { KubernetesObject, Pod } from '../../../scripts/cluster/kubectl.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import type { PodOptions } from '../../../scripts/cluster/workloads.ts';
import { requestWithNames } from '../../support/certificate-requests.ts';
import { SYSTEM } from '../context.ts';
import type { Attack, Defence } from './attack.ts';
import { ATTACK_NAMESPACES, firstLine, type Lab, ownName, VICTIMS_NAME } from './lab.ts';

const { tenant: TENANT, victim: VICTIM, bare: BARE } = ATTACK_NAMESPACES;

interface Request extends KubernetesObject {
  readonly spec: { readonly podName: string };
  readonly status?: {
    readonly certificateChain?: string;
    readonly conditions?: readonly { type: string; reason: string; message: string }[];
  };
}

/** A volume as the webhook would add it, with changes. */
function handMade(podCertificate: object = {}): PodOptions {
  const source = {
    signerName: SIGNER_NAME,
    keyType: 'ECDSAP256',
    credentialBundlePath: 'bundle.pem',
    ...podCertificate,
  };
  return {
    spec: { volumes: [{ name: 'stolen', projected: { sources: [{ podCertificate: source }] } }] },
    container: { volumeMounts: [{ name: 'stolen', mountPath: '/stolen' }] },
  };
}

const requestsOf = async (lab: Lab, namespace: string, pod: string): Promise<readonly Request[]> => {
  const { items } = await lab.admin.json<{ items: readonly Request[] }>([
    '-n',
    namespace,
    'get',
    'podcertificaterequests',
  ]);
  return items.filter(({ spec }) => spec.podName === pod);
};

/** The pod is made and gets nothing; an Event or the request says why. */
async function getsNothing(lab: Lab, namespace: string, name: string, pod: object, reason: RegExp): Promise<Defence> {
  const { code, stderr } = await lab.create(namespace === TENANT ? lab.tenant : lab.admin, pod);
  if (code !== 0) {
    const { trace } = await lab.counted('apiserver_request_total\\{code="4', () => lab.create(lab.tenant, pod));
    return { happened: `refused: ${firstLine(stderr)}`, trace };
  }
  try {
    const trace = await lab.event(namespace, name, reason);
    const given = (await requestsOf(lab, namespace, name)).filter(({ status }) => status?.certificateChain);
    assert.equal(given.length, 0, 'a certificate was given');
    return { happened: 'the pod waits without a certificate', trace };
  } finally {
    await lab.admin.try(['-n', namespace, 'delete', 'pod', name, '--wait=false', '--grace-period=1']);
  }
}

/** The names of what the pod was given. */
async function namesGiven(lab: Lab, pod: string): Promise<X509Certificate> {
  const request = await waitFor('the certificate', async () => {
    const requests = await requestsOf(lab, TENANT, pod);
    return requests.find(({ status }) => status?.certificateChain);
  });
  return new X509Certificate(request.status?.certificateChain ?? '');
}

/** NodeRestriction, of what a node says of a pod. */
const INCONSISTENT = /inconsistent with the running|forbidden|not found/i;

const named = (name: string) => ({ [Annotation.name]: name });

const attacks: readonly Omit<Attack, 'native'>[] = [
  {
    id: 'volume-without-name',
    name: 'writes a podCertificate volume of our signer into a pod without an annotation',
    who: 'tenant',
    expected: 'no certificate; an Event',
    run: async (lab) => {
      const name = lab.unique('hand');
      return getsNothing(lab, TENANT, name, lab.pod(name, {}, handMade()), /has no annotation/);
    },
  },
  {
    id: 'volume-user-annotations',
    name: "asks for the neighbour's name by userAnnotations of the volume",
    who: 'tenant',
    expected: 'no certificate; the request is denied',
    run: async (lab) => {
      const name = lab.unique('hand');
      const wish = handMade({ userAnnotations: { [`${Annotation.name}`]: VICTIMS_NAME } });
      // Else admission would add a volume of ours beside it, which rightly gets a certificate.
      const annotations = { ...named(ownName(name)), [Annotation.status]: 'injected' };
      return getsNothing(lab, TENANT, name, lab.pod(name, annotations, wish), /userAnnotations|Denied|denied/);
    },
  },
  {
    id: 'volume-injected-by-hand',
    name: "says that its pod is injected already, so that admission leaves it, and asks for the neighbour's name",
    who: 'tenant',
    expected: 'no certificate; an Event',
    run: async (lab) => {
      const name = lab.unique('hand');
      const annotations = { ...named(VICTIMS_NAME), [Annotation.status]: 'injected' };
      return getsNothing(lab, TENANT, name, lab.pod(name, annotations, handMade()), /may have|NotAllowed|not allowed/);
    },
  },
  {
    id: 'volume-many-annotations',
    name: 'as before, with 200 KiB of annotations that nobody knows, which the signer has to judge',
    who: 'tenant',
    expected: "no certificate, and the neighbour's comes within ten seconds",
    run: async (lab) => {
      const name = lab.unique('hand');
      const junk = Object.fromEntries(
        Array.from({ length: 4000 }, (_, index) => [`autocert.step.sm/${'x'.repeat(30)}${index}`, 'y']),
      );
      const annotations = { ...junk, ...named(VICTIMS_NAME), [Annotation.status]: 'injected' };
      const before = await lab.restarts();
      const made = getsNothing(
        lab,
        TENANT,
        name,
        lab.pod(name, annotations, handMade()),
        /may have|not known|NotAllowed|annotations/,
      );
      const [defence, seconds] = await Promise.all([made, lab.neighbour('native')]);
      assert(seconds < 30, `the neighbour waited ${seconds} s`);
      assert.equal(await lab.restarts(), before, 'nothing of ours was restarted');
      return {
        ...defence,
        happened: `${defence.happened}; the neighbour’s pod was ready after ${seconds.toFixed(1)} s`,
      };
    },
  },
  {
    id: 'volume-long-life',
    name: 'asks for 91 days and an RSA key by a volume of its own, with its own name',
    who: 'tenant',
    expected: "its own name, and no longer than the policy's maximum",
    run: async (lab) => {
      const since = new Date();
      const name = lab.unique('hand');
      const annotations = { ...named(ownName(name)), [Annotation.status]: 'injected' };
      const wish = handMade({ keyType: 'RSA3072', maxExpirationSeconds: 7_862_400 });
      const { code, stderr } = await lab.create(lab.tenant, lab.pod(name, annotations, wish));
      assert.equal(code, 0, stderr);
      const leaf = await namesGiven(lab, name);
      assert.equal(leaf.subjectAltName, `DNS:${ownName(name)}`);
      const hours = (leaf.validToDate.getTime() - leaf.validFromDate.getTime()) / 3_600_000;
      assert(hours <= 24.1, `valid for ${hours} h`);
      await lab.remove(name);
      return {
        happened: `${leaf.subjectAltName} for ${hours.toFixed(1)} h`,
        trace: await lab.log('autocert-signer', new RegExp(`"pod":"${name}"`), since),
      };
    },
  },
  {
    id: 'request-by-tenant',
    name: "creates a PodCertificateRequest for the neighbour's pod",
    who: 'tenant',
    expected: 'refused by RBAC',
    run: async (lab) => lab.forbidden(() => lab.create(lab.tenant, requestFor(VICTIM, 'pay', 'x'))),
  },
  {
    id: 'request-by-node',
    name: 'creates PodCertificateRequests for a pod that is not there, for another UID and another account of a pod on it',
    who: 'node',
    ownNode: true,
    expected: 'refused by NodeRestriction',
    run: async (lab) => {
      const { uid } = (await lab.admin.json<Pod>(['-n', VICTIM, 'get', 'pod', 'pay'])).metadata;
      await lab.forbidden(() => lab.create(lab.node, requestFor(VICTIM, 'nobody', uid)), INCONSISTENT);
      const successor = '00000000-0000-0000-0000-000000000000';
      await lab.forbidden(() => lab.create(lab.node, requestFor(VICTIM, 'pay', successor)), INCONSISTENT);
      return lab.forbidden(() => lab.create(lab.node, requestFor(VICTIM, 'pay', uid, 'builder')), INCONSISTENT);
    },
  },
  {
    id: 'request-for-names',
    name: 'creates a PodCertificateRequest whose key request has names, past kubelet',
    who: 'administrator',
    expected: 'denied: names come from the pod',
    run: async (lab) => {
      const pod = await lab.admin.json<Pod>(['-n', VICTIM, 'get', 'pod', 'pay']);
      const node = await lab.admin.json<KubernetesObject>(['get', 'node', pod.spec.nodeName ?? '']);
      const account = await lab.admin.json<KubernetesObject>(['-n', VICTIM, 'get', 'serviceaccount', 'default']);
      const request = requestFor(VICTIM, 'pay', pod.metadata.uid) as {
        spec: object;
        metadata: { generateName?: string; name: string };
      };
      const csr = requestWithNames({ dns: [`ca.${SYSTEM}.svc`] }).replace(/-----[^-]+-----|\s/g, '');
      const spec = {
        ...request.spec,
        nodeName: node.metadata.name,
        nodeUID: node.metadata.uid,
        serviceAccountUID: account.metadata.uid,
        stubPKCS10Request: csr,
      };
      const { code, stderr } = await lab.create(lab.admin, { ...request, spec });
      if (code !== 0) {
        const { trace } = await lab.counted('apiserver_request_total\\{code="4', () =>
          lab.create(lab.admin, { ...request, spec }),
        );
        return { happened: `refused: ${firstLine(stderr)}`, trace };
      }
      const condition = await waitFor('the answer', async () => {
        const one = await lab.admin.json<Request>([
          '-n',
          VICTIM,
          'get',
          'podcertificaterequest',
          request.metadata.name,
        ]);
        return one.status?.conditions?.[0];
      });
      assert.equal(condition.type, 'Denied', condition.message);
      return {
        happened: `${condition.type}: ${firstLine(condition.message)}`,
        trace: `PodCertificateRequest: ${condition.type} ${condition.reason}`,
      };
    },
  },
  {
    id: 'namespace-unlabelled',
    name: 'writes the volume and the annotation into a pod of a namespace that is not labelled',
    who: 'administrator',
    expected: 'no certificate; an Event',
    run: async (lab) => {
      const name = lab.unique('bare');
      const pod = lab.pod(name, named(`${name}.${BARE}.svc`), handMade());
      return getsNothing(
        lab,
        BARE,
        name,
        { ...pod, metadata: { ...pod.metadata, namespace: BARE } },
        /is not labelled/,
      );
    },
  },
  {
    id: 'namespace-excluded',
    name: "labels Autocert's own namespace by accident, and makes a pod there that asks for the CA's host",
    who: 'administrator',
    expected: 'no certificate; an Event',
    run: async (lab) => {
      const name = lab.unique('excluded');
      const pod = lab.pod(name, named(`ca.${SYSTEM}.svc`), handMade());
      const container = {
        ...pod.spec.containers[0],
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
      };
      await lab.admin.run(['label', 'namespace', SYSTEM, 'autocert.step.sm=enabled']);
      try {
        const object = {
          ...pod,
          metadata: { ...pod.metadata, namespace: SYSTEM },
          spec: { ...pod.spec, containers: [container] },
        };
        return await getsNothing(lab, SYSTEM, name, object, /excluded|reserved/);
      } finally {
        await lab.admin.run(['label', 'namespace', SYSTEM, 'autocert.step.sm-']);
      }
    },
  },
  {
    id: 'trust-bundle',
    name: 'replaces the roots that pods trust, in the ClusterTrustBundle of our name, and makes another of our signer',
    who: 'tenant',
    expected: 'refused by RBAC',
    run: async (lab) => {
      const bundle = (name: string) => ({
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'ClusterTrustBundle',
        metadata: { name },
        spec: { signerName: SIGNER_NAME, trustBundle: 'x' },
      });
      await lab.forbidden(() => lab.create(lab.tenant, bundle(TRUST_BUNDLE_NAME.replace('root', 'mine'))));
      return lab.forbidden(() =>
        lab.tenant.try([
          'patch',
          'clustertrustbundle',
          TRUST_BUNDLE_NAME,
          '--type=merge',
          '-p',
          '{"spec":{"trustBundle":"x"}}',
        ]),
      );
    },
  },
];

/** All of them. */
export const nativeAttacks: readonly Attack[] = attacks.map((attack) => ({ ...attack, native: true }));

function requestFor(namespace: string, podName: string, podUID: string, account = 'default'): object {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'PodCertificateRequest',
    metadata: { name: `forged-${Math.random().toString(36).slice(2, 8)}`, namespace },
    spec: {
      signerName: SIGNER_NAME,
      podName,
      podUID,
      serviceAccountName: account,
      serviceAccountUID: 'x',
      nodeName: 'node0',
      nodeUID: 'x',
      maxExpirationSeconds: 86_400,
      stubPKCS10Request: requestWithNames({}).replace(/-----[^-]+-----|\s/g, ''),
    },
  };
}
