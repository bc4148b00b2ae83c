/**
 * Steps 22.x: the doors of the system namespace, each tried by those to whom it is closed, and by somebody to whom it is
 * open: so none is taken for closed where nobody listens. It takes a network that enforces NetworkPolicies, as that of a
 * node of our own does.
 * @module
 */
import assert from 'node:assert/strict';
import { AutocertMonitoring, AutocertWebhook, StepCa } from '../../../constructs/index.ts';
import {
  CaPort,
  CERTIFICATE_PORT,
  CertificatePath,
  CONTAINER_PORT,
  WEBHOOK_HEALTH_PORT,
} from '../../../runtime/contract.ts';
import { run } from '../../../scripts/cluster/shell.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import {
  type Door,
  LISTENER_PORT,
  NETWORK_NAMESPACES,
  Parties,
  type PartyName,
  policiesOf,
  whileAllowed,
} from '../network-parties.ts';
import { FORWARDED_CA, whileForwarded } from './outside.ts';

export { NETWORK_NAMESPACES } from '../network-parties.ts';

/** Of any namespace, the system's too: nobody of Autocert. */
const STRANGERS: readonly PartyName[] = ['tenant', 'impostor', 'prometheus', 'guest'];

/** Makes one, of a key that nobody keeps. */
const CERTIFICATE_REQUEST = [
  ...['openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ...['-nodes', '-keyout', '/dev/null', '-subj', '/'], // names come from the pod, or not at all
];

/** Pods of a namespace with this label. */
function peer(namespace: string, app: string) {
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    podSelector: { matchLabels: { app } },
  };
}

const METRICS = [
  { name: "step-ca's metrics", app: 'ca', port: CaPort.metrics },
  { name: "the supervisor's port", app: 'ca', port: CaPort.supervisor },
  { name: "the webhook's metrics", app: 'autocert', port: WEBHOOK_HEALTH_PORT },
  { name: "the signer's metrics", app: 'autocert-signer', port: WEBHOOK_HEALTH_PORT },
] as const;

/** Steps 22.x. */
export function networkSteps({ kubectl, ownNode, inNetwork, print }: Context): Step[] {
  let deployed: Promise<Parties> | undefined;
  const parties = () => {
    deployed ??= Parties.deploy(kubectl);
    return deployed;
  };
  const toCa = async () => (await parties()).door('the CA', SYSTEM, 'ca', CONTAINER_PORT);
  const toService = async (name: string, port: number): Promise<Door> => {
    return { name: `the Service ${name}`, address: await kubectl.serviceAddress(SYSTEM, name), port };
  };
  const metrics = async () => {
    const all = await parties();
    return Promise.all(METRICS.map(({ name, app, port }) => all.door(name, SYSTEM, app, port)));
  };
  const metricsPolicy = () =>
    policiesOf((chart) => {
      const webhook = new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') });
      const metricsFrom = [peer(NETWORK_NAMESPACES.monitoring, 'prometheus')];
      const only = { podMonitors: false, prometheusRule: false, dashboard: false };
      new AutocertMonitoring(chart, 'monitoring', { webhook, metricsFrom, ...only });
    }).slice(-1);

  const steps: Omit<Step, 'id'>[] = [
    {
      name: "the CA is open to webhook and signer, and closed to others: a tenant, a pod labelled like Autocert's, a guest",
      run: async () => {
        const all = await parties();
        await each([await toCa(), await toService('ca', 443)], async (door) => {
          await all.expect('open', door, ['webhook', 'signer']);
          await all.expect('closed', door, STRANGERS);
        });
      },
    },
    {
      name: 'allowFrom opens the CA to whom it names and to nobody else, for as long as it does',
      run: async () => {
        const [all, door] = [await parties(), await toCa()];
        await whileAllowed(kubectl, [peer(NETWORK_NAMESPACES.tenant, 'tenant')], async () => {
          await all.expect('open', door, ['tenant', 'webhook', 'signer']);
          await all.expect('closed', door, ['impostor', 'prometheus', 'guest']);
        });
        await all.expect('closed', door, ['tenant']);
      },
    },
    {
      name: 'metrics of CA, supervisor, webhook and signer are open to whom metricsFrom names, and closed to others',
      run: async () => {
        const [all, doors] = [await parties(), await metrics()];
        await each(doors, (door) => all.expect('closed', door, STRANGERS));
        const policy = JSON.stringify(metricsPolicy()[0]);
        await kubectl.run(['apply', '-f', '-'], { input: policy });
        try {
          await each(doors, async (door) => {
            await all.expect('open', door, ['prometheus']);
            await all.expect('closed', door, ['tenant', 'impostor', 'guest']);
          });
          await all.expect('closed', await toCa(), ['prometheus']);
        } finally {
          await kubectl.run(['delete', '-f', '-'], { input: policy });
        }
        await each(doors, (door) => all.expect('closed', door, ['prometheus']));
      },
    },
    {
      name: 'pods reach admission and the certificate endpoint, which answers 401 without a token',
      run: async () => {
        const all = await parties();
        await all.expect('open', await toService('autocert', 443), ['tenant']);
        await all.expect('open', await toService('autocert', CERTIFICATE_PORT), STRANGERS);
        const url = `https://autocert.${SYSTEM}.svc:${CERTIFICATE_PORT}${CertificatePath.certificate}`;
        const curl = ['curl', '--silent', '--insecure', '--output', '/dev/null', '--write-out', '%{http_code}'];
        const data = JSON.stringify({ csr: await run(CERTIFICATE_REQUEST) });
        const post = [...curl, '--header', 'content-type: application/json', '--data', data, url];
        assert.equal(await kubectl.exec(NETWORK_NAMESPACES.tenant, 'tenant', 'main', post), '401');
      },
    },
    {
      name: "webhook and signer reach the API server and no tenant's pod; the CA reaches nobody",
      run: async () => {
        const all = await parties();
        const listener = await all.door("a tenant's pod", NETWORK_NAMESPACES.tenant, 'listener', LISTENER_PORT);
        const api = { name: 'the API server', address: await kubernetesAddress(), port: 443 };
        await all.expect('open', listener, ['tenant', 'guest']);
        await all.expect('open', api, ['tenant', 'webhook', 'signer']);
        await all.expect('closed', listener, ['webhook', 'signer', 'ca']);
        await all.expect('closed', api, ['ca']);
        await all.expect('closed', await toService('autocert', CERTIFICATE_PORT), ['ca']);
      },
    },
    {
      name: 'kubectl port-forward to the CA needs no door',
      run: () =>
        whileForwarded(kubectl, async () => {
          const health = await run(inNetwork(['curl', '--silent', '--insecure', `${FORWARDED_CA}/health`]));
          assert.deepEqual(JSON.parse(health), { status: 'ok' });
        }),
    },
    {
      name: 'what is left of those who tried: nothing',
      run: async () => (await parties()).remove(),
    },
  ];

  const kubernetesAddress = () => kubectl.serviceAddress('default', 'kubernetes');
  return steps.map(({ name, run: work }, index) => ({
    id: `22.${index + 1}`,
    name,
    run: async () => {
      if (ownNode || index === steps.length - 1 || (await isEnforced(parties, toCa))) return work();
      print('       this network does not enforce NetworkPolicies: left out');
    },
  }));
}

/** Tries all doors at once: at a closed one an attempt waits for its whole patience. */
async function each(doors: readonly Door[], attempt: (door: Door) => Promise<void>): Promise<void> {
  await Promise.all(doors.map(attempt));
}

/** Whether the network of somebody's cluster closes what policies close. */
async function isEnforced(parties: () => Promise<Parties>, toCa: () => Promise<Door>): Promise<boolean> {
  const [all, door] = [await parties(), await toCa()];
  return all.expect('closed', door, ['tenant']).then(
    () => true,
    () => false,
  );
}
