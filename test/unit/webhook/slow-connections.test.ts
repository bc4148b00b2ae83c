import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type ConnectionCut, httpApp, listen } from '../../../runtime/webhook/http-server.ts';
import { placeholderCertificate } from '../../../runtime/webhook/placeholder-certificate.ts';

/** @param handshake milliseconds; plenty where it is not what is tried: this machine may be busy */
async function slowServer(handshake = 10_000) {
  const cut: ConnectionCut[] = [];
  const app = httpApp({
    bodies: { limit: 1000, inFlight: 1000 },
    connections: { total: 10, byPeer: 10 },
    tls: placeholderCertificate(new Date()),
    timeouts: { handshake, headers: 50, request: 50 },
    onCut: (reason) => cut.push(reason),
  });
  const port = await listen(app, 0, '127.0.0.1');
  return { app, port, cut };
}

/** Resolves when the connection is gone; what is written to it meanwhile may fail. */
const gone = (socket: Socket) =>
  new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));

test('who does not speak TLS is cut off, and it is told', async () => {
  const { app, port, cut } = await slowServer(50);
  const silent = connect(port, '127.0.0.1').resume();
  await gone(silent);
  await app.close();
  expect(cut).toEqual(['handshake']);
});

test('who sends a request by bits is cut off, and it is told', async () => {
  const { app, port, cut } = await slowServer();
  const slow = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).resume();
  await once(slow, 'secureConnect');
  slow.write('POST /mutate HTTP/1.1\r\nhost: x\r\n');
  await gone(slow);
  await app.close();
  expect(cut).toEqual(['request']);
});

test('who sends a body by bits is cut off, and it is told', async () => {
  const { app, port, cut } = await slowServer();
  const slow = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).resume();
  await once(slow, 'secureConnect');
  slow.write('POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n');
  const drip = setInterval(() => slow.write('x'), 10);
  await gone(slow);
  clearInterval(drip);
  await app.close();
  expect(cut).toEqual(['request']);
});
