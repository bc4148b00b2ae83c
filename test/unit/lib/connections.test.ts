import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { boundConnections, type ConnectionBounds, type CutReason } from '../../../runtime/lib/connections.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';

let server: Server;
let cut: CutReason[];
const clients: Socket[] = [];

async function bounded(bounds: ConnectionBounds): Promise<void> {
  cut = [];
  server = createServer((_request, response) => response.end('ok'));
  boundConnections(server, bounds, (reason) => cut.push(reason));
  await new Promise<void>((resolve) => {
    server.listen(0, '0.0.0.0', resolve);
  });
}

/** A connection that the server has taken, or sent away. */
async function opened(localAddress = '127.0.0.1'): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const before = cut.length;
  const count = () => new Promise<number>((resolve) => server.getConnections((_, number) => resolve(number)));
  const were = await count();
  const client = connect({ host: '127.0.0.1', port, localAddress });
  clients.push(client);
  client.on('error', () => undefined).resume();
  await waitFor('the connection', async () => cut.length > before || (await count()) > were, { everyMs: 5 });
  return client;
}

const closed = (client: Socket) => waitFor('its end', async () => client.closed, { everyMs: 5 });

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  server.close();
});

test('a peer that has too many loses the oldest that was of no use', async () => {
  await bounded({ total: 10, byPeer: 2 });
  const [first, second] = [await opened(), await opened()];
  const third = await opened();
  await closed(first);
  expect([second.closed, third.closed, cut]).toEqual([false, false, ['peer']]);
});

test('one that was answered is of use', async () => {
  await bounded({ total: 10, byPeer: 2 });
  const [first, second] = [await opened(), await opened()];
  const answer = new Promise((resolve) => first.once('data', resolve));
  first.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await answer;
  await opened();
  await closed(second);
  expect(first.closed).toBe(false);
});

test('when there are too many in all, the peer that has the most loses one', async () => {
  await bounded({ total: 3, byPeer: 3 });
  const [first, second] = [await opened(), await opened()];
  const others = [await opened('127.0.0.2'), await opened('127.0.0.3')];
  await closed(first);
  expect([second, ...others].map((one) => one.closed)).toEqual([false, false, false]);
  expect(cut).toEqual(['total']);
});

test('who opens them too often is sent away, and others are not', async () => {
  await bounded({ total: 10, byPeer: 10, opened: { perSecond: 0.001, burst: 2 } });
  const [first, second] = [await opened(), await opened()];
  await closed(await opened());
  const other = await opened('127.0.0.2');
  expect([first, second, other].map((one) => one.closed)).toEqual([false, false, false]);
  expect(cut).toEqual(['rate']);
});
