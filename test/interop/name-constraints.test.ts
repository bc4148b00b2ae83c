/** An intermediate with name constraints: what real step-ca signs with it, and what openssl, Node and step believe. */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { Pki, StepCa } from '../../constructs/index.ts';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { createIntermediate } from '../../runtime/pki/authorities.ts';
import { type InitializedPki, initPki } from '../../runtime/pki/files.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { describeCertificate } from '../../runtime/x509/certificate-description.ts';
import { encodeNameConstraints } from '../../runtime/x509/name-constraints.ts';
import { createKey, encryptKey, openKey } from '../../runtime/x509/private-key.ts';
import { createLeaf, type SigningCertificate } from '../../runtime/x509/signing.ts';
import { launchStepCa, type Stop } from '../../scripts/cluster/step-ca.ts';
import { certificateMaker, tokenMaker } from '../support/embedded-ca.ts';
import { find, synth } from '../support/manifests.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';

const [DAY, now] = [24 * 3_600_000, Date.now()];

let [openssl, step] = ['', ''];
let dir: string;
let files: InitializedPki;
let intermediate: SigningCertificate;
const at = (name: string) => join(dir, name);

/** As the Job is told by the manifests. */
function permittedOf(permitted: readonly string[]): readonly string[] {
  const pki = Pki.inCluster({ nameConstraints: { permitted } });
  const job = find(
    synth((chart) => new StepCa(chart, 'ca', { pki })),
    'Job',
  );
  const { command } = job.spec.template.spec.containers[0];
  return command[command.indexOf('--permit') + 1].split(',');
}

beforeAll(async () => {
  await program('step-ca');
  [openssl, step] = [await program('openssl'), await program('step')];
  dir = mkdtempSync(join(tmpdir(), 'autocert-constraints-'));
  files = await initPki({ dir: at('pki'), address: `127.0.0.1:${await freePort()}`, passwordFiles: true });
  const { pki } = files;
  const root = { certificatePem: pki.rootPem, key: openKey(pki.rootKeyPem, pki.caPassword, 'root key') };
  const key = await createKey();
  const constraints = encodeNameConstraints(permittedOf(['shop.example.com', '10.1.0.0/16', 'fd00:1::/33']));
  const certificatePem = await createIntermediate({ name: 'Autocert', key, now: new Date(now) }, root, constraints);
  intermediate = { certificatePem, key };
  writeFileSync(files.intermediateFile, certificatePem);
  writeFileSync(files.intermediateKeyFile, encryptKey(key, pki.caPassword).reveal());
}, BUILD_TIMEOUT_MS);
afterAll(() => rmSync(dir, { recursive: true }));

test('the extension is critical, and says what is permitted of each kind of name', () => {
  const found = describeCertificate(intermediate.certificatePem).extensions.find(({ oid }) => oid === '2.5.29.30');
  expect(found).toMatchObject({ critical: true });
  const hosts = 'svc, cluster.local, ca.step, localhost, autocert.step, shop.example.com';
  expect(found?.lines.slice(0, 2)).toEqual(['Permitted:', `  DNS: ${hosts}`]);
  expect(found?.lines.slice(2)).toEqual([
    '  Email: invalid',
    expect.stringContaining('  URI: svc, .svc, cluster.local, .cluster.local'),
    '  IP Range: 127.0.0.1/32, 10.1.0.0/16, fd00:1::/33',
  ]);
});

const INSIDE = [
  ['a Service', 'web.shop.svc'],
  ['in full', 'web.shop.svc.cluster.local'],
  ['a wildcard', '*.shop.svc'],
  ["Autocert's own", 'autocert.step'],
  ['a permitted domain', 'a.shop.example.com'],
  ['a permitted address', '10.1.2.3'],
  ['of IPv6', 'fd00:1:7fff::1'],
  ['a URI', 'spiffe://cluster.local/ns/shop/sa/web'],
] as const;
const OUTSIDE = [
  ['a name outside', 'google.com'],
  ['a name of two labels', 'web.shop'],
  ["a permitted domain's parent", 'example.com'],
  ['one that ends in the same letters', 'a.noshop.example.com'],
  ['an address', '10.2.0.1'],
  ['of IPv6', 'fd00:1:8000::1'],
  ['a URI', 'spiffe://example.org/shop'],
  ['an email address', 'root@web.shop.svc'],
] as const;

describe('whoever has the intermediate’s key', () => {
  /** Signed with the key itself, past any CA. */
  const signed = async (name: string) => {
    const key = await createKey();
    const validity = { notBefore: new Date(now - 60_000), notAfter: new Date(now + DAY) };
    const leaf = await createLeaf({ sans: [name], publicKey: key, issuer: intermediate, ...validity });
    writeFileSync(at('leaf.crt'), leaf);
    writeFileSync(at('chain.crt'), leaf + intermediate.certificatePem);
    return { key, leaf };
  };
  const byOpenssl = async () => {
    const args = ['verify', '-x509_strict', '-CAfile', files.rootFile, '-untrusted', files.intermediateFile];
    const { stdout, stderr } = await output(openssl, [...args, at('leaf.crt')]);
    return stdout + stderr;
  };
  const byStep = () => output(step, ['certificate', 'verify', at('chain.crt'), '--roots', files.rootFile]);
  /** What Node's client says of a server with this certificate; whose name it is, is not asked. */
  const byNode = async ({ key, leaf }: Awaited<ReturnType<typeof signed>>) => {
    const keyPem = key.export({ type: 'pkcs8', format: 'pem' });
    const server = createServer({ key: keyPem, cert: leaf + intermediate.certificatePem }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, ca: files.pki.rootPem, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const error = socket.authorizationError as unknown;
    socket.destroy();
    server.close();
    return error === null || String(error).includes('ERR_TLS_CERT_ALTNAME_INVALID') ? 'OK' : String(error);
  };

  test.each(INSIDE)('is believed inside: %s %s', async (_what, name) => {
    const made = await signed(name);
    expect(await byOpenssl()).toBe(`${at('leaf.crt')}: OK\n`);
    expect(await byNode(made)).toBe('OK');
    expect(await byStep()).toMatchObject({ code: 0 });
  });

  test.each(OUTSIDE)('is believed by nobody outside: %s %s', async (_what, name) => {
    const made = await signed(name);
    expect(await byOpenssl()).toMatch(/permitted subtree violation/);
    // OpenSSL's error has no name of its own in Node.
    expect(await byNode(made)).toBe('UNSPECIFIED');
    expect((await byStep()).code).not.toBe(0);
  });
});

describe('real step-ca with it', () => {
  let stop: Stop;
  let client: CaClient;
  let issue: ReturnType<typeof certificateMaker>;
  beforeAll(async () => {
    stop = await launchStepCa(await program('step-ca'), files);
    client = new CaClient({ url: files.caUrl, roots: [files.pki.rootPem] });
    issue = certificateMaker(client, await tokenMaker(files.pki, files.caUrl));
  });
  afterAll(async () => {
    client.close();
    await stop();
  });

  test.each(['autocert', 'admin'] as const)('the provisioner %s signs what is inside', async (by) => {
    for (const [, name] of INSIDE) expect((await issue([name], by)).chainPem).toHaveLength(2);
  });

  test.each(['autocert', 'admin'] as const)('the provisioner %s signs nothing else', async (by) => {
    for (const [, name] of OUTSIDE) {
      await expect(issue([name], by)).rejects.toMatchObject({ code: 'CA_REJECTED', status: 403 });
    }
  });
});
