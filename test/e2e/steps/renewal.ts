/**
 * Steps 9.x: renewal of a short-lived certificate while requests go through it. Its pods are deployed early; the
 * renewal comes at two thirds of five minutes, while other steps run.
 * @module
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Annotation, ContainerName } from '../../../runtime/contract.ts';
import { tryRun } from '../../../scripts/cluster/shell.ts';
import { assertCertificate, type CertificateFiles, renewedFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { Greetings } from '../greetings.ts';

/** Namespace of the pods whose certificates are renewed, and of those in Go. */
export const RENEWAL_NAMESPACE = 'e2e-renewal';
export const GO_RENEWAL_NAMESPACE = 'e2e-renewal-go';

const LIFETIME = '5m';
const IN_TIME = { timeoutMs: 5 * 60_000, everyMs: 2_000 };

/** The step that deploys, for early in the run, those that look, for late in it, and the pods for whoever looks later. */
export function renewalSteps({ kubectl, inNetwork, ownNode }: Context): {
  readonly deploy: Step;
  readonly look: readonly Step[];
  readonly greetings: Greetings;
} {
  const annotations = { [Annotation.duration]: LIFETIME, [Annotation.delivery]: 'sidecar' };
  const greetings = new Greetings(kubectl, { namespace: RENEWAL_NAMESPACE, annotations });
  const { server, client } = greetings;
  const inGo = new Greetings(kubectl, { namespace: GO_RENEWAL_NAMESPACE, annotations, language: 'go' });
  const before = new Map<string, CertificateFiles>();

  return {
    greetings,
    deploy: {
      id: '9.0',
      name: `a server and a client whose certificates live ${LIFETIME} greet each other ten times a second, in Node and in Go`,
      base: true,
      run: async () => {
        await greetings.start();
        for (const app of [server, client]) before.set(app, await greetings.filesOf(app));
        await inGo.start();
        for (const app of [inGo.server, inGo.client]) before.set(app, await inGo.filesOf(app));
      },
    },
    look: [
      {
        id: '9.1',
        name: 'both were renewed: new serial, new key, the chain as it must be',
        run: async () => {
          for (const app of [server, client]) {
            const files = await renewedFiles(app, before.get(app), () => greetings.filesOf(app), IN_TIME);
            assertCertificate(files, { name: greetings.nameOf(app), hours: 5 / 60 });
          }
        },
      },
      {
        id: '9.2',
        name: 'the server serves the new certificate, and no request failed',
        run: async () => {
          await greetings.renewedAtServer(1);
          await greetings.moreThan(500);
          await greetings.assertUnbroken();
          assert.doesNotMatch(
            await greetings.logOf(server, ContainerName.renewer),
            /PRIVATE KEY|eyJ/,
            'no key and no token is in the log',
          );
        },
      },
      {
        id: '9.3',
        name: 'the server in Go serves the new certificate without a restart, the client in Go uses its own, and no request failed',
        run: async () => {
          const [served] = await Promise.all(
            [inGo.server, inGo.client].map((app) =>
              renewedFiles(app, before.get(app), () => inGo.filesOf(app), IN_TIME),
            ),
          );
          await inGo.renewedAtServer(1);
          await inGo.moreThan(await inGo.count());
          await inGo.assertUnbroken();
          if (!ownNode) return; // Services' addresses are not reached from outside
          const address = await kubectl.serviceAddress(GO_RENEWAL_NAMESPACE, inGo.server);
          const { stdout } = await tryRun(inNetwork(['openssl', 's_client', '-connect', `${address}:443`]));
          const shown = new X509Certificate(/-----BEGIN[\s\S]*?END CERTIFICATE-----/.exec(stdout)?.[0] ?? '');
          assert.equal(shown.serialNumber, served?.leaf.serialNumber);
        },
      },
    ],
  };
}
