/**
 * The chain of a root's rotation, leaf, intermediate and cross certificate: as it is made, and as real step-ca sends it,
 * it verifies for whoever knows the old root only, the new one only, or both.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { createCross, createIntermediate, createNextRoot, createRoot } from '../../runtime/pki/authorities.ts';
import { verifyChain } from '../../runtime/x509/certificate.ts';
import { createKey, encryptKey, openKey } from '../../runtime/x509/private-key.ts';
import { createAuthority, createLeaf } from '../../runtime/x509/signing.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { type RunningCa, startStepCa } from '../support/running-ca.ts';

const NAME = 'hello-mtls.default.svc.cluster.local';
const TRUST = ['the old root only', 'the new root only', 'both roots'] as const;

let openssl: string;
let curl: string;
beforeAll(async () => {
  openssl = await program('openssl');
  curl = await program('curl');
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

/** What a rotation makes of an old root, up to the switch. */
async function rotate(old: string, key: KeyObject) {
  const now = new Date();
  const [nextKey, intermediateKey] = [await createKey(), await createKey()];
  const next = await createNextRoot(old, nextKey, now);
  const cross = await createCross(next, { certificatePem: old, key });
  const signer = { certificatePem: next, key: nextKey };
  const intermediate = await createIntermediate({ name: 'Autocert', key: intermediateKey, now }, signer);
  return { old, next, cross, intermediate, intermediateKey };
}

const bundlesOf = ({ old, next }: { old: string; next: string }) => ({
  'the old root only': [old],
  'the new root only': [next],
  'both roots': [old, next],
});

describe('the certificates as they are made', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'autocert-rotation-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const olds: Readonly<Record<string, (key: KeyObject) => Promise<string>>> = {
    'of ours': (key) => createRoot({ name: 'Autocert', key, now: new Date() }),
    'that allows for one CA certificate below it, as older versions made them': (key) =>
      createAuthority({
        ...{ organization: 'Autocert', commonName: 'Autocert Root CA', pathLength: 1, key },
        ...{ notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) },
      }),
  };

  test.each(Object.entries(olds))('verify with openssl and here, below an old root %s', async (_name, create) => {
    const key = await createKey();
    const made = await rotate(await create(key), key);
    const leaf = await createLeaf({
      commonName: NAME,
      sans: [NAME],
      publicKey: await createKey(),
      issuer: { certificatePem: made.intermediate, key: made.intermediateKey },
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
    });
    const at = (file: string, ...pems: string[]) => {
      writeFileSync(join(dir, file), pems.join(''));
      return join(dir, file);
    };
    for (const [trust, bundle] of Object.entries(bundlesOf(made))) {
      const files = ['-CAfile', at('roots', ...bundle), '-untrusted', at('chain', made.intermediate, made.cross)];
      const { stdout, stderr } = await output(openssl, ['verify', '-x509_strict', ...files, at('leaf', leaf)]);
      expect([trust, stdout + stderr]).toEqual([trust, `${at('leaf', leaf)}: OK\n`]);
      verifyChain([leaf, made.intermediate, made.cross], bundle, new Date());
    }
    const without = ['-CAfile', at('roots', made.old), '-untrusted', at('chain', made.intermediate)];
    expect((await output(openssl, ['verify', ...without, at('leaf', leaf)])).code).not.toBe(0);
  });
});

describe('real step-ca whose file of the intermediate has the cross certificate behind it', () => {
  let ca: RunningCa;
  let made: Awaited<ReturnType<typeof rotate>>;
  let chain: readonly string[];
  let server: Server;
  const at = (file: string) => join(ca.dir, file);

  beforeAll(async () => {
    ca = await startStepCa();
    const { files } = ca;
    await ca.kill();
    const rootKey = openKey(files.pki.rootKeyPem, files.pki.caPassword, 'root key');
    made = await rotate(files.pki.rootPem, rootKey);
    writeFileSync(files.rootFile, made.old + made.next);
    writeFileSync(files.intermediateFile, made.intermediate + made.cross);
    writeFileSync(files.intermediateKeyFile, encryptKey(made.intermediateKey, files.pki.caPassword).reveal());
    // it is waited for by a client that knows the old root only
    await ca.start();
    const issued = await ca.issue([NAME]);
    chain = issued.chainPem;
    const tls = { cert: chain.join(''), key: issued.keyPem.reveal() };
    server = createServer(tls, (_, response) => response.end('hello\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    for (const [trust, bundle] of Object.entries(bundlesOf(made))) writeFileSync(at(trust), bundle.join(''));
  });
  afterAll(async () => {
    server?.close();
    server?.closeAllConnections();
    await ca.stop();
  });

  const port = () => (server.address() as AddressInfo).port;

  test('sends all of it with each leaf', () => {
    expect(chain).toHaveLength(3);
    const same = (one: string | undefined, other: string) =>
      new X509Certificate(one ?? '').fingerprint256 === new X509Certificate(other).fingerprint256;
    expect(same(chain[1], made.intermediate) && same(chain[2], made.cross)).toBe(true);
  });

  test('announces both roots', async () => {
    expect(await ca.client.fetchRoots()).toHaveLength(2);
  });

  describe.each(TRUST)('what it issued, for whoever knows %s,', (trust) => {
    test('verifies here', () => verifyChain(chain, bundlesOf(made)[trust], new Date()));

    test('verifies in Node', async () => {
      const socket = connect({ host: '127.0.0.1', port: port(), servername: NAME, ca: bundlesOf(made)[trust] });
      await once(socket, 'secureConnect');
      expect(socket.authorized).toBe(true);
      socket.destroy();
    });

    test('verifies with openssl s_client', async () => {
      const to = ['-connect', `127.0.0.1:${port()}`, '-servername', NAME, '-verify_hostname', NAME];
      const { stdout, code } = await output(openssl, ['s_client', ...to, '-CAfile', at(trust), '-verify_return_error']);
      expect(stdout).toContain('Verify return code: 0 (ok)');
      expect(code).toBe(0);
    });

    test('verifies with curl', async () => {
      const url = `https://${NAME}:${port()}/`;
      const how = ['--silent', '--show-error', '--noproxy', '*', '--resolve', `${NAME}:${port()}:127.0.0.1`];
      const { stdout, stderr } = await output(curl, [...how, '--cacert', at(trust), url]);
      expect({ stdout, stderr }).toEqual({ stdout: 'hello\n', stderr: '' });
    });

    test("verifies with Go, in step's health check of the CA itself", async () => {
      const { code, stderr } = await ca.step('ca', 'health', '--ca-url', ca.url, '--root', at(trust));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    });
  });
});
