/**
 * Steps 9.x: renewal of a short-lived certificate while requests go through it. Its pods are deployed early; the
 * renewal comes at two thirds of five minutes, while other steps run.
 * @module
 */
import assert from 'node:assert/strict';
import { Annotation, ContainerName } from '../../../runtime/contract.ts';
import { assertCertificate, type CertificateFiles, renewedFiles } from '../certificates.ts';
import type { Context, Step } from '../context.ts';
import { Greetings } from '../greetings.ts';

/** Namespace of the pods whose certificates are renewed. */
export const RENEWAL_NAMESPACE = 'e2e-renewal';

const LIFETIME = '5m';
const IN_TIME = { timeoutMs: 5 * 60_000, everyMs: 2_000 };

/** The step that deploys, for early in the run, those that look, for late in it, and the pods for whoever looks later. */
export function renewalSteps({ kubectl }: Context): {
  readonly deploy: Step;
  readonly look: readonly Step[];
  readonly greetings: Greetings;
} {
  const greetings = new Greetings(kubectl, {
    namespace: RENEWAL_NAMESPACE,
    annotations: { [Annotation.duration]: LIFETIME, [Annotation.delivery]: 'sidecar' },
  });
  const { server, client } = greetings;
  const before = new Map<string, CertificateFiles>();

  return {
    greetings,
    deploy: {
      id: '9.0',
      name: `a server and a client whose certificates live ${LIFETIME} greet each other ten times a second`,
      base: true,
      run: async () => {
        await greetings.start();
        for (const app of [server, client]) before.set(app, await greetings.filesOf(app));
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
    ],
  };
}
