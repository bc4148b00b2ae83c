/**
 * The least that a webhook on this stack does: fastify over TLS that reads a JSON body and sends it back.
 * `node echo.ts <certificate> <key>` prints its URL.
 * @module
 */
import { readFileSync } from 'node:fs';
import fastify from 'fastify';

const [certFile = '', keyFile = ''] = process.argv.slice(2);
const app = fastify({
  https: { cert: readFileSync(certFile), key: readFileSync(keyFile) },
  bodyLimit: 3 * 2 ** 20,
});
app.post('/echo', (request, reply) => {
  reply.send(request.body);
});
console.log(await app.listen({ host: '127.0.0.1', port: 0 }));
