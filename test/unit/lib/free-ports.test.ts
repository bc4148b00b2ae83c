import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { freePort, freePorts } from '../../../runtime/lib/free-ports.ts';

/** Chooses these, one after the other, and the last one for ever. */
const choosing = (...ports: number[]) => {
  const left = [...ports];
  return () => (left.length > 1 ? left.shift() : left[0]) ?? 0;
};

test('a port is one that no system gives away by itself', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThanOrEqual(15_000);
  expect(port).toBeLessThan(30_000);
});

test('several ports are different ones', async () => {
  const [one = 0, other = 0] = await freePorts(2);
  expect(await freePorts(2, choosing(one, one, other))).toEqual([one, other]);
});

test('a port at which somebody listens is passed over; where all are taken, the search ends', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: taken } = server.address() as AddressInfo;
  const free = await freePort();
  try {
    expect(await freePorts(1, choosing(taken, taken, free))).toEqual([free]);
    await expect(freePorts(1, () => taken)).rejects.toThrow('no free port of 15000 to 29999 was found');
  } finally {
    server.close();
  }
});
