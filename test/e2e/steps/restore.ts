/**
 * Steps 19.x: the namespace with everything in it is deleted, and the PKI comes back from its backup, while requests go
 * through its certificates and a second root has been announced. Pods with native delivery renew after it in step 13.4.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALLOW_DELETION } from '../../../runtime/contract.ts';
import { install } from '../../../scripts/cluster/installation.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { autocert } from '../autocert.ts';
import { type CertificateFiles, renewedFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import type { Greetings } from '../greetings.ts';
import { manifestsOf } from '../installed.ts';
import { wakeAgent } from './rights.ts';

const SLOWLY = { timeoutMs: 3 * 60_000, everyMs: 3000 };

/** Steps 19.x. `greetings` are pods with agents. */
export function restoreSteps(context: Context, greetings: Greetings): Step[] {
  const { kubectl, scratch } = context;
  const backup = join(scratch, 'pki.backup');
  const passphrase = join(scratch, 'passphrase');
  const withPassphrase = ['--passphrase-file', passphrase];
  const apps = [greetings.server, greetings.client];
  const before = new Map<string, CertificateFiles>();
  let state = '';

  return [
    {
      id: '19.1',
      name: 'autocert pki backup; then the namespace with CA, webhook, signer, database and keys is deleted',
      run: async () => {
        writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 });
        state = await pkiState(context);
        await autocert(context, ['pki', 'backup', '--out', backup, ...withPassphrase]);
        await kubectl.run(['annotate', 'namespace', SYSTEM, `${ALLOW_DELETION}=true`]);
        await kubectl.run(['delete', 'namespace', SYSTEM, '--wait=false']);
        await waitFor(
          'the namespace to go',
          async () => (await kubectl.try(['get', 'namespace', SYSTEM])).stderr.includes('NotFound'),
          SLOWLY,
        );
        for (const app of apps) before.set(app, await greetings.filesOf(app));
      },
    },
    {
      id: '19.2',
      name: 'autocert pki restore, kubectl apply -f dist/: the same roots and the same state as before',
      run: async () => {
        await autocert(context, ['pki', 'restore', backup, ...withPassphrase]);
        await install(kubectl, manifestsOf(context));
        assert.equal(await pkiState(context), state);
      },
    },
    {
      id: '19.3',
      name: 'running pods renew, no container was restarted, and no request failed throughout',
      run: async () => {
        await autocert(context, ['renew', '--namespace', greetings.namespace]);
        for (const app of apps) {
          // The webhook hears of the wish within a minute, and an agent asks it whenever it is woken.
          const read = async () => {
            await wakeAgent(context, greetings.namespace, `deployment/${app}`);
            return greetings.filesOf(app);
          };
          await renewedFiles(app, before.get(app), read, SLOWLY);
        }
        await greetings.moreThan((await greetings.count()) + 50);
        await greetings.assertUnbroken();
      },
    },
  ];
}

/** What `autocert pki status` says of the PKI itself. */
async function pkiState(context: Context): Promise<string> {
  const { roots, intermediate, rotation, damaged } = JSON.parse(await autocert(context, ['pki', 'status', '--json']));
  return JSON.stringify({ roots, intermediate, rotation, damaged }, undefined, 1);
}
