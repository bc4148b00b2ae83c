/** The issuer against real step-ca, from files as webhook and signer have them. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPki } from '../../runtime/pki/pki.ts';
import { caOpener, Issuer, type Order } from '../../runtime/step-ca/issuer.ts';
import { isForKey } from '../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../runtime/x509/certificate-description.ts';
import { readKeyRequestPem } from '../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';
import { type RunningCa, startStepCa } from '../support/running-ca.ts';

beforeAll(async () => {
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

const NAME = 'web.shop.svc';

/** step-ca with another CA's root among its federated ones. */
const federated = async () => {
  const { rootPem } = await createPki('Federated');
  const ca = await startStepCa(({ configFile }) => {
    const file = join(configFile, '../federated.crt');
    writeFileSync(file, rootPem);
    const config = JSON.parse(readFileSync(configFile, 'utf8'));
    writeFileSync(configFile, JSON.stringify({ ...config, federatedRoots: [file] }));
  });
  return { ca, federatedRoot: rootPem };
};

const issuerFor = ({ files }: RunningCa) => {
  const config = {
    caUrl: files.caUrl,
    rootFile: files.rootFile,
    provisioner: 'autocert',
    provisionerPasswordFile: files.autocertPasswordFile,
  };
  return new Issuer({ open: caOpener(() => config), now: () => new Date(), monotonic: () => performance.now() });
};

const newOrder = async (details: Partial<Order> = {}) => {
  const { csrPem, keyPem } = await createKeyAndRequest();
  const request = readKeyRequestPem(csrPem, 'csr');
  return { order: { request, commonName: NAME, sans: [NAME], ...details }, keyPem };
};

let ca: RunningCa;
let federatedRoot: string;
beforeAll(async () => {
  ({ ca, federatedRoot } = await federated());
});
afterAll(() => ca.stop());

test('an order is signed as it is, for exactly its lifetime', async () => {
  const { order, keyPem } = await newOrder({
    sans: [NAME, '10.0.0.1', 'spiffe://example.org/web'],
    lifetimeMs: 5_400_000,
  });
  const { chainPem, validity } = await issuerFor(ca).issue(order);
  const { subject, extensions } = describeCertificate(chainPem[0] ?? '');
  expect(isForKey(chainPem[0] ?? '', keyPem)).toBe(true);
  expect(subject).toEqual([{ type: 'CN', value: NAME }]);
  expect(extensions.find(({ oid }) => oid === '2.5.29.17')?.lines).toEqual([
    `DNS:${NAME}`,
    'IP Address:10.0.0.1',
    'URI:spiffe://example.org/web',
  ]);
  // and the minute that step-ca dates back
  expect(+validity.notAfter - +validity.notBefore).toBe(5_400_000 + 60_000);
});

test('an order for a long name has it in the SAN alone', async () => {
  const { request } = (await newOrder()).order;
  const sans = [`${'n'.repeat(60)}.${'s'.repeat(30)}.svc.test`];
  const { chainPem } = await issuerFor(ca).issue({ request, sans });
  expect(describeCertificate(chainPem[0] ?? '').subject).toEqual([]);
});

test('roots are read, federated ones too, which are not trusted', async () => {
  const issuer = issuerFor(ca);
  await issuer.refresh();
  expect(issuer.anchors).toEqual([ca.rootPem]);
  expect(issuer.roots).toEqual([ca.rootPem, federatedRoot]);
});

test('a lifetime that the CA does not allow is its refusal, and no outage', async () => {
  const issuer = issuerFor(ca);
  await issuer.refresh();
  const { order } = await newOrder({ lifetimeMs: 48 * 3_600_000 });
  await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'CA_REJECTED', status: 403 });
  expect(issuer.outage).toBeUndefined();
});

test('the outage of a killed CA is known, and its end', async () => {
  const issuer = issuerFor(ca);
  await issuer.refresh();
  expect(issuer.outage).toBeUndefined();

  await ca.kill();
  await expect(issuer.issue((await newOrder()).order)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const outage = issuer.outage;
  expect(outage?.reason).toContain('no answer from');
  await expect(issuer.probe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(issuer.outage?.since).toBe(outage?.since);
  expect(issuer.roots).toEqual([ca.rootPem, federatedRoot]);

  await ca.start();
  await issuer.probe();
  expect(issuer.outage).toBeUndefined();
  await expect(issuer.issue((await newOrder()).order)).resolves.toMatchObject({ serial: expect.any(String) });
});

test('orders at once are signed over connections that stay', async () => {
  const issuer = issuerFor(ca);
  await issuer.refresh();
  const orders = await Promise.all(Array.from({ length: 20 }, () => newOrder()));
  const issued = await Promise.all(orders.map(({ order }) => issuer.issue(order)));
  expect(new Set(issued.map(({ serial }) => serial)).size).toBe(20);
  for (const [index, { keyPem }] of orders.entries()) {
    expect(isForKey(issued[index]?.chainPem[0] ?? '', keyPem)).toBe(true);
  }
});
