/**
 * What real step-ca signs for whoever has the password of the provisioner `autocert`, with the configuration that is
 * synthesized, put together with the provisioners as the supervisor does it.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { AutocertNamespace, AutocertWebhook, StepCa } from '../../constructs/index.ts';
import { CaConfigFile, type CaNameRules } from '../../runtime/contract.ts';
import { type CaTemplate, composeCaConfig } from '../../runtime/step-ca/ca-config.ts';
import { describeCertificate } from '../../runtime/x509/certificate-description.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { waitFor } from '../../scripts/cluster/shell.ts';
import { CaPod } from '../support/ca-pod.ts';
import { postTo, rekey, renew } from '../support/ca-requests.ts';
import { configOf, synth } from '../support/manifests.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { type RunningCa, startStepCa } from '../support/running-ca.ts';

let openssl: string;
let ca: RunningCa;
let rules: CaNameRules;

beforeAll(async () => {
  await program('step-ca');
  await program('step');
  openssl = await program('openssl');
  const manifests = synth((chart) => {
    const stepCa = new StepCa(chart, 'ca', { dnsNames: ['ca.example.com', '10.9.9.9'], autocertNames: ['more.test'] });
    const webhook = new AutocertWebhook(chart, 'autocert', { ca: stepCa, excludedNamespaces: ['apart'] });
    new AutocertNamespace(chart, 'shop', {
      webhook,
      name: 'shop',
      allowedNames: ['*.shop.example.com', '10.1.0.0/16', '10.9.9.0/24', 'fd00:1::/33', 'spiffe://example.com/shop/*'],
    });
    new AutocertNamespace(chart, 'bank', {
      webhook,
      name: 'bank',
      allowedNames: ['pay.bank.test', '**.deep.test', 'a.*.mid.test', '*.**.wide.test'],
    });
    new AutocertNamespace(chart, 'wide', { webhook, name: 'wide', allowedNames: ['*.example.com', 'urn:bank:pay'] });
  });
  const { authority } = configOf(manifests, CaConfigFile.configMap, CaConfigFile.template);
  rules = configOf(manifests, CaConfigFile.configMap, CaConfigFile.names);
  ca = await startStepCa(({ configFile, pki }) => {
    const local = JSON.parse(readFileSync(configFile, 'utf8')) as CaTemplate;
    writeFileSync(
      configFile,
      JSON.stringify(composeCaConfig({ ...local, authority }, pki.provisioners, { names: rules })),
    );
  });
}, BUILD_TIMEOUT_MS);
afterAll(() => ca.stop());

/** What whoever has the provisioner's password asks for. */
const sign = async (names: readonly string[], more: object = {}, token: object = {}) => {
  const { csrPem } = await createKeyAndRequest();
  const ott = await ca.token(names, token);
  return postTo(ca, '/1.0/sign', { csr: csrPem, ott: ott.reveal(), ...more });
};
const leafOf = (body: unknown) => (body as { crt: string }).crt;
const extension = (pem: string, oid: string) => describeCertificate(pem).extensions.find((one) => one.oid === oid);

describe('step-ca signs for the provisioner autocert', () => {
  test.each([
    ['a name of a Service', ['web.shop.svc']],
    ['in full, of any namespace', ['web.some-team.svc.cluster.local']],
    ['of a StatefulSet’s pod', ['db-0.db.shop.svc.cluster.local']],
    ['of a pod', ['10-0-0-1.shop.pod.cluster.local']],
    ['in short', ['web.some-team']],
    ['a wildcard of a namespace', ['*.shop.svc.cluster.local']],
    ["Autocert's own names", ['autocert.step.svc', 'autocert.step.svc.cluster.local', 'autocert.step']],
    [
      'names of allowedNames',
      ['a.shop.example.com', '*.shop.example.com', 'pay.bank.test', 'a.b.c.deep.test', '*.deep.test'],
    ],
    ['of patterns with wildcards elsewhere', ['a.x.mid.test', 'a.b.c.wide.test', '*.x.wide.test']],
    ['an address of a block, IPv4', ['10.1.255.255']],
    ['of a block, IPv6', ['fd00:1:7fff::1', 'fd00:1::']],
    ['a URI', ['spiffe://example.com/shop/web', 'urn:bank:pay']],
    ['a name that the prop autocertNames adds', ['more.test']],
    ['a name too long for a common name', [`${'n'.repeat(60)}.${'s'.repeat(30)}.svc`]],
    ['an internationalized name, of a cluster', ['xn--bcher-kva.shop.svc']],
    ['64 names', Array.from({ length: 64 }, (_, index) => `n${index}.shop.svc`)],
  ])('%s', async (_what, names) => {
    const { status, body } = await sign(names);
    expect([status, JSON.stringify(body)]).toEqual([201, expect.stringContaining('BEGIN CERTIFICATE')]);
  });

  test.each([['pay.shop.svc'], ['10.1.0.1'], ['fd00:1::1'], ['urn:bank:pay']])(
    'a common name beside the names, which the annotation sans replaces: %s',
    async (subject) => {
      const { status, body } = await sign(['web.shop.svc'], {}, { subject });
      expect(status).toBe(201);
      const { subject: found, subjectAltName } = new X509Certificate(leafOf(body));
      expect([found, subjectAltName]).toEqual([`CN=${subject}`, 'DNS:web.shop.svc']);
    },
  );

  test("another namespace's allowedNames, since it cannot tell which namespace asks", async () => {
    expect(await sign(['pay.bank.test', 'a.shop.example.com'])).toMatchObject({ status: 201 });
  });

  test('a certificate that is none of a CA, whatever the request asks for', async () => {
    const args = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'];
    const asking = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'];
    const { stdout: csr } = await output(openssl, ['req', '-new', ...args, '-subj', '/', ...asking]);
    const ott = (await ca.token(['web.shop.svc'])).reveal();
    const { status, body } = await postTo(ca, '/1.0/sign', { csr, ott });
    expect(status).toBe(201);
    expect(extension(leafOf(body), '2.5.29.19')).toBeUndefined();
    expect(extension(leafOf(body), '2.5.29.15')?.lines).toEqual(['Digital Signature']);
  });
});

test('step-ca signs a certificate that is to be valid later: it looks at the difference, and no template sees the dates', async () => {
  const day = (number: number) => new Date(Date.now() + number * 24 * 3_600_000).toISOString();
  const { status, body } = await sign(['web.shop.svc'], { notBefore: day(3000), notAfter: day(3001) });
  expect(status).toBe(201);
  const leaf = new X509Certificate(leafOf(body));
  const intermediate = new X509Certificate(ca.files.pki.intermediatePem);
  // So it is of use to nobody: its issuer ends before it begins. Up to that day, two years at most, it would be.
  expect(+leaf.validFromDate).toBeGreaterThan(+intermediate.validToDate);
});

describe('step-ca refuses to sign for the provisioner autocert', () => {
  const dns = 'dns';
  test.each([
    ['a name outside', dns, 'google.com'],
    ['one that begins like one inside', dns, 'web.shop.svc.example.org'],
    ['one that ends in a like domain', dns, 'web.shop.svc.cluster.local.evil.org'],
    ["the CA's own host", dns, 'ca.step.svc'],
    ['in full', dns, 'ca.step.svc.cluster.local'],
    ['in short', dns, 'ca.step'],
    ['of a prop', dns, 'ca.example.com'],
    ['a wildcard that stands for it', dns, '*.example.com'],
    ['localhost', dns, 'localhost'],
    ['the API server', dns, 'kubernetes.default.svc'],
    ['in full', dns, 'kubernetes.default.svc.cluster.local'],
    ['in short', dns, 'kubernetes.default'],
    ['in one word', dns, 'kubernetes'],
    ['a wildcard that stands for it', dns, '*.default.svc'],
    ['any name of the system namespace', dns, 'x.y.step.svc'],
    ['a wildcard over it', dns, '*.step.svc'],
    ['a name of an excluded namespace', dns, 'web.apart.svc.cluster.local'],
    ['in short', dns, 'web.kube-system'],
    ['a wildcard over all namespaces', dns, '*.svc'],
    ["over the cluster's domain", dns, '*.cluster.local'],
    ['over everything', dns, '*'],
    ['over a top-level domain', dns, '*.com'],
    ['a wildcard elsewhere than in front', dns, 'a.*.shop.svc'],
    ['a part of a label', dns, 'a*.shop.svc'],
    ['upper case', dns, 'WEB.shop.svc'],
    ['a dot at the end', dns, 'web.shop.svc.'],
    ['an empty label', dns, 'web..shop.svc'],
    ['a space in front', dns, ' web.shop.svc'],
    ['a line break', dns, 'google.com\nweb.shop.svc'],
    ['a zero byte', dns, 'google.com\u0000.shop.svc'],
    ['an underscore', dns, 'web_1.shop.svc'],
    ['a letter that looks like another', dns, 'wеb.shop.svc'],
    ['punycode outside', dns, 'xn--ggle-55da.com'],
    ['a label of 64 letters', dns, `${'a'.repeat(64)}.shop.svc`],
    ['254 letters', dns, `${'a.'.repeat(123)}shop.svc`],
    ['an IPv4 address in another spelling', dns, '010.1.0.1'],
    ['a number', dns, '2130706433'],
    ['a namespace that is a top-level domain, in short', dns, 'web.shop'],
    ['one label', dns, 'web'],
    ["a pattern's sibling", dns, 'a.b.shop.example.com'],
    ['what a wildcard stands for one label of', dns, 'a.x.y.mid.test'],
    ['a domain whose names are granted', dns, 'deep.test'],
    ['a pattern itself, in the middle of a name', dns, 'a.**.deep.test'],
    ['an address outside', 'ip', '10.2.0.1'],
    ['an IPv4-mapped one outside', 'ip', '::ffff:10.2.0.1'],
    ["the API server's usual address", 'ip', '10.96.0.1'],
    ["the CA's address", 'ip', '127.0.0.1'],
    ['that of a prop, which a block has', 'ip', '10.9.9.9'],
    ['next to an IPv6 block', 'ip', 'fd00:1:8000::1'],
    ['the unspecified address', 'ip', '::'],
    ['an email address', 'email', 'root@web.shop.svc'],
    ['a URI outside', 'uri', 'spiffe://example.com/bank/pay'],
    ['with a dotted path', 'uri', 'spiffe://example.com/shop/..'],
    ['with another host', 'uri', 'spiffe://example.org/shop/web'],
    ["the CA's host in a URI", 'uri', 'https://ca.step.svc/'],
    ['an opaque one', 'uri', 'urn:bank:pay:all'],
  ])('%s: %s %j', async (_what, kind, name) => {
    for (const names of [[name], ['web.shop.svc', name]]) {
      const { status, body } = await sign(names);
      expect(status).toBe(400);
      const said = (body as { message: string }).message;
      expect(said).toContain(`${kind} name `);
      expect(said).toContain('is none that the provisioner autocert may have signed');
    }
  });

  test.each([
    [dns, 'google.com'],
    [dns, 'ca.step.svc'],
    [dns, '010.1.0.1'],
    [dns, 'Web.shop.svc'],
    ['ip', '10.2.0.1'],
    ['ip', 'fd00:1:8000::1'],
    ['uri', 'spiffe://example.com/bank/pay'],
  ])('a common name beside the names: %s %s', async (kind, subject) => {
    const { status, body } = await sign(['web.shop.svc'], {}, { subject });
    expect([status, (body as { message: string }).message]).toEqual([
      400,
      expect.stringContaining(`${kind} name "${subject}" is none that the provisioner autocert may have signed`),
    ]);
  });

  test('65 names', async () => {
    const names = Array.from({ length: 65 }, (_, index) => `n${index}.shop.svc`);
    expect(await sign(names)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('65 names are') },
    });
  });

  test('what templateData of the request allows itself', async () => {
    const rules = { own: ['google.com'], dns: ['.*'] };
    for (const templateData of [{ autocertNames: rules }, { User: { autocertNames: rules } }, { SANs: [] }]) {
      expect(await sign(['google.com'], { templateData })).toMatchObject({ status: 400 });
    }
  });

  test('longer than the CA’s longest lifetime', async () => {
    expect(await sign(['web.shop.svc'], { notAfter: '25h' })).toMatchObject({ status: 403 });
    const [notBefore, notAfter] = ['240h', '265h'];
    expect(await sign(['web.shop.svc'], { notBefore, notAfter })).toMatchObject({ status: 403 });
  });

  test('renewal and rekeying', async () => {
    const identity = await ca.issue(['web.shop.svc']);
    expect(await renew(ca, identity)).toMatchObject({ status: 401 });
    expect(await rekey(ca, identity)).toMatchObject({ status: 401 });
  });

  test('a certificate of SSH', async () => {
    const ott = (await ca.token(['web.shop.svc'])).reveal();
    const publicKey = Buffer.alloc(51).toString('base64');
    const { status } = await postTo(ca, '/1.0/ssh/sign', { publicKey, ott, certType: 'host', keyID: 'web.shop.svc' });
    expect(status).toBeGreaterThanOrEqual(400);
  });
});

test('the provisioner admin signs any name, for people and programs outside', async () => {
  expect(await sign(['snarf.local.dev'], {}, { by: 'admin' })).toMatchObject({ status: 201 });
});

test('the supervisor takes changed rules over, without a new pod, and keeps the last that made sense', async () => {
  await using pod = await CaPod.start();
  const signs = async (name: string) => {
    try {
      await pod.issue([name]);
      return true;
    } catch (error) {
      if ((error as { code?: string }).code === 'CA_REJECTED') return false;
      return undefined;
    }
  };
  expect(await signs('google.com')).toBe(true);
  pod.put('names.json', JSON.stringify({ ...rules, own: ['ready.test'] }));
  await waitFor('the rules to hold', async () => (await signs('google.com')) === false, {
    timeoutMs: 60_000,
    everyMs: 100,
  });
  pod.put('names.json', '{"own":[]}');
  await waitFor('the fault to be said', async () => pod.said('supervisor').includes('dns: must be a list'));
  expect([await signs('google.com'), await signs('web.some-team.svc')]).toEqual([false, true]);
});
