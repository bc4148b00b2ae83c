import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { imageBlobs, imageIndex, MediaType } from '../../../scripts/oci-image.ts';
import { writeLayout } from '../../../scripts/oci-layout.ts';
import { platformNamed } from '../../../scripts/platform.ts';
import { registryAccess } from '../../../scripts/registry/access.ts';
import { Registry } from '../../../scripts/registry/client.ts';
import { parseReference, referenceText } from '../../../scripts/registry/reference.ts';
import { textFile } from '../../../scripts/root-files.ts';

const BASIC = Buffer.from('me:secret').toString('base64');
const TARGET = { registry: 'registry.example.com', name: 'a/b', tag: '1' } as const;
const BLOB = { mediaType: MediaType.layer, digest: `sha256:${'a'.repeat(64)}`, size: 3 } as const;
const BYTES = Buffer.from('abc');

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
}

/** A registry that answers by these, in this order; `no answer` where there is none left. */
function registry(...answers: readonly (readonly [status: number, headers?: Record<string, string>, body?: string])[]) {
  const asked: Asked[] = [];
  const waits: number[] = [];
  const warnings: string[] = [];
  const left = [...answers];
  const fetch = async (input: string | URL | Request, options: RequestInit = {}) => {
    const authorization = (options.headers as Record<string, string> | undefined)?.authorization;
    asked.push({ method: options.method ?? 'GET', url: String(input), authorization });
    const [status, headers = {}, body] = left.shift() ?? [];
    if (status === undefined) throw new TypeError('fetch failed', { cause: new Error('no answer') });
    return Object.defineProperty(new Response(body ?? null, { status, headers }), 'url', { value: String(input) });
  };
  const access = { origin: 'https://registry.example.com', basic: new Secret(BASIC), source: 'the test' };
  const sleep = async (ms: number) => void waits.push(ms);
  const warn = (text: string) => void warnings.push(text);
  return { asked, waits, warnings, client: new Registry(TARGET, access, { fetch, sleep, random: () => 0, warn }) };
}

const BEGUN = [202, { location: '/v2/a/b/blobs/uploads/1?_state=x' }] as const;

describe('pushing a blob', () => {
  test('begins an upload where the registry says, and ends it with the digest', async () => {
    const { client, asked } = registry([404], BEGUN, [201]);
    expect(await client.pushBlob(BLOB, BYTES)).toBe(true);
    const base = 'https://registry.example.com/v2/a/b/blobs';
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `HEAD ${base}/${BLOB.digest}`,
      `POST ${base}/uploads/`,
      `PUT ${base}/uploads/1?_state=x&digest=${encodeURIComponent(BLOB.digest)}`,
    ]);
  });

  test('sends nothing that is there', async () => {
    const { client, asked } = registry([200]);
    expect([await client.pushBlob(BLOB, BYTES), asked.length]).toEqual([false, 1]);
  });

  test('is tried again, from the beginning, when the registry is in trouble; as late as it asks', async () => {
    const { client, waits, warnings } = registry([404], BEGUN, [503, { 'retry-after': '7' }], [404], BEGUN, [201]);
    expect(await client.pushBlob(BLOB, BYTES)).toBe(true);
    expect(waits).toEqual([7000]);
    expect(warnings).toEqual([
      expect.stringMatching(/^blob sha256:a+: uploading blob .* answered 503; again in 7\.0 s$/),
    ]);
  });

  test('ends after five tries without an answer, with the reason', async () => {
    const { client, asked } = registry();
    await expect(client.pushBlob(BLOB, BYTES)).rejects.toThrow('no answer from https://registry.example.com');
    expect(asked).toHaveLength(5);
  });

  test('is not tried again when it is refused; the words of the registry are in the error', async () => {
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'not yours' }] });
    const { client, asked } = registry([404], [403, {}, body]);
    await expect(client.pushBlob(BLOB, BYTES)).rejects.toThrow(
      'beginning an upload: registry.example.com answered 403 "DENIED: not yours"',
    );
    expect(asked).toHaveLength(2);
  });

  test('takes no answer without end', async () => {
    const { client } = registry([404], [400, {}, 'x'.repeat((1 << 20) + 1)]);
    await expect(client.pushBlob(BLOB, BYTES)).rejects.toThrow(
      /^beginning an upload: registry\.example\.com answered 400$/,
    );
  });

  test('gives the password to the registry alone, not to where it has its uploads', async () => {
    const elsewhere = [202, { location: 'https://storage.example.com/u' }] as const;
    const { client, asked } = registry([401, { 'www-authenticate': 'Basic realm="r"' }], [404], elsewhere, [201]);
    await client.pushBlob(BLOB, BYTES);
    const withPassword = asked.filter(({ authorization }) => authorization === `Basic ${BASIC}`);
    expect(withPassword.map(({ method }) => method)).toEqual(['HEAD', 'POST']);
    expect(asked.at(-1)).toMatchObject({
      url: expect.stringContaining('https://storage.example.com/u'),
      authorization: undefined,
    });
  });
});

describe('a token', () => {
  const challenge = (realm: string) => ({
    'www-authenticate': `Bearer realm="${realm}",service="s",scope="repository:a/b:pull"`,
  });

  test('is asked for once, for pulling and pushing, and used from then on', async () => {
    const { client, asked } = registry(
      [401, challenge('https://auth.example.com/token')],
      [200, {}, '{"token":"t"}'],
      [404],
      BEGUN,
      [201],
    );
    await client.pushBlob(BLOB, BYTES);
    expect(asked[1]).toEqual({
      method: 'GET',
      url: 'https://auth.example.com/token?service=s&scope=repository%3Aa%2Fb%3Apull%2Cpush',
      authorization: `Basic ${BASIC}`,
    });
    expect(asked.slice(2).map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer t'));
  });

  test('is not asked for where the password would go without TLS', async () => {
    const { client, asked } = registry([401, challenge('http://auth.example.com/token')]);
    await expect(client.pushBlob(BLOB, BYTES)).rejects.toThrow(/token server http:\/\/auth\.example\.com has no TLS/);
    expect(asked).toHaveLength(1);
  });

  test.each([
    ['no JSON', 'x'],
    ['no token', '{}'],
    ['a token that is none', '{"token":"a\\nb"}'],
    ['no end', `{"token":"${'x'.repeat(1 << 20)}"}`],
  ])('is refused from a server that answers with %s', async (_what, body) => {
    const { client } = registry([401, challenge('https://auth.example.com/token')], [200, {}, body]);
    await expect(client.pushBlob(BLOB, BYTES)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

test('a registry that has another digest for a manifest is not believed', async () => {
  const { client } = registry([201, { 'docker-content-digest': 'sha256:other' }]);
  await expect(client.pushManifest(BLOB, BYTES, '1')).rejects.toThrow(
    /^the registry has digest sha256:other for what is sha256:a/,
  );
});

describe('names of images', () => {
  test.each([
    ['registry.example.com/autocert', 'registry.example.com/autocert:9'],
    ['localhost:5000/a/b_c:v1', 'localhost:5000/a/b_c:v1'],
    ['localhost/a', 'localhost/a:9'],
    ['[::1]:5000/a:1', '[::1]:5000/a:1'],
  ])('%s is %s', (text, full) => expect(referenceText(parseReference(text, '9'))).toBe(full));

  test.each([
    ['autocert', 'which names no registry'],
    ['team/autocert', 'which names no registry'],
    ['r.example/Auto', 'whose name "Auto" has not the form of one'],
    ['r.example/a:', 'whose tag has not the form of one'],
    ['r.example/a@sha256:1', 'but a digest follows from what is pushed'],
    ['https://r.example/a', 'which names no registry'],
    [`r.example/${'a'.repeat(600)}`, 'which is longer than 512 characters'],
  ])('%s is refused', (text, why) => {
    expect(() => parseReference(text, '9')).toThrow(`${why}`);
    expect(() => parseReference(text, '9')).toThrow(/^--push: got .*; it takes REGISTRY\/NAME\[:TAG\]/);
  });

  test('of platforms are as registries have them', () => {
    expect([platformNamed('linux/arm64'), platformNamed('amd64')].map(({ machine }) => machine)).toEqual([183, 62]);
    expect(() => platformNamed('linux/s390x')).toThrow(
      /^--platform: got "linux\/s390x"; there are images for linux\/amd64 and linux\/arm64$/,
    );
  });
});

describe('credentials', () => {
  const before = process.env.DOCKER_CONFIG;
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'docker-'));
    process.env.DOCKER_CONFIG = dir;
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
    if (before === undefined) delete process.env.DOCKER_CONFIG;
    else process.env.DOCKER_CONFIG = before;
  });
  const access = (config: string, name = 'r.example') => {
    writeFileSync(join(dir, 'config.json'), config);
    return registryAccess({ registry: name, name: 'a', tag: '1' }, false);
  };

  test.each([
    ['r.example', 'r.example', 'https://r.example'],
    ['https://r.example/', 'r.example', 'https://r.example'],
    ['https://index.docker.io/v1/', 'docker.io', 'https://registry-1.docker.io'],
  ])('under %s are those of %s, and do not print', (key, name, origin) => {
    const found = access(JSON.stringify({ auths: { [key]: { auth: BASIC } } }), name);
    expect([found.origin, found.basic?.reveal()]).toEqual([origin, BASIC]);
    expect(inspect(found)).not.toContain(BASIC);
  });

  test('of another registry are not taken', () => {
    expect(access(JSON.stringify({ auths: { 'other.example': { auth: BASIC } } })).basic).toBeUndefined();
  });

  describe('that a helper keeps', () => {
    const path = process.env.PATH;
    beforeEach(() => {
      process.env.PATH = `${dir}:${path}`;
    });
    afterEach(() => {
      process.env.PATH = path;
    });
    /** A helper, as a shell script that is given the registry. */
    const helper = (name: string, script: string) =>
      writeFileSync(join(dir, `docker-credential-${name}`), `#!/bin/sh\nread -r registry\n${script}\n`, {
        mode: 0o755,
      });
    const ANSWERS = `printf '{"ServerURL":"%s","Username":"me at %s","Secret":"hush"}' "$registry" "$registry"`;
    const sent = (user: string) => Buffer.from(`${user}:hush`).toString('base64');

    test.each([
      ['of all registries', '{"credsStore":"keychain"}', 'r.example', 'me at r.example'],
      ['of this one', '{"credsStore":"gone","credHelpers":{"r.example":"keychain"}}', 'r.example', 'me at r.example'],
      ['of Docker Hub', '{"credsStore":"keychain"}', 'docker.io', 'me at https://index.docker.io/v1/'],
    ])('%s are asked for by the name that it has there, and do not print', (_, config, name, user) => {
      helper('keychain', ANSWERS);
      const found = access(config, name);
      expect(found.basic?.reveal()).toBe(sent(user));
      expect(inspect(found)).not.toMatch(/hush|aHVz/);
    });

    test('are none where it knows none, which is said with its name', () => {
      helper('keychain', 'echo "credentials not found in native keychain"; exit 1');
      const found = access('{"credsStore":"keychain"}');
      expect(found.basic).toBeUndefined();
      expect(found.source).toMatch(
        /^docker-credential-keychain, which .*config\.json names, has no credentials for r\.example$/,
      );
    });

    test.each([
      ['is not there', '{"credsStore":"gone"}', /docker-credential-gone get: it is not on the PATH/],
      ['ends with an error', '{"credsStore":"fails"}', /docker-credential-fails get: it ended with code 3/],
      ['answers nonsense', '{"credsStore":"mumbles"}', /docker-credential-mumbles get: .*without Username and Secret/],
      [
        'has a token for a browser',
        '{"credsStore":"browser"}',
        /docker-credential-browser get: it has an identity token/,
      ],
      ['has no name', '{"credsStore":"../../bin/sh"}', /credential helper: got "..\/..\/bin\/sh"/],
    ])('are refused when it %s, and nothing of it is shown', (_, config, why) => {
      helper('fails', 'echo hush; echo hush >&2; exit 3');
      helper('mumbles', 'echo hush');
      helper('browser', `printf '{"Username":"<token>","Secret":"hush"}'`);
      expect(() => access(config)).toThrow(why);
      expect(() => access(config)).not.toThrow(/hush/);
    });
  });

  test('that cannot be read are refused without being shown', () => {
    const shown = (config: string) => {
      try {
        access(config);
      } catch (error) {
        return error as AutocertError;
      }
      throw new Error('it was read');
    };
    for (const config of ['{"auths":{"r.example":{"auth":"hush', '{"auths":{"r.example":{"auth":"hush\\n"}}}', '[1']) {
      const error = shown(config);
      expect([error instanceof AutocertError, error.code, error.message.includes('hush')]).toEqual([
        true,
        'INVALID_CONFIG',
        false,
      ]);
    }
  });
});

describe('an OCI layout', () => {
  const made = imageBlobs([{ tags: [], layers: [[textFile('/a', 'x')]], config: {}, architecture: 'arm64' }]);
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'layout-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('replaces one that is there, and nothing else', () => {
    const digest = writeLayout(join(dir, 'new'), ['a:1'], made);
    expect(writeLayout(join(dir, 'new'), ['a:1'], made)).toBe(digest);
    expect(imageIndex(made.written).descriptor.digest).toBe(digest);
    mkdirSync(join(dir, 'other'));
    writeFileSync(join(dir, 'other/file'), 'mine');
    expect(() => writeLayout(join(dir, 'other'), ['a:1'], made)).toThrow(/has files in it and is no OCI image layout/);
  });
});
