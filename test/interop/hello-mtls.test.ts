/**
 * The examples of hello-mtls, on loopback: each server with each client and with curl, while the files of both are replaced
 * under them as an agent does it.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { replaceCertificateFiles } from '../../runtime/agent/certificate-files.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import { GO_ENV } from '../../scripts/cluster/go-builds.ts';
import { type Background, background, waitFor } from '../../scripts/cluster/shell.ts';
import { renewFiles, type SigningAuthority, signingAuthority } from '../support/authorities.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/hello-mtls');
const SERVER = 'hello-mtls.default.svc.cluster.local';
const CLIENT = 'hello-mtls-client.default.pod.cluster.local';
const LANGUAGES = ['go', 'node'] as const;
const GREETING = new RegExp(
  `^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ: Hello, ${CLIENT.replaceAll('.', '\\.')}!$`,
  'm',
);

type Language = (typeof LANGUAGES)[number];

let [curl, dir] = ['', ''];
let first: SigningAuthority;
const at = (name: string) => join(dir, name);

const renew = (folder: string, name: string, issuer: SigningAuthority, roots?: string) =>
  renewFiles(at(folder), name, issuer, roots);

/** An example that runs, and what it has said. */
class Example {
  readonly #program: Background;

  constructor(language: Language, role: 'server' | 'client', env: Readonly<Record<string, string>>) {
    const argv = language === 'go' ? [at(role)] : [process.execPath, join(EXAMPLES, `node/${role}.mjs`)];
    this.#program = background(argv, { env: { ...env, CERTIFICATE_DIR: at(`${role}-files`) } });
  }

  /** Waits until something is said that was not said before `from`. */
  says(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    const look = async () => pattern.exec(this.#program.output().slice(from)) ?? undefined;
    return waitFor(`it to say ${pattern}`, look, { everyMs: 20, needs: [this.#program] });
  }

  /** How much it has said. */
  get length(): number {
    return this.#program.output().length;
  }

  /** Asks it to end; resolves with its exit code. */
  async end(): Promise<number | null> {
    await this.#program.stop();
    return this.#program.child.exitCode;
  }
}

beforeAll(async () => {
  curl = await program('curl');
  dir = mkdtempSync(join(tmpdir(), 'autocert-hello-'));
  const build = ['build', '-C', join(EXAMPLES, 'go'), '-o', `${dir}/`, './server', './client'];
  const { code, stderr } = await output('go', build, GO_ENV);
  if (code !== 0) throw new Error(`go build: ${stderr}`);
  first = await signingAuthority('First');
}, BUILD_TIMEOUT_MS);
afterAll(() => rmSync(dir, { recursive: true }));

test(
  'the Go examples are formatted, and go vet finds nothing',
  async () => {
    expect(await output('gofmt', ['-l', join(EXAMPLES, 'go')])).toEqual({ code: 0, stdout: '', stderr: '' });
    const vet = await output('go', ['vet', '-C', join(EXAMPLES, 'go'), './...'], GO_ENV);
    expect(vet.stdout + vet.stderr).toBe('');
  },
  BUILD_TIMEOUT_MS,
);

describe.each(LANGUAGES)('the server in %s', (language) => {
  let server: Example;
  let port: string;

  beforeEach(async () => {
    await renew('server-files', SERVER, first);
    await renew('client-files', CLIENT, first);
    server = new Example(language, 'server', { PORT: '0', LISTEN_ADDRESS: '127.0.0.1' });
    [, port = ''] = await server.says(/listening on (\d+)/);
  });
  afterEach(() => server.end());

  const own = () => ['--cert', at('client-files/site.crt'), '--key', at('client-files/site.key')];
  const get = (...args: string[]) => {
    const to = ['--resolve', `${SERVER}:${port}:127.0.0.1`, `https://${SERVER}:${port}`];
    return output(curl, ['--silent', '--show-error', '--noproxy', '*', '--max-time', '5', ...args, ...to]);
  };
  const withRoot = (...args: string[]) => get('--cacert', at('client-files/root.crt'), ...args);

  const serialServed = async () => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), servername: SERVER, ca: first.root });
    socket.on('error', () => undefined); // we have no certificate
    await once(socket, 'secureConnect');
    const serial = socket.getPeerX509Certificate()?.serialNumber;
    socket.destroy();
    return serial;
  };

  test('greets curl by the name in its certificate, and refuses it without one and with that of a stranger', async () => {
    expect((await withRoot(...own())).stdout).toBe(`Hello, ${CLIENT}!\n`);
    expect((await withRoot()).code).toBeGreaterThan(0);
    const stranger = await signingAuthority('Stranger');
    await renew('client-files', CLIENT, stranger, first.root);
    const { code, stdout } = await withRoot(...own());
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe('');
  });

  test('greets by the name among the SANs who has a longer one than a common name may be', async () => {
    const long = `${'hello-mtls-client-'.repeat(3)}0.hello-mtls.default.svc.cluster.local`;
    await renew('client-files', long, first);
    expect((await withRoot(...own())).stdout).toBe(`Hello, ${long}!\n`);
  });

  test('speaks no TLS older than 1.2', async () => {
    expect((await withRoot(...own(), '--tls-max', '1.2')).code).toBe(0);
    expect((await withRoot(...own(), '--tlsv1', '--tls-max', '1.1', '--ciphers', 'ALL:@SECLEVEL=0')).code).toBe(35);
  });

  test('serves a renewed certificate without a restart', async () => {
    const before = await serialServed();
    const renewed = await renew('server-files', SERVER, first);
    await server.says(/^\S+Z: certificate renewed$/m);
    expect(await serialServed()).toBe(renewed);
    expect(renewed).not.toBe(before);
    expect((await withRoot(...own())).stdout).toBe(`Hello, ${CLIENT}!\n`);
  });

  test('trusts the roots as they are now', async () => {
    const next = await signingAuthority('Next');
    await renew('client-files', CLIENT, next, first.root);
    expect((await withRoot(...own())).code).toBeGreaterThan(0);
    await renew('server-files', SERVER, first, first.root + next.root);
    await server.says(/certificate renewed/);
    expect((await withRoot(...own())).stdout).toBe(`Hello, ${CLIENT}!\n`);
    const said = server.length;
    await renew('server-files', SERVER, first, next.root);
    await server.says(/certificate renewed/, said);
    await renew('client-files', CLIENT, first);
    expect((await withRoot(...own())).code).toBeGreaterThan(0);
  });

  test('keeps what it has while the files cannot be used', async () => {
    const before = await serialServed();
    const broken = { certificate: 'none', key: new Secret('none'), roots: first.root, anchors: first.root };
    replaceCertificateFiles(at('server-files'), { ...broken, notAfter: new Date(), obtainedAt: new Date() }, 0o644);
    await server.says(/^certificate not read anew: /m);
    expect(await serialServed()).toBe(before);
    const renewed = await renew('server-files', SERVER, first);
    await server.says(/certificate renewed/);
    expect(await serialServed()).toBe(renewed);
  });

  test('ends in order when it is asked to', async () => {
    expect(await server.end()).toBe(0);
  });

  describe.each(LANGUAGES)('and the client in %s', (other) => {
    let client: Example;
    beforeEach(() => {
      const url = `https://${SERVER}:${port}`;
      client = new Example(other, 'client', {
        ...{ HELLO_MTLS_URL: url, HELLO_MTLS_ADDRESS: '127.0.0.1', INTERVAL_MS: '50' },
      });
    });
    afterEach(() => client.end());

    test('greet each other, also after both have moved to another root, and the client ends in order', async () => {
      await client.says(GREETING);
      const next = await signingAuthority('Next');
      await renew('server-files', SERVER, first, first.root + next.root);
      await renew('client-files', CLIENT, first, first.root + next.root);
      await server.says(/certificate renewed/);
      await renew('client-files', CLIENT, next, first.root + next.root);
      await renew('server-files', SERVER, next, next.root);
      await server.says(/certificate renewed[\s\S]*certificate renewed/);
      const said = client.length;
      await client.says(GREETING, said);
      expect(await client.end()).toBe(0);
    });
  });
});
