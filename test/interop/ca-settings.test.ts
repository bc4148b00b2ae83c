/**
 * Real step-ca on what `config`, `provisioners` and a key in a KMS put into its configuration, synthesized, and put together
 * by the supervisor.
 */
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { Pki, StepCa, type StepCaProps } from '../../constructs/index.ts';
import { CaConfigFile, PkiFile } from '../../runtime/contract.ts';
import { httpsJson } from '../../runtime/lib/https.ts';
import { openKey } from '../../runtime/x509/private-key.ts';
import { CaPod, type CaPodOptions } from '../support/ca-pod.ts';
import { configOf, synth } from '../support/manifests.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';

beforeAll(async () => {
  await program('step-ca');
}, BUILD_TIMEOUT_MS);
// A pod that does not get ready says why after a minute.
jest.setTimeout(90_000);

type Change = NonNullable<CaPodOptions['change']>;
type Files = Parameters<Change>[1];

/** The pod of a CA with these props, but where it listens and keeps its database. */
const started = (props: (files: Files, at: (name: string) => string) => StepCaProps) =>
  CaPod.start({
    change: ({ address, dnsNames, db }, files, at) => {
      const manifests = synth((chart) => new StepCa(chart, 'ca', props(files, at)));
      const { metricsAddress: _, ...template } = configOf(manifests, CaConfigFile.configMap, CaConfigFile.template);
      return { ...template, address, dnsNames, db };
    },
  });
const get = async (pod: CaPod, path: string) => {
  const { status, body } = await httpsJson({ url: `${pod.config.caUrl}${path}`, ca: pod.files.pki.rootPem });
  return { status, body: body as Record<string, unknown> };
};

test('step-ca serves ACME beside the provisioner autocert', async () => {
  await using pod = await started(() => ({ provisioners: [{ type: 'ACME', name: 'acme', challenges: ['http-01'] }] }));
  const { status, body } = await get(pod, '/acme/acme/directory');
  expect([status, body.newOrder]).toEqual([200, `${pod.config.caUrl}/acme/acme/new-order`]);
  const names = (await get(pod, '/provisioners')).body.provisioners as readonly { name: string }[];
  expect(names.map(({ name }) => name).sort()).toEqual(['acme', 'admin', 'autocert']);
});

test('step-ca knows people by OpenID Connect, and starts all the same where their provider is away', async () => {
  const provider = createServer(({ url }, response) => {
    const { port } = provider.address() as AddressInfo;
    const issuer = `http://127.0.0.1:${port}`;
    const isKeys = url === '/keys';
    response.end(JSON.stringify(isKeys ? { keys: [] } : { issuer, jwks_uri: `${issuer}/keys` }));
  }).listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const { port } = provider.address() as AddressInfo;
  const oidc = (name: string, at: number) => ({
    type: 'OIDC',
    name,
    clientID: name,
    configurationEndpoint: `http://127.0.0.1:${at}/.well-known/openid-configuration`,
    domains: ['example.com'],
  });
  try {
    await using pod = await started(() => ({ provisioners: [oidc('people', port), oidc('away', 1)] }));
    const listed = (await get(pod, '/provisioners')).body.provisioners as readonly Record<string, unknown>[];
    const state = (name: string) => listed.find((one) => one.name === name)?.state ?? 'serves';
    expect([state('people'), state('away')]).toEqual(['serves', 'Uninitialized']);
  } finally {
    provider.close();
    provider.closeAllConnections();
  }
});

test('step-ca follows the settings that it is given besides', async () => {
  const policy = { x509: { deny: { dns: ['denied.test'] } } };
  const config = { kms: { type: 'softkms' }, logger: { format: 'text' }, authority: { policy } };
  await using pod = await started(() => ({ config }));
  await expect(pod.issue(['denied.test'])).rejects.toMatchObject({ code: 'CA_REJECTED' });
  await pod.issue(['allowed.test']);
  expect(pod.said('step-ca')).toMatch(/^time="/m);
});

test('step-ca signs with a key that a KMS keeps, without a Secret of ours', async () => {
  await using pod = await started(({ pki }, at) => {
    // As far as step-ca is concerned, files are a KMS as well.
    const file = at('key-of-the-kms.pem');
    const key = openKey(pki.intermediateKeyPem, pki.caPassword, PkiFile.intermediateKey);
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    for (const name of [PkiFile.intermediateKey, PkiFile.password]) rmSync(at(`secrets/${name}`));
    const { rootPem: rootCertificate, intermediatePem: intermediateCertificate } = pki;
    const intermediateKey = `softkms:path=${file}`;
    return { pki: Pki.existing({ rootCertificate, intermediateCertificate, intermediateKey }) };
  });
  const { key, kms } = JSON.parse(readFileSync(pod.at(`out/${CaConfigFile.template}`), 'utf8'));
  expect([key, kms]).toEqual([`softkms:path=${pod.at('key-of-the-kms.pem')}`, { type: 'softkms' }]);
  await pod.issue(['web.test']);
});
