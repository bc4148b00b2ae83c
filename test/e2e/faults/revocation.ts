/**
 * A certificate that was revoked before the faults begin: the CA must know of it for ever.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Annotation, CONTAINER_PORT } from '../../../runtime/contract.ts';
import { SYSTEM } from '../../../scripts/cluster/installation.ts';
import { FIRST_NODE, SECOND_NODE } from '../../../scripts/cluster/settings.ts';
import { run } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { readFiles } from '../certificates.ts';
import type { Lab } from './lab.ts';
import { FAULTS_NAMESPACE } from './settings.ts';

/** Lets the nodes reach the CA on either of them: whoever asks here is on the network of the first. */
const FROM_NODES = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'e2e-nodes', namespace: SYSTEM },
  spec: {
    podSelector: { matchLabels: { app: 'ca' } },
    policyTypes: ['Ingress'],
    ingress: [
      {
        from: [FIRST_NODE, SECOND_NODE].map(({ address }) => ({ ipBlock: { cidr: `${address}/32` } })),
        ports: [{ port: CONTAINER_PORT }],
      },
    ],
  },
};

const POD = 'revoked';
const HOST = 'ca.step.svc';

/** Has a certificate revoked; the function given back asks the CA whether it knows. */
export async function revokeOne(lab: Lab, scratch: string): Promise<() => Promise<boolean>> {
  const { kubectl } = lab;
  const annotations = {
    [Annotation.name]: `${POD}.${FAULTS_NAMESPACE}.svc.cluster.local`,
    [Annotation.delivery]: 'sidecar',
    [Annotation.bootstrapperOnly]: 'true',
  };
  await kubectl.apply([FROM_NODES, testPod(FAULTS_NAMESPACE, POD, { annotations })]);
  await kubectl.ready(FAULTS_NAMESPACE, `app=${POD}`);
  const { leaf, intermediate, roots, keyPem } = await readFiles(kubectl, FAULTS_NAMESPACE, POD, 'main');
  const written = (name: string, text: string) => {
    const file = join(scratch, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  await kubectl.run(['-n', FAULTS_NAMESPACE, 'delete', 'pod', POD, '--wait=false']);
  const address = await kubectl.serviceAddress(SYSTEM, 'ca');
  const identity = [
    ...['--cacert', written('root.crt', roots.join(''))],
    ...['--cert', written('site.crt', `${leaf}${intermediate}`)],
    ...['--key', written('site.key', keyPem)],
  ];
  const serial = BigInt(`0x${leaf.serialNumber}`).toString();
  const body = JSON.stringify({ serial, reasonCode: 1, reason: 'key compromise', passive: true });
  const revoke = () =>
    run(
      lab.first.inNetwork([
        ...['curl', '-sS', '--max-time', '20', '--retry', '3', '--resolve', `${HOST}:443:${address}`, ...identity],
        ...['-H', 'content-type: application/json', '-d', body, `https://${HOST}/1.0/revoke`],
      ]),
    );
  const first = await revoke();
  if (!first.includes('"ok"')) throw new Error(`the CA does not revoke: ${first}`);
  return async () => (await revoke()).includes('already revoked');
}
