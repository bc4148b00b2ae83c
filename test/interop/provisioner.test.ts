/** What the provisioner `autocert` gives and refuses, at real step-ca and at the embedded CA. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_COMMON_NAME } from '../../runtime/policy/lifetimes.ts';
import { LEAF_TEMPLATE } from '../../runtime/step-ca/provisioner.ts';
import { isForKey } from '../../runtime/x509/certificate.ts';
import { describeCertificate } from '../../runtime/x509/certificate-description.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { type Identity, rekey, renew, renewByToken } from '../support/ca-requests.ts';
import { BUILD_TIMEOUT_MS, output, program } from '../support/programs.ts';
import { CAS, type RunningCa, startStepCa } from '../support/running-ca.ts';

const NAME = 'web.shop.svc';
/** As long as a common name may be, and one more. */
const LONGEST = `${'n'.repeat(60)}.svc`;
const LONG = `${'n'.repeat(60)}.${'s'.repeat(30)}.svc.test`;

let openssl: string;
beforeAll(async () => {
  await program('step');
  await program('step-ca');
  openssl = await program('openssl');
}, BUILD_TIMEOUT_MS);

const leafOf = ({ chainPem: [leaf = ''] }: Pick<Identity, 'chainPem'>) => leaf;
const subjectAltName = (pem: string) => describeCertificate(pem).extensions.find(({ oid }) => oid === '2.5.29.17');

/** Everything in a certificate but what is another each time: numbers, times, key, signature. */
function shapeOf(pem: string): object {
  const { issuer, subject, version, signatureAlgorithm, extensions } = describeCertificate(pem);
  const fixed = extensions.filter(({ oid }) => oid !== '2.5.29.14');
  return { issuer, subject, version, signatureAlgorithm, extensions: fixed };
}

describe.each(CAS)('%s', (_name, start) => {
  let ca: RunningCa;
  beforeAll(async () => {
    ca = await start();
  });
  afterAll(() => ca.stop());

  describe('a certificate of the provisioner autocert', () => {
    test('is not renewed at the CA, neither for its own key nor for a new one', async () => {
      const identity = await ca.issue([NAME]);
      expect(await renew(ca, identity)).toMatchObject({ status: 401 });
      expect(await rekey(ca, identity)).toMatchObject({ status: 401 });
    });

    test('is not renewed by real step', async () => {
      const { chainPem, keyPem } = await ca.issue([NAME]);
      const [crt, key] = [join(ca.dir, 'n.crt'), join(ca.dir, 'n.key')];
      writeFileSync(crt, chainPem.join(''));
      writeFileSync(key, keyPem.reveal());
      expect((await ca.step('ca', 'renew', '--force', crt, key)).code).not.toBe(0);
    });
  });

  describe('a certificate of the provisioner admin', () => {
    test('is renewed, for its own key and for a new one', async () => {
      const identity = await ca.issue([NAME], 'admin');
      const renewed = await renew(ca, identity);
      expect(renewed.status).toBe(201);
      expect(isForKey((renewed.body as { crt: string }).crt, identity.keyPem)).toBe(true);
      const rekeyed = await rekey(ca, identity);
      expect(rekeyed.status).toBe(201);
      expect(isForKey((rekeyed.body as { crt: string }).crt, rekeyed.keyPem)).toBe(true);
    });
  });

  describe('a name of more than 64 characters', () => {
    test('is in the SAN alone, which is then critical; the subject is empty', async () => {
      const pem = leafOf(await ca.issue([LONG, NAME]));
      expect(describeCertificate(pem).subject).toEqual([]);
      expect(subjectAltName(pem)).toMatchObject({ critical: true, lines: [`DNS:${LONG}, DNS:${NAME}`] });
    });

    test('is accepted by openssl, as a server and as a client', async () => {
      const { chainPem } = await ca.issue([LONG]);
      const file = join(ca.dir, 'long.crt');
      writeFileSync(file, chainPem.join(''));
      for (const purpose of ['sslserver', 'sslclient']) {
        const args = ['verify', '-x509_strict', '-purpose', purpose, '-verify_hostname', LONG];
        const { stdout, stderr } = await output(openssl, [
          ...args,
          '-CAfile',
          ca.files.rootFile,
          '-untrusted',
          file,
          file,
        ]);
        expect(stdout + stderr).toBe(`${file}: OK\n`);
      }
    });

    test('is a common name up to 64 characters', async () => {
      expect(LONGEST).toHaveLength(MAX_COMMON_NAME);
      const pem = leafOf(await ca.issue([LONGEST]));
      expect(describeCertificate(pem).subject).toEqual([{ type: 'CN', value: LONGEST }]);
      expect(subjectAltName(pem)).toMatchObject({ critical: false });
      expect(describeCertificate(leafOf(await ca.issue([`n${LONGEST}`]))).subject).toEqual([]);
    });

    test('may be a URI', async () => {
      const uri = `spiffe://cluster.local/ns/shop/sa/${'a'.repeat(40)}`;
      expect(subjectAltName(leafOf(await ca.issue([uri])))).toMatchObject({ critical: true, lines: [`URI:${uri}`] });
    });
  });

  test('names of every kind, wildcards too, are given as before', async () => {
    const names = [NAME, '*.shop.svc', '10.0.0.1', 'fd00::1', 'spiffe://example.org/web'];
    expect(subjectAltName(leafOf(await ca.issue(names)))?.lines).toEqual([
      `DNS:${NAME}, DNS:*.shop.svc`,
      'IP Address:10.0.0.1, IP Address:fd00::1',
      'URI:spiffe://example.org/web',
    ]);
  });
});

describe('real step-ca that renews expired certificates', () => {
  const allowing = ({ configFile }: RunningCa['files']) => {
    const config = JSON.parse(readFileSync(configFile, 'utf8'));
    config.authority.claims.allowRenewalAfterExpiry = true;
    writeFileSync(configFile, JSON.stringify(config));
  };
  let ca: RunningCa;
  beforeAll(async () => {
    ca = await startStepCa(allowing);
  });
  afterAll(() => ca.stop());

  /** A certificate for a second; resolves when it has expired. */
  const expired = async (by: 'admin' | 'autocert'): Promise<Identity> => {
    const { csrPem, keyPem } = await createKeyAndRequest();
    const signed = await ca.client.sign({ csrPem, token: await ca.token([NAME], { by }), duration: 1000 });
    const { validToDate } = new X509Certificate(leafOf(signed));
    while (new Date() <= validToDate) await new Promise((resolve) => setTimeout(resolve, 50));
    return { ...signed, keyPem };
  };

  test('renews none of the provisioner autocert, neither by connection nor by token', async () => {
    const identity = await expired('autocert');
    // It ends the connection with an alert.
    await expect(renew(ca, identity)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await renewByToken(ca, identity)).toMatchObject({ status: 401 });
    expect(await renewByToken(ca, await ca.issue([NAME]))).toMatchObject({ status: 401 });
  });

  test('renews those of the provisioner admin, by token', async () => {
    expect(await renewByToken(ca, await expired('admin'))).toMatchObject({ status: 201 });
  });
});

describe('real step-ca with the template and with its own', () => {
  /** As a cluster has it whose PKI was made before there were rules for `autocert`. */
  const withoutRules = ({ configFile, pki }: RunningCa['files']) => {
    const config = JSON.parse(readFileSync(configFile, 'utf8'));
    writeFileSync(configFile, JSON.stringify({ ...config, authority: { provisioners: pki.provisioners } }));
  };
  let ours: RunningCa;
  let plain: RunningCa;
  beforeAll(async () => {
    ours = await startStepCa();
    plain = await startStepCa(withoutRules);
    expect(readFileSync(ours.files.configFile, 'utf8')).toContain(JSON.stringify(LEAF_TEMPLATE));
    expect(readFileSync(plain.files.configFile, 'utf8')).not.toContain('"template"');
  });
  afterAll(async () => {
    await ours.stop();
    await plain.stop();
  });

  /** Certificates of two CAs differ in the ids of keys. */
  const comparable = (ca: RunningCa, pem: string) => {
    const ids = [ca.files.pki.provisioners[1]?.key.kid ?? '', authorityKeyId(ca)];
    return ids.reduce((text, id) => text.replaceAll(id, 'id'), JSON.stringify(shapeOf(pem)));
  };
  const authorityKeyId = (ca: RunningCa) =>
    describeCertificate(ca.files.pki.intermediatePem).extensions.find(({ oid }) => oid === '2.5.29.14')?.lines[0] ?? '';

  test.each([
    ['a short name', [NAME]],
    ['the longest common name', [LONGEST, NAME]],
    ['names of every kind', [NAME, '*.shop.svc', '10.0.0.1', 'fd00::1', 'spiffe://example.org/web']],
    ['an address alone', ['10.0.0.1']],
  ])('gives the same certificate for %s', async (_what, names) => {
    const [one, other] = [leafOf(await ours.issue(names)), leafOf(await plain.issue(names))];
    expect(comparable(ours, one)).toBe(comparable(plain, other));
  });

  test('the same for an RSA key', async () => {
    const args = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', '/dev/null', '-subj', '/'];
    const { stdout: csrPem } = await output(openssl, args);
    const [one, other] = await Promise.all(
      [ours, plain].map(async (ca) => leafOf(await ca.client.sign({ csrPem, token: await ca.token([NAME]) }))),
    );
    expect(comparable(ours, one ?? '')).toBe(comparable(plain, other ?? ''));
    expect(one && describeCertificate(one).extensions[0]?.lines).toEqual(['Digital Signature, Key Encipherment']);
  });

  test('without the rules it renewed without end, and put the long name where it does not belong', async () => {
    expect(await renew(plain, await plain.issue([NAME]))).toMatchObject({ status: 201 });
    expect(describeCertificate(leafOf(await plain.issue([LONG]))).subject).toEqual([{ type: 'CN', value: LONG }]);
  });
});
