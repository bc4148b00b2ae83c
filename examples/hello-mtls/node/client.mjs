// A client that speaks mutual TLS: it proves who it is and checks whom it talks to, with the files as they are now.
// Checklist: TLS 1.2 and later · own certificate sent · server verified by root and by name · rotates without a restart
import { Agent, get } from 'node:https';
import { onRenewal, readTlsFiles } from './tls-files.mjs';

const url = process.env.HELLO_MTLS_URL ?? 'https://hello-mtls.default.svc.cluster.local';
// Where the server is, if its name is not in DNS: connect there, verify the name all the same.
const address = process.env.HELLO_MTLS_ADDRESS;
const interval = Number(process.env.INTERVAL_MS ?? 5_000);

const newAgent = (files) =>
  new Agent({ ...files, keepAlive: true, maxSockets: 4, minVersion: 'TLSv1.2', timeout: 30_000 });
let agent = newAgent(readTlsFiles());
onRenewal((files) => {
  const old = agent;
  agent = newAgent(files); // requests under way finish on the old connections, which then close
  setTimeout(() => old.destroy(), 30_000).unref();
});

const lookup =
  address &&
  ((_name, options, callback) => {
    const family = address.includes(':') ? 6 : 4;
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family);
  });
const log = (text) => console.log(`${new Date().toISOString().replace(/\.\d+Z$/, 'Z')}: ${text}`);

const greet = () =>
  get(url, { agent, ...(lookup && { lookup }) }, (response) => {
    let body = '';
    response
      .setEncoding('utf8')
      .on('data', (chunk) => {
        body += chunk;
      })
      .on('end', () => log(body.trim()));
  }).on('error', (error) => log(`failed: ${error.message}`));

greet();
const timer = setInterval(greet, interval);
for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, () => {
    clearInterval(timer);
    agent.destroy();
  });
