/** openssl and curl with what either CA issued: accepted where it should be, refused as the tutorial says. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { createPki } from '../../runtime/pki/pki.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { CAS, type RunningCa } from '../support/running-ca.ts';

const SERVER_NAME = 'hello-mtls.default.svc.cluster.local';

let openssl: string;
let curl: string;
beforeAll(async () => {
  openssl = await program('openssl');
  curl = await program('curl');
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

describe.each(CAS)('a certificate of %s', (_name, start) => {
  let ca: RunningCa;
  let server: Server;
  const at = (file: string) => join(ca.dir, file);

  /** Leaf and intermediate in `<file>.crt`, the key in `<file>.key`. */
  const issue = async (file: string, name: string) => {
    const { chainPem, keyPem } = await ca.issue([name]);
    const files = { cert: chainPem.join(''), key: keyPem.reveal() };
    writeFileSync(at(`${file}.crt`), files.cert);
    writeFileSync(at(`${file}.key`), files.key);
    return files;
  };

  beforeAll(async () => {
    ca = await start();
    const files = await issue('server', SERVER_NAME);
    await issue('client', 'client.default.svc.cluster.local');
    writeFileSync(at('stranger.crt'), (await createPki('Stranger')).rootPem);
    const tls = { ...files, ca: ca.rootPem, requestCert: true, rejectUnauthorized: true };
    server = createServer(tls, (request, response) => {
      const peer = request.socket as import('node:tls').TLSSocket;
      response.end(`Hello, ${peer.getPeerCertificate().subject.CN}!\n`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    server.closeAllConnections();
    await ca.stop();
  });

  const get = (name: string, ...args: string[]) => {
    const { port } = server.address() as { port: number };
    const url = `https://${name}:${port}/`;
    return output(curl, [
      '--silent',
      '--show-error',
      '--noproxy',
      '*',
      '--resolve',
      `${name}:${port}:127.0.0.1`,
      ...args,
      url,
    ]);
  };
  const root = () => ['--cacert', ca.files.rootFile];
  const credentials = () => ['--cert', at('client.crt'), '--key', at('client.key')];

  test('verifies under our root with openssl, as a server and as a client', async () => {
    for (const purpose of ['sslserver', 'sslclient']) {
      const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', ca.files.rootFile];
      const { stdout, stderr } = await output(openssl, [...args, '-untrusted', at('server.crt'), at('server.crt')]);
      expect(stdout + stderr).toBe(`${at('server.crt')}: OK\n`);
    }
  });

  test('does not verify under another root with openssl', async () => {
    const args = ['verify', '-CAfile', at('stranger.crt'), '-untrusted', at('server.crt'), at('server.crt')];
    expect((await output(openssl, args)).stderr).toContain('unable to get');
  });

  test('our keys and certificates are what openssl takes them for', async () => {
    expect((await output(openssl, ['pkey', '-in', at('client.key'), '-check', '-noout'])).code).toBe(0);
    const key = ['pkey', '-in', ca.files.intermediateKeyFile, '-passin', `file:${ca.files.caPasswordFile}`, '-noout'];
    expect((await output(openssl, key)).code).toBe(0);
  });

  test('serves and authenticates with curl', async () => {
    const { stdout, stderr } = await get(SERVER_NAME, ...root(), ...credentials());
    expect({ stdout, stderr }).toEqual({ stdout: 'Hello, client.default.svc.cluster.local!\n', stderr: '' });
  });

  test('is wanted: without one, curl is refused', async () => {
    const { code, stderr } = await get(SERVER_NAME, ...root());
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/certificate required/);
  });

  test('is not trusted without our root', async () => {
    for (const trust of [[], ['--cacert', at('stranger.crt')]]) {
      const { code, stderr } = await get(SERVER_NAME, ...trust, ...credentials());
      expect(code).toBe(60);
      expect(stderr).toContain('unable to get local issuer certificate');
    }
  });

  test('is good for its own name only', async () => {
    const { code, stderr } = await get('other.default.svc.cluster.local', ...root(), ...credentials());
    expect(code).toBe(60);
    expect(stderr).toContain(
      "no alternative certificate subject name matches target host name 'other.default.svc.cluster.local'",
    );
  });
});
