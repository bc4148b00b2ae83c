/**
 * Steps 28.x: two PKIs that trust each other's root. The other one, "west", is a root of its own on this machine, with a server
 * and a client that it gave certificates to.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CaObject } from '../../../constructs/step-ca-pod.ts';
import { CERTIFICATE_DIR, PkiFile, PkiObject } from '../../../runtime/contract.ts';
import { install, synthesize } from '../../../scripts/cluster/installation.ts';
import { background, type Result, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { renewFiles, type SigningAuthority, signingAuthority } from '../../support/authorities.ts';
import { readFiles } from '../certificates.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { manifestsOf } from '../installed.ts';
import { assertRefused } from '../refusal.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples/hello-mtls');
const NAMESPACE = 'default';
const EAST = 'hello-mtls.default.svc.cluster.local';
const WEST = { server: 'hello.west.example.com', client: 'client.west.example.com', port: '8444' };
const CURL = ['curl', '--silent', '--show-error', '--max-time', '5'];
const SLEEP_FILES = ['--cert', `${CERTIFICATE_DIR}/site.crt`, '--key', `${CERTIFICATE_DIR}/site.key`];

/** All of them; they take a node of our own, whose network reaches Services and is reached by pods. */
export function federationSteps(context: Context): Step[] {
  if (!context.ownNode) return [];
  const { kubectl, scratch, inNetwork } = context;
  const at = (name: string) => join(scratch, 'west', name);

  /** A client of west greets hello-mtls. */
  const fromWest = async (): Promise<Result> => {
    const [address, map] = await Promise.all([
      kubectl.serviceAddress(NAMESPACE, 'hello-mtls'),
      kubectl.json<{ data: Record<string, string> }>(['-n', SYSTEM, 'get', 'configmap', PkiObject.certificates]),
    ]);
    writeFileSync(at('east.crt'), map.data[PkiFile.root] ?? '');
    const files = ['--cacert', at('east.crt'), '--cert', at('client/site.crt'), '--key', at('client/site.key')];
    return tryRun(inNetwork([...CURL, '--connect-to', `${EAST}:443:${address}:443`, ...files, `https://${EAST}`]));
  };

  /** The pod `sleep` greets the server of west. */
  const toWest = async (): Promise<Result> => {
    const { metadata, status } = await kubectl.ready(NAMESPACE, 'app=sleep');
    const to = ['--resolve', `${WEST.server}:${WEST.port}:${status.hostIP}`, `https://${WEST.server}:${WEST.port}`];
    const argv = [...CURL, '--cacert', `${CERTIFICATE_DIR}/root.crt`, ...SLEEP_FILES, ...to];
    return kubectl.try(['-n', NAMESPACE, 'exec', metadata.name, '-c', 'sleep', '--', ...argv]);
  };

  /** Pods that start have what Autocert knows at that moment: the roots within a minute after the CA has them. */
  const restarted = async () => {
    for (const app of ['hello-mtls', 'sleep']) {
      await kubectl.run(['-n', NAMESPACE, 'rollout', 'restart', `deployment/${app}`]);
      await kubectl.rolledOut(NAMESPACE, `deployment/${app}`);
    }
  };

  const whileWestServes = async (west: SigningAuthority, work: () => Promise<void>) => {
    const east = await readFiles(kubectl, NAMESPACE, 'deployment/sleep', 'sleep');
    await renewFiles(at('client'), WEST.client, west);
    await renewFiles(at('server'), WEST.server, west, west.root + east.roots.join(''));
    const env = [`CERTIFICATE_DIR=${at('server')}`, `PORT=${WEST.port}`];
    const server = background(inNetwork(['env', ...env, process.execPath, join(EXAMPLES, 'node/server.mjs')]));
    try {
      await waitFor('the server of west', async () => server.output().includes('listening'));
      await work();
    } finally {
      await server.stop();
    }
  };

  return [
    {
      id: '28.1',
      name: 'two roots: pods, and programs of a PKI among federatedRoots, refuse each other before, and greet each other then',
      run: async () => {
        const west = await signingAuthority('West');
        await restarted(); // pods from before a rotation may not have come to its end
        await whileWestServes(west, async () => {
          assertRefused(await fromWest(), 'a client of west, before');
          const { code, stderr } = await toWest();
          assert.equal(code, 60, `the server of west is refused before: ${stderr}`);
          writeFileSync(at('root.crt'), west.root);
          const manifests = join(scratch, 'federated');
          try {
            await synthesize(manifests, `env FEDERATED_ROOT=${at('root.crt')} node test/e2e/federated.ts`);
            await install(kubectl, manifests);
            const [greeting, answer] = await waitFor(
              'both to trust each other',
              async () => {
                await restarted();
                const both = [await fromWest(), await toWest()];
                for (const { code, stderr } of both) assert.equal(code, 0, stderr);
                return both.map(({ stdout }) => stdout);
              },
              { timeoutMs: 240_000, everyMs: 5_000 },
            );
            assert.equal(greeting, `Hello, ${WEST.client}!\n`);
            assert.equal(answer, 'Hello, sleep.default.svc.cluster.local!\n');
          } finally {
            await install(kubectl, manifestsOf(context));
            await kubectl.run(['-n', SYSTEM, 'delete', 'configmap', CaObject.federatedRoots, '--ignore-not-found']);
          }
        });
      },
    },
  ];
}
