/**
 * Steps 6.x: certificates for programs outside the cluster, and hello-mtls reached from there, by the commands of the tutorial.
 * @module
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PkiObject } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { background, type Result, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';
import { assertRefused } from '../refusal.ts';
import { Typist } from '../typist.ts';
import { TUTORIAL } from './tutorial.ts';

/** The CA as it is reached meanwhile. */
export const FORWARDED_CA = 'https://127.0.0.1:4443';
const NAMESPACE = 'default';
const NAME = 'snarf.local.dev';
const HELLO = 'hello-mtls.default.svc.cluster.local';
/** What the load balancer that we play is called. */
const BALANCER = 'hello-mtls-1234.elb.example.com';

/** Runs with `kubectl port-forward` to the CA going on, as in the tutorial's other shell. */
export async function whileForwarded(kubectl: Kubectl, work: () => Promise<void>): Promise<void> {
  const [pod] = await kubectl.pods(SYSTEM, 'app=ca');
  const forward = background([...kubectl.argv, '-n', SYSTEM, 'port-forward', pod?.metadata.name ?? '', '4443:4443']);
  try {
    await waitFor('port-forward', async () => forward.output().includes('Forwarding from'));
    await work();
  } finally {
    await forward.stop();
  }
}

/** Steps 6.x. */
export function outsideSteps(context: Context): Step[] {
  const { kubectl, step, scratch, inNetwork, ownNode } = context;
  const tutorial = new Typist(context, TUTORIAL);
  const file = (name: string) => join(tutorial.folder, name);
  const withRoot = () => ['--ca-url', FORWARDED_CA, '--root', file('root.crt')];
  const ca = (args: readonly string[]): Promise<Result> =>
    tryRun(inNetwork([step, 'ca', ...args]), { cwd: scratch, env: { STEPPATH: join(scratch, 'steppath') } });
  let port = '';
  const curl = (args: readonly string[], host = HELLO) =>
    tryRun(
      inNetwork([
        ...['env', `CURL_HOME=${scratch}`, 'curl', '--silent', '--show-error', '--max-time', '5'],
        ...[
          '--connect-to',
          `${host}:443:${BALANCER}:${port}`,
          '--cacert',
          file('root.crt'),
          ...args,
          `https://${host}`,
        ],
      ]),
    );

  return [
    {
      id: '6.1',
      name: 'port-forward, step ca root by fingerprint, step ca certificate with the admin password',
      run: () =>
        tutorial.follow('6.1', 'follow', async () => {
          await tutorial.type('6.1');
          const wrong = await ca(['root', file('none.crt'), '--ca-url', FORWARDED_CA, '--fingerprint', '0'.repeat(64)]);
          assert.notEqual(wrong.code, 0, 'another fingerprint is refused');
        }),
    },
    {
      id: '6.2',
      name: 'step ca token makes a token that gives one certificate, once, for its name only',
      run: () =>
        whileForwarded(kubectl, async () => {
          await tutorial.type('6.2');
          const password = file('autocert.password');
          const secret = ['get', 'secret', PkiObject.autocertPassword, '-o', 'jsonpath={.data.password}'];
          writeFileSync(password, Buffer.from(await kubectl.run(['-n', SYSTEM, ...secret]), 'base64'));
          const as = ['--provisioner', 'autocert', '--provisioner-password-file', password];
          const made = await ca(['token', NAME, ...withRoot(), ...as]);
          assert.equal(made.code, 0, made.stderr);
          const admin = ['--provisioner', 'admin', '--provisioner-password-file', file('admin.password')];
          const minted = await ca(['token', NAME, ...withRoot(), ...admin]);
          assert.equal(minted.code, 0, minted.stderr);
          const use = (name: string, to: string) => {
            const files = [file(`${to}.crt`), file(`${to}.key`)];
            return ca(['certificate', name, ...files, ...withRoot(), '--token', minted.stdout.trim()]);
          };
          assert.notEqual((await use('other.local.dev', 'other')).code, 0, 'the token is for another name');
          assert.equal((await use(NAME, 'once')).code, 0);
          assert.notEqual((await use(NAME, 'twice')).code, 0, 'the token was used already');
        }),
    },
    {
      id: '6.3',
      name: 'hello-mtls by a load balancer, by its address and by its host name, greets the certificate from outside, and refuses without',
      run: async () => {
        await tutorial.type('6.3');
        port = await playLoadBalancer(context);
        const own = ['--cert', file('snarf.crt'), '--key', file('snarf.key')];
        await waitFor('the load balancer', async () => (await curl(own)).code === 0);
        if (ownNode) await tutorial.type('6.3', 'exposed');
        assert.equal((await curl(own)).stdout, `Hello, ${NAME}!\n`);
        assertRefused(await curl([]), 'a client without a certificate');
        assert.equal((await curl(own, 'hello.example.com')).code, 60, 'by another name');
      },
    },
    {
      id: '6.4',
      name: 'hello-mtls by its address is refused by curl: that is not in the certificate',
      run: async () => {
        if (ownNode) await tutorial.type('6.4', undefined, { codes: [60] });
        await kubectl.run(['-n', NAMESPACE, 'delete', 'service', 'hello-mtls-lb']);
        rmSync(join(scratch, '.curlrc'), { force: true });
      },
    },
    {
      id: '6.5',
      name: 'the Services for names in DNS, by ExternalDNS and of type ExternalName, are such as the API server takes',
      // Where no other Service has the name.
      run: () =>
        tutorial.check('6.5', 'applied', (yaml) => yaml.replace('namespace: default', 'namespace: kube-public')),
    },
  ];
}

/**
 * Does for the Service what a cloud does: gives it an address, that of the node, where kube-proxy takes it up, and a host name,
 * which curl resolves. Returns the port: where the node is not ours the address may not be reachable, and the node port is.
 */
async function playLoadBalancer({ kubectl, scratch, ownNode }: Context): Promise<string> {
  const address = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  const node = await kubectl.run(['get', 'nodes', '-o', `jsonpath=${address}`]);
  const service = ['-n', NAMESPACE, 'get', 'service', 'hello-mtls-lb', '-o', 'jsonpath={.spec.ports[0].nodePort}'];
  const port = ownNode ? '443' : await kubectl.run(service);
  writeFileSync(join(scratch, '.curlrc'), `resolve = "${BALANCER}:${port}:${node}"\n`);
  const status = { loadBalancer: { ingress: [{ ip: node, hostname: BALANCER }] } };
  const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
  await kubectl.run(['-n', NAMESPACE, 'patch', 'service', 'hello-mtls-lb', ...patch]);
  return port;
}
