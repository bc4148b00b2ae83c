import { request } from 'node:http';
import { connect } from 'node:net';
import { answerTo } from '../../../../runtime/cli/dashboard/answer.ts';
import { serveDashboard } from '../../../../runtime/cli/dashboard/serve.ts';

const TOKEN = 'a-token-of-32-characters-or-so--';
const FILES = { '/': '<!doctype html>', '/style.css': 'a{}', '/page.js': '1', '/icon.svg': '<svg/>' };
const SITE = { token: TOKEN, files: FILES, data: () => '{"a":1}' };
/** A question at an address behind the token. */
const ask = ({ url = '/', ...asked }: Parameters<typeof answerTo>[0]) => askAt(`/${TOKEN}${url}`, asked);
const askAt = (url: string | undefined, asked: Parameters<typeof answerTo>[0] = {}) =>
  answerTo({ method: 'GET', url, host: '127.0.0.1:9470', ...asked }, SITE);

describe('what the dashboard answers', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/?x', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/page.js', 'text/javascript; charset=utf-8', '1'],
    ['/status.json', 'application/json', '{"a":1}'],
  ])('%s is %s', (url, type, body) => {
    expect(ask({ url })).toMatchObject({ status: 200, body, headers: { 'content-type': type } });
  });

  test.each(['/nothing', '/../package.json', '/constructor', '/__proto__', ''])('%j is nothing', (url) => {
    expect(ask({ url }).status).toBe(404);
  });

  test.each([
    '/',
    '',
    undefined,
    '/status.json',
    '//status.json',
    `/${TOKEN.slice(1)}/status.json`,
    `/${TOKEN}x/status.json`,
    `/${TOKEN.toUpperCase()}/`,
    `/?${TOKEN}/status.json`,
    `/x/${TOKEN}/status.json`,
    `http://x/${TOKEN}/`,
    '/%61/',
  ])('is for nobody without the token: %j', (url) => {
    const { status, body } = askAt(url);
    expect([status, body]).toEqual([403, 'open the whole address that autocert dashboard has printed\n']);
  });

  test.each(['localhost', 'localhost:1', '127.0.0.1', '127.0.0.1:65535'])('is for the host %s', (host) => {
    expect(ask({ host }).status).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:9470',
    '127.0.0.1.evil.example',
    'localhost.evil.example:9470',
    'evil.example#localhost',
    '10.0.0.1:9470',
    '127.0.0.1:9470@evil.example',
    '',
    undefined,
  ])('is not for the host %j, as which another site may have itself resolved', (host) => {
    const { status, body } = ask({ host, url: '/status.json' });
    expect([status, body.includes('"a"')]).toEqual([421, false]);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', undefined])('refuses %s', (method) => {
    expect(ask({ method, url: '/status.json' })).toMatchObject({ status: 405, headers: { allow: 'GET' } });
  });

  test.each(['/', '/status.json', '/nothing'])(
    '%s may run and load nothing of others, nor be read or framed by them',
    (url) => {
      const { headers } = ask({ url });
      const policy = headers['content-security-policy'] ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("require-trusted-types-for 'script'");
      expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
      });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    },
  );
});

describe('its server', () => {
  const get = (url: string, headers: Record<string, string> = {}) =>
    new Promise<number>((resolve, reject) => {
      request(url, { headers, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });

  test('listens on loopback alone, looks at the host, and ends with connections open', async () => {
    const server = await serveDashboard(0, FILES, () => '{}');
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
    expect(await get(server.url)).toBe(200);
    expect(await get(new URL('/', server.url).href)).toBe(403);
    expect(await get(server.url, { host: 'evil.example' })).toBe(421);
    const idle = connect(Number(new URL(server.url).port), '127.0.0.1');
    await new Promise((resolve) => idle.once('connect', resolve));
    const closed = new Promise((resolve) => idle.once('close', resolve));
    await server.close();
    await closed;
  });

  test('holds no more connections than there are bounds for', async () => {
    const server = await serveDashboard(0, FILES, () => '{}');
    const port = Number(new URL(server.url).port);
    const first = connect(port, '127.0.0.1').on('error', () => {});
    const closed = new Promise((resolve) => first.once('close', resolve));
    await new Promise((resolve) => first.once('connect', resolve));
    const others = Array.from({ length: 64 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await closed;
    expect(await get(server.url)).toBe(200);
    for (const socket of others) socket.destroy();
    await server.close();
  });

  test('has a new token each time', async () => {
    const servers = await Promise.all([1, 2].map(() => serveDashboard(0, FILES, () => '{}')));
    const [first, second] = servers.map(({ url }) => new URL(url).pathname);
    expect(first).not.toBe(second);
    await Promise.all(servers.map((server) => server.close()));
  });

  test('says what to do about a port that is taken', async () => {
    const server = await serveDashboard(0, FILES, () => '{}');
    const port = Number(new URL(server.url).port);
    await expect(serveDashboard(port, FILES, () => '{}')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: `--port ${port}: it is taken; name another, or 0 for any that is free`,
    });
    await server.close();
  });
});
