/** Certificate requests that openssl and Go (by `step`) make, read by our reader; and ours, read by theirs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyRequestPem, readNamedRequestPem } from '../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';

let openssl: string;
let step: string;
let dir: string;
beforeAll(async () => {
  openssl = await program('openssl');
  step = await program('step');
  dir = mkdtempSync(join(tmpdir(), 'autocert-requests-'));
}, BUILD_TIMEOUT_MS);
afterAll(() => rmSync(dir, { recursive: true }));

const at = (file: string) => join(dir, file);

async function succeed(file: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await output(file, args, { HOME: dir, STEPPATH: dir });
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const key = (...args: string[]) => succeed(openssl, 'genpkey', '-out', at('key'), ...args);
const ec = (curve: string) => ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${curve}`];
const rsa = (bits: number) => ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${bits}`];
const request = (...args: string[]) => succeed(openssl, 'req', '-new', '-key', at('key'), '-subj', '/', ...args);

const refused = (problem: string) =>
  expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(problem) });

describe('a request of openssl', () => {
  test.each([
    ['EC P-256', ec('P-256'), []],
    ['EC P-384, SHA-384', ec('P-384'), ['-sha384']],
    ['EC P-521, SHA-512', ec('P-521'), ['-sha512']],
    ['RSA 2048', rsa(2048), []],
    ['RSA 4096, SHA-512', rsa(4096), ['-sha512']],
    ['Ed25519', ['-algorithm', 'ED25519'], []],
  ])('with a key %s is read', async (_what, keyArgs, requestArgs) => {
    await key(...keyArgs);
    const csr = await request(...requestArgs);
    const { publicKey, csrPem } = readKeyRequestPem(csr, 'csr');
    const pub = await succeed(openssl, 'pkey', '-in', at('key'), '-pubout');
    expect(publicKey.export({ type: 'spki', format: 'pem' })).toBe(pub);
    expect(csrPem).toBe(csr);
  });

  test.each([
    ['RSA 1024', rsa(1024), [], 'its RSA key has 1024 bits'],
    ['EC P-224', ec('P-224'), [], 'its key is on curve secp224r1'],
    ['EC secp256k1', ec('secp256k1'), [], 'its key is on curve secp256k1'],
    ['Ed448', ['-algorithm', 'ED448'], [], 'its key is of type ed448'],
    ['RSA-PSS', ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'], [], 'its key is of type rsa-pss'],
    ['RSA, signed with SHA-1', rsa(2048), ['-sha1'], 'its signature algorithm is none of'],
    ['RSA, signed with PSS', rsa(2048), ['-sigopt', 'rsa_padding_mode:pss'], 'its signature algorithm is none of'],
  ])('with a key %s is refused', async (_what, keyArgs, requestArgs, problem) => {
    await key(...keyArgs);
    const csr = await request(...requestArgs);
    expect(() => readKeyRequestPem(csr, 'csr')).toThrow(refused(problem));
    expect(() => readNamedRequestPem(csr, 'csr')).toThrow(refused(problem));
  });

  test.each([
    ['a subject', ['-subj', '/CN=web.shop.svc'], 'its subject must be empty'],
    ['a SAN', ['-addext', 'subjectAltName=DNS:web.shop.svc'], 'it has attributes'],
    ['an extension of any kind', ['-addext', 'basicConstraints=CA:TRUE'], 'it has attributes'],
  ])('with %s is no request of a pod', async (_what, args, problem) => {
    await key(...ec('P-256'));
    const csr = await request(...args);
    expect(() => readKeyRequestPem(csr, 'csr')).toThrow(refused(problem));
    expect(readNamedRequestPem(csr, 'csr').publicKey.asymmetricKeyType).toBe('ec');
  });
});

describe('a request of Go, as step makes it,', () => {
  test.each([
    ['EC P-256', ['--kty', 'EC', '--curve', 'P-256']],
    ['EC P-384', ['--kty', 'EC', '--curve', 'P-384']],
    ['EC P-521', ['--kty', 'EC', '--curve', 'P-521']],
    ['RSA 2048', ['--kty', 'RSA', '--size', '2048']],
    ['Ed25519', ['--kty', 'OKP', '--curve', 'Ed25519']],
  ])('with a key %s is read; its name makes it no request of a pod', async (_what, args) => {
    const files = [at('step.csr'), at('step.key')];
    const unprotected = ['--no-password', '--insecure', '--force'];
    await succeed(step, 'certificate', 'create', '--csr', ...unprotected, ...args, 'web.shop.svc', ...files);
    const csr = readFileSync(at('step.csr'), 'utf8');
    expect(readNamedRequestPem(csr, 'csr').csrPem).toBe(csr);
    expect(() => readKeyRequestPem(csr, 'csr')).toThrow(refused('its subject must be empty'));
  });
});

test("the agent's request is read by openssl and by Go", async () => {
  const { csrPem } = await createKeyAndRequest();
  writeFileSync(at('agent.csr'), csrPem);
  const { code } = await output(openssl, ['req', '-in', at('agent.csr'), '-verify', '-noout']);
  expect(code).toBe(0);
  expect(await succeed(step, 'certificate', 'inspect', at('agent.csr'))).toContain('ECDSA');
  expect(() => readKeyRequestPem(csrPem, 'csr')).not.toThrow();
});
