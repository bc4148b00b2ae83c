/**
 * Ports for programs that are started on this machine and cannot choose one themselves.
 * @module
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemCodeOf } from './system-code.ts';

/**
 * Ports that no system gives away by itself, neither to who listens at port 0 nor to connections (Linux has 32768 and more for
 * that, RFC 6335 49152 and more): such a one may be taken between this look and the program's start.
 */
const RANGE = { from: 15_000, to: 30_000 } as const;

const ATTEMPTS = 100;

/**
 * So many different ports of loopback at which nobody listens now.
 * @param choose a number of a range, its end excluded
 * @throws Error a hundred of them were all taken
 */
export async function freePorts(
  count: number,
  choose: (from: number, to: number) => number = randomInt,
): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt += 1) {
    if (attempt === ATTEMPTS + count) throw new Error(`no free port of ${RANGE.from} to ${RANGE.to - 1} was found`);
    const port = choose(RANGE.from, RANGE.to);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

/** One of them. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (systemCodeOf(error) === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
