/**
 * A webhook that stops while the API server keeps connections to it open, over which it sends one admission after the
 * other: none may fail, since the pod would be refused.
 */
import { once } from 'node:events';
import https from 'node:https';
import type { Socket } from 'node:net';
import { reviewOf, sleepPod } from '../../support/reviews.ts';
import { type Reply, WebhookWorld } from '../../support/webhook-world.ts';

const STOPS = 15;
const CONNECTIONS = 8;
/** As long as the webhook itself takes: each connection gets an answer meanwhile. */
const LINGER_MS = 3000;

/**
 * Sends admissions over one kept connection until an answer says that it is the last one there, which it resolves with.
 * Rejects when a request gets no answer. `inUse` is called when the connection has been used twice.
 */
async function admitUntilClosed(world: WebhookWorld, inUse: () => void): Promise<Reply> {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (let answers = 1; ; answers += 1) {
      const reply = await world.call('/mutate', { body: reviewOf(sleepPod()), agent });
      if (reply.headers.connection === 'close') return reply;
      if (answers === 2) inUse();
    }
  } finally {
    agent.destroy();
  }
}

test(`in ${STOPS} stops with ${CONNECTIONS} kept connections in use each admission is answered, and each connection closed after an answer`, async () => {
  const stop = async () => {
    await using world = await WebhookWorld.ready((one) => {
      one.lingerMs = LINGER_MS;
    });
    const uses: Promise<void>[] = [];
    const last = Array.from({ length: CONNECTIONS }, () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      uses.push(promise);
      return admitUntilClosed(world, resolve);
    });
    const all = Promise.all(last);
    // Stopped in the middle of one admission or another.
    await Promise.race([Promise.all(uses), all]);
    const stopped = world.stop();
    for (const { status } of await all) expect(status).toBe(200);
    await stopped;
  };
  await Promise.all(Array.from({ length: STOPS }, stop));
}, 60_000);

test('connections that idle when it stops are closed at the end, so that it does not wait for them', async () => {
  await using world = await WebhookWorld.ready();
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const closed = Promise.withResolvers<unknown>();
  agent.once('free', (socket: Socket) => closed.resolve(once(socket, 'close')));
  await world.call('/nowhere', { agent });
  await world.stop();
  await closed.promise;
  agent.destroy();
});
