// A server that speaks mutual TLS: only clients with a certificate of our own CA get in.
// Checklist: TLS 1.2 and later · client certificate required and verified · certificate and roots rotate without a restart
import { createServer } from 'node:https';
import { onRenewal, readTlsFiles } from './tls-files.mjs';

const options = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' };
const server = createServer({ ...options, ...readTlsFiles() }, (request, response) => {
  response.end(`Hello, ${nameIn(request.socket.getPeerCertificate())}!\n`);
});

/** The common name; a name longer than that may be (64 characters) is among the SANs alone. */
function nameIn({ subject, subjectaltname = '' }) {
  const [, name = ''] = /(?:^|, )DNS:([^,]+)/.exec(subjectaltname) ?? [];
  return subject?.CN ?? name;
}

onRenewal((files) => {
  server.setSecureContext({ ...options, ...files });
  console.log(`${new Date().toISOString()}: certificate renewed`);
});
server.listen(Number(process.env.PORT ?? 443), process.env.LISTEN_ADDRESS, () =>
  console.log(`listening on ${server.address().port}`),
);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close();
    server.closeIdleConnections();
  });
}
