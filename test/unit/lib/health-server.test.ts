import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type HealthPorts, type HealthServer, serveHealth } from '../../../runtime/lib/health-server.ts';

let server: HealthServer | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
});

async function serve(ports: Partial<HealthPorts>): Promise<(path: string) => Promise<string>> {
  const metrics = { render: async () => 'metrics', contentType: 'text/plain' };
  server = await serveHealth(0, { notReady: () => undefined, metrics, ...ports });
  const { port } = server;
  return async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

test('many who ask for metrics at once are given one text, which is told for a second', async () => {
  let [rendered, now] = [0, 0];
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const render = async () => {
    rendered += 1;
    await finished;
    return `text ${rendered}`;
  };
  const ask = await serve({ metrics: { render, contentType: 'text/plain' }, monotonic: () => now });
  const asking = Promise.all(Array.from({ length: 20 }, () => ask('/metrics')));
  await ask('/healthz');
  // However long it takes.
  now += 5_000;
  finish();
  expect(new Set(await asking)).toEqual(new Set(['text 1\n']));
  now += 999;
  expect(await ask('/metrics')).toBe('text 1\n');
  now += 1;
  expect(await ask('/metrics')).toBe('text 2\n');
});

test('metrics that could not be rendered are tried again', async () => {
  let now = 0;
  let fails = true;
  const render = async () => {
    if (fails) throw new Error('no');
    return 'text';
  };
  const ask = await serve({ metrics: { render, contentType: 'text/plain' }, monotonic: () => now });
  expect(await ask('/metrics')).toBe('metrics cannot be rendered\n');
  fails = false;
  now += 1_000;
  expect(await ask('/metrics')).toBe('text\n');
});

test('a probe is answered while somebody holds connections open; the oldest of them is closed', async () => {
  const ask = await serve({});
  for (let count = 0; count < 32; count += 1) {
    const socket = connect(server?.port ?? 0, '127.0.0.1').on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
  }
  const [oldest] = sockets;
  const closed = oldest && once(oldest.resume(), 'close');
  expect(await ask('/healthz')).toBe('ok\n');
  await closed;
  expect(sockets.slice(2).every((socket) => !socket.destroyed)).toBe(true);
});

test('a connection is closed with its answer', async () => {
  await serve({});
  const response = await fetch(`http://127.0.0.1:${server?.port}/healthz`);
  expect([response.headers.get('connection'), await response.text()]).toEqual(['close', 'ok\n']);
});

test('what is ready, and what there is', async () => {
  const ask = await serve({ notReady: () => 'not yet' });
  expect(await Promise.all(['/readyz', '/x'].map(ask))).toEqual([
    'not yet\n',
    'there are /healthz, /readyz and /metrics\n',
  ]);
});
