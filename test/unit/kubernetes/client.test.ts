import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesApi } from '../../../runtime/kubernetes/client.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';

type Handler = (request: http.IncomingMessage, body: string, response: http.ServerResponse) => void;

let handle: Handler = () => {};
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () => handle(request, body, response));
});
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const api = () => new KubernetesApi({ server: url(), headers: () => ({ authorization: 'Bearer t0ken' }) });

const answer = (status: number, body: unknown): Handler => {
  return (_request, _body, response) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

describe('requests', () => {
  test('carry the credentials, and the answer is read as JSON', async () => {
    handle = (request, _body, response) => {
      response.end(
        JSON.stringify({ url: request.url, authorization: request.headers.authorization, method: request.method }),
      );
    };
    expect(await api().get('/api/v1/namespaces/default')).toEqual({
      method: 'GET',
      url: '/api/v1/namespaces/default',
      authorization: 'Bearer t0ken',
    });
  });

  test('of text give any status with what was said, and when by the server’s clock', async () => {
    handle = (_request, _body, response) => {
      response.writeHead(503, { date: 'Sun, 29 Nov 2026 08:00:00 GMT' }).end('not ready\n');
    };
    expect(await api().text('/x', { limit: '1' })).toEqual({
      status: 503,
      text: 'not ready\n',
      date: new Date('2026-11-29T08:00:00Z'),
    });
    handle = (_request, _body, response) => {
      response.sendDate = false;
      response.end('ok');
    };
    expect(await api().text('/x')).toEqual({ status: 200, text: 'ok' });
  });

  test('apply is a server-side apply that takes over conflicting fields', async () => {
    handle = (request, body, response) => {
      response.end(
        JSON.stringify({ url: request.url, method: request.method, type: request.headers['content-type'], body }),
      );
    };
    expect(await api().apply('/api/v1/x/y', { a: 'ü' }, 'me')).toEqual({
      method: 'PATCH',
      url: '/api/v1/x/y?fieldManager=me&force=true',
      type: 'application/apply-patch+yaml',
      body: '{"a":"ü"}',
    });
  });

  test('apply can leave conflicting fields to whom they belong, and only be tried', async () => {
    handle = (request, _body, response) => response.end(JSON.stringify({ url: request.url }));
    expect(await api().apply('/api/v1/x/y', {}, 'me', { force: false, dryRun: true })).toEqual({
      url: '/api/v1/x/y?fieldManager=me&force=false&dryRun=All',
    });
  });

  test('create posts and update puts', async () => {
    handle = (request, body, response) => response.end(JSON.stringify({ method: request.method, body }));
    expect(await api().create('/api/v1/x', { a: 1 })).toEqual({ method: 'POST', body: '{"a":1}' });
    expect(await api().update('/api/v1/x/y', { a: 2 })).toEqual({ method: 'PUT', body: '{"a":2}' });
  });

  test('connections are kept', async () => {
    const ports = new Set<number | undefined>();
    handle = (request, _body, response) => {
      ports.add(request.socket.remotePort);
      response.end('{}');
    };
    const client = api();
    for (let i = 0; i < 3; i += 1) await client.get('/a');
    expect(ports.size).toBe(1);
  });

  test('a kept connection that the server has closed meanwhile is replaced', async () => {
    const client = api();
    let requests = 0;
    handle = (request, _body, response) => {
      requests += 1;
      if (requests === 2) request.socket.resetAndDestroy();
      else response.end('{"ok":true}');
    };
    await client.get('/a');
    expect(await client.get('/a')).toEqual({ ok: true });
    expect(requests).toBe(3);
  });
});

describe('refusals', () => {
  test.each([
    [404, 'INVALID_INPUT'],
    [409, 'INVALID_INPUT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [429, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
  ])('status %d is %s, with reason and message of the Status object', async (status, code) => {
    handle = answer(status, { kind: 'Status', reason: 'SomeReason', message: 'pods "x" is so and so' });
    const error: unknown = await api()
      .get('/api/v1/x')
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AutocertError);
    expect(error).toMatchObject({ status, code, reason: 'SomeReason' });
    expect(String(error)).toContain(
      `GET /api/v1/x: the API server answered ${status} SomeReason: pods "x" is so and so`,
    );
  });

  test('an answer in plain text is shown shortened', async () => {
    handle = answer(502, 'x'.repeat(10_000));
    await expect(api().get('/a')).rejects.toThrow(/answered 502 : x{300}$/);
  });

  test('an answer that is not JSON is no answer of the API', async () => {
    handle = answer(200, '<html>');
    await expect(api().get('/a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('a server that is not there is UNAVAILABLE', async () => {
    const gone = new KubernetesApi({ server: 'http://127.0.0.1:1', headers: () => ({}) });
    await expect(gone.get('/a')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('GET /a'),
    });
  });

  test('a connection cut in the middle of an answer is UNAVAILABLE', async () => {
    handle = (_request, _body, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{');
      setImmediate(() => response.destroy());
    };
    await expect(api().get('/a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('watch', () => {
  const collect = async (signal = new AbortController().signal) => {
    const events: unknown[] = [];
    await api().watch('/api/v1/pods', { resourceVersion: '7' }, (type, object) => events.push([type, object]), signal);
    return events;
  };

  test('gives each event, however it was cut on the way, and resolves when the stream ends', async () => {
    const stream = Buffer.from('{"type":"ADDED","object":{"n":"ü"}}\n\n{"type":"DELETED","object":{"n":2}}\n');
    handle = (request, _body, response) => {
      expect(request.url).toBe('/api/v1/pods?resourceVersion=7&watch=1');
      let next = 0;
      const more = () => {
        if (next >= stream.length) return response.end();
        response.write(stream.subarray(next, next + 3));
        next += 3;
        return setImmediate(more);
      };
      more();
    };
    expect(await collect()).toEqual([
      ['ADDED', { n: 'ü' }],
      ['DELETED', { n: 2 }],
    ]);
  });

  test('resolves when it is stopped', async () => {
    const stop = new AbortController();
    handle = (_request, _body, response) => {
      response.write('{"type":"ADDED","object":{}}\n');
      setImmediate(() => stop.abort());
    };
    await expect(collect(stop.signal)).resolves.toBeDefined();
  });

  test('rejects when the server refuses it', async () => {
    handle = answer(410, { reason: 'Expired', message: 'too old resource version' });
    await expect(collect()).rejects.toMatchObject({ status: 410, reason: 'Expired' });
  });

  test('rejects when the connection breaks', async () => {
    handle = (_request, _body, response) => {
      response.write('{"type":"ADDED","object":{}}\n', () => response.destroy());
    };
    await expect(collect()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('an event without end is cut off', async () => {
    handle = (_request, _body, response) => {
      response.write('x'.repeat(5 * 2 ** 20));
    };
    await expect(collect()).rejects.toThrow(/cannot be reached/);
  });

  test('what the callback throws ends it', async () => {
    handle = (_request, _body, response) => void response.write('{"type":"ADDED","object":{}}\n');
    const watching = api().watch(
      '/a',
      {},
      () => {
        throw new Error('enough');
      },
      new AbortController().signal,
    );
    await expect(watching).rejects.toThrow('enough');
  });
});

describe('load', () => {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-kube-'));
  const before = process.env.KUBECONFIG;
  afterAll(() => {
    rmSync(dir, { recursive: true });
    if (before === undefined) delete process.env.KUBECONFIG;
    else process.env.KUBECONFIG = before;
  });
  const kubeconfig = (user: object, context = 'here') => {
    const file = join(dir, 'config');
    const config = {
      'current-context': context,
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: url() } }],
      users: [{ name: 'u', user }],
    };
    writeFileSync(file, JSON.stringify(config));
    process.env.KUBECONFIG = file;
  };
  const echo: Handler = (request, _body, response) => response.end(JSON.stringify(request.headers));

  test('uses the token of the current context of KUBECONFIG', async () => {
    handle = echo;
    kubeconfig({ token: 'abc', as: 'somebody' });
    expect(await KubernetesApi.load().get('/a')).toMatchObject({
      authorization: 'Bearer abc',
      'impersonate-user': 'somebody',
    });
  });

  test('runs an exec plugin', async () => {
    handle = echo;
    kubeconfig({ exec: { command: 'echo', args: ['{"status":{"token":"from-plugin"}}'] } });
    expect(await KubernetesApi.load().get('/a')).toMatchObject({ authorization: 'Bearer from-plugin' });
  });

  test('names a kubeconfig that cannot be read once, with why not and what to do', () => {
    const file = join(dir, 'none');
    process.env.KUBECONFIG = file;
    const message = `no cluster is known: cannot read ${file}: no such file or directory (ENOENT); name a kubeconfig by --kubeconfig FILE or KUBECONFIG`;
    expect(() => KubernetesApi.load()).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message }));
  });

  test('reads no more than a mebibyte of the files that a kubeconfig names', () => {
    const file = join(dir, 'large.crt');
    writeFileSync(file, 'a'.repeat((1 << 20) + 1));
    kubeconfig({ 'client-certificate': file });
    const cause = expect.objectContaining({ message: `cannot read ${file}: larger than 1048576 bytes` });
    expect(() => KubernetesApi.load()).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', cause }));
  });

  test.each([
    [{ 'auth-provider': { name: 'oidc' } }, 'here', /auth-provider "oidc" is not supported/],
    [{ token: 'x' }, 'nowhere', /current-context does not name a context/],
  ])('says what it cannot use: %j', (user, context, cause) => {
    kubeconfig(user, context);
    expect(() => KubernetesApi.load()).toThrow(
      expect.objectContaining({
        code: 'INVALID_CONFIG',
        cause: expect.objectContaining({ message: expect.stringMatching(cause) }),
      }),
    );
  });
});
