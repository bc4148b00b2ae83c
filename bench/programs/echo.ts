/**
 * The least that a webhook on this stack does: fastify over TLS that reads a JSON body and sends it back.
 * `node echo.ts` prints its URL.
 * @module
 */
import fastify from 'fastify';
import { hierarchy } from '../../test/support/tiny-ca.ts';

const { leaf, chain } = hierarchy();
const app = fastify({ https: { cert: chain.join(''), key: leaf.keyPem }, bodyLimit: 3 * 2 ** 20 });
app.post('/echo', (request, reply) => {
  reply.send(request.body);
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
