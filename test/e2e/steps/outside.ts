/**
 * Steps 6.x: certificates for programs outside the cluster, and hello-mtls reached from there.
 * @module
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PkiObject, STEP_PATH } from '../../../runtime/contract.ts';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';
import { background, type Result, run, tryRun, waitFor } from '../../../scripts/cluster/shell.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';

/** The CA as it is reached meanwhile. */
export const FORWARDED_CA = 'https://127.0.0.1:4443';
const NAME = 'snarf.local.dev';
const PASSWORDS = { admin: PkiObject.caPassword, autocert: PkiObject.autocertPassword };
const HELLO = 'hello-mtls.default.svc.cluster.local';

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
export function outsideSteps({ kubectl, step, scratch, inNetwork }: Context): Step[] {
  const file = (name: string) => join(scratch, name);
  const withRoot = ['--ca-url', FORWARDED_CA, '--root', file('root.crt')];
  const as = (provisioner: string) => [
    '--provisioner',
    provisioner,
    '--provisioner-password-file',
    file(`${provisioner}.password`),
  ];
  const ca = (args: readonly string[]): Promise<Result> =>
    tryRun(inNetwork([step, 'ca', ...args]), { cwd: scratch, env: { STEPPATH: file('steppath') } });

  const forwarded = (work: () => Promise<void>) => whileForwarded(kubectl, work);
  const succeeded = ({ code, stdout, stderr }: Result) => assert.equal(code, 0, stdout + stderr);

  return [
    {
      id: '6.1',
      name: 'port-forward, step ca root by fingerprint, step ca certificate with the admin password',
      run: async () => {
        for (const [provisioner, secret] of Object.entries(PASSWORDS)) {
          const password = await kubectl.run([
            '-n',
            'step',
            'get',
            'secret',
            secret,
            '-o',
            'jsonpath={.data.password}',
          ]);
          writeFileSync(file(`${provisioner}.password`), Buffer.from(password, 'base64'));
        }
        const [pod] = await kubectl.pods(SYSTEM, 'app=ca');
        const root = `${STEP_PATH}/certs/root_ca.crt`;
        const inCa = ['-n', 'step', 'exec', pod?.metadata.name ?? '', '--', 'step', 'certificate', 'fingerprint', root];
        const fingerprint = (await kubectl.run(inCa)).trim();
        await forwarded(async () => {
          succeeded(await ca(['root', file('root.crt'), '--ca-url', FORWARDED_CA, '--fingerprint', fingerprint]));
          succeeded(await ca(['certificate', NAME, file('snarf.crt'), file('snarf.key'), ...withRoot, ...as('admin')]));
          const wrong = await ca(['root', file('none.crt'), '--ca-url', FORWARDED_CA, '--fingerprint', '0'.repeat(64)]);
          assert.notEqual(wrong.code, 0, 'another fingerprint is refused');
        });
        const json = await run([step, 'certificate', 'inspect', '--format', 'json', file('snarf.crt')]);
        const { issuer, subject } = JSON.parse(json) as Record<'issuer' | 'subject', { common_name: string[] }>;
        assert.deepEqual([issuer.common_name, subject.common_name], [['Autocert Intermediate CA'], [NAME]]);
      },
    },
    {
      id: '6.2',
      name: 'step ca token makes a token that gives one certificate, once, for its name only',
      run: () =>
        forwarded(async () => {
          const minted = await ca(['token', NAME, ...withRoot, ...as('admin')]);
          succeeded(minted);
          succeeded(await ca(['token', NAME, ...withRoot, ...as('autocert')]));
          const token = ['--token', minted.stdout.trim()];
          const other = await ca([
            'certificate',
            'other.local.dev',
            file('o.crt'),
            file('o.key'),
            ...withRoot,
            ...token,
          ]);
          assert.notEqual(other.code, 0, 'the token is for another name');
          succeeded(await ca(['certificate', NAME, file('once.crt'), file('once.key'), ...withRoot, ...token]));
          const again = await ca(['certificate', NAME, file('twice.crt'), file('twice.key'), ...withRoot, ...token]);
          assert.notEqual(again.code, 0, 'the token was used already');
        }),
    },
    {
      id: '6.3',
      name: 'hello-mtls through a Service of type LoadBalancer greets the certificate from outside, and refuses without',
      run: async () => {
        const expose = ['expose', 'deployment', 'hello-mtls', '--name=hello-mtls-lb', '--type=LoadBalancer'];
        await kubectl.run(['-n', 'default', ...expose, '--port=443', '--target-port=443']);
        const port = await kubectl.run([
          ...['-n', 'default', 'get', 'service', 'hello-mtls-lb', '-o', 'jsonpath={.spec.ports[0].nodePort}'],
        ]);
        const address = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}';
        const node = await kubectl.run(['get', 'nodes', '-o', `jsonpath=${address}`]);
        const curl = (args: readonly string[], host = HELLO) =>
          tryRun(
            inNetwork([
              ...['curl', '--silent', '--show-error', '--max-time', '5', '--resolve', `${host}:${port}:${node}`],
              ...['--cacert', file('root.crt'), ...args, `https://${host}:${port}`],
            ]),
          );
        const own = ['--cert', file('snarf.crt'), '--key', file('snarf.key')];
        const answer = await waitFor('the node port', async () => {
          const { code, stdout } = await curl(own);
          return code === 0 && stdout;
        });
        assert.equal(answer, `Hello, ${NAME}!\n`);
        assert([35, 56].includes((await curl([])).code), 'without a client certificate');
        assert.equal((await curl(own, 'hello.example.com')).code, 60, 'by another name');
        await kubectl.run(['-n', 'default', 'delete', 'service', 'hello-mtls-lb']);
      },
    },
  ];
}
