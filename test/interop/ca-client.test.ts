/** The CA client and one-time tokens against real step-ca on our PKI, and against the embedded CA. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPki } from '../../runtime/pki/pki.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { findProvisioner } from '../../runtime/step-ca/provisioner-key.ts';
import { isForKey, validityOf, verifyChain } from '../../runtime/x509/certificate.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';
import { CAS, type RunningCa } from '../support/running-ca.ts';

beforeAll(async () => {
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

describe.each(CAS)('at %s', (_name, start) => {
  let ca: RunningCa;
  beforeAll(async () => {
    ca = await start();
  });
  afterAll(() => ca.stop());

  const sign = async (options: Parameters<RunningCa['token']>[1] = {}, duration?: number) => {
    const { csrPem, keyPem } = await createKeyAndRequest();
    const token = await ca.token(['web.shop.svc', '10.0.0.1'], options);
    const { chainPem } = await ca.client.sign({ csrPem, token, ...(duration !== undefined && { duration }) });
    return { chainPem, leaf: chainPem[0] ?? '', keyPem };
  };

  test('roots and federated roots are read', async () => {
    expect(await ca.client.fetchRoots()).toEqual([ca.rootPem]);
    expect(await ca.client.fetchFederation()).toContain(ca.rootPem);
  });

  test('a token that is bound to a request buys a certificate for it', async () => {
    const { csrPem, keyPem, fingerprint } = await createKeyAndRequest();
    const token = await ca.token(['web.shop.svc'], { csrFingerprint: fingerprint });
    const { chainPem } = await ca.client.sign({ csrPem, token });
    verifyChain(chainPem, [ca.rootPem], new Date());
    expect(isForKey(chainPem[0] ?? '', keyPem)).toBe(true);
  });

  test('the lifetime is exactly what was asked for, and the minute on top', async () => {
    const { notBefore, notAfter } = validityOf((await sign({}, 90 * 60_000)).leaf);
    expect(+notAfter - +notBefore).toBe(91 * 60_000);
  });

  test("the webhook's provisioner is in the CA's list, with a key that its password opens", async () => {
    const listed = await findProvisioner(ca.client, 'autocert');
    expect((await TokenSigner.open(listed, ca.files.pki.autocertPassword)).issuer).toBe('autocert');
    await expect(TokenSigner.open(listed, ca.files.pki.caPassword)).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: 'the password does not open the key of provisioner "autocert"',
    });
  });

  test('a provisioner that real step made is opened, too', async () => {
    const password = ['--password-file', ca.files.autocertPasswordFile];
    const jwk = [join(ca.dir, 'step.pub'), join(ca.dir, 'step.key')];
    const { code, stderr } = await ca.step('crypto', 'jwk', 'create', ...jwk, ...password);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const [pub = '', key = ''] = jwk.map((file) => readFileSync(file, 'utf8'));
    // step writes the key as JSON; provisioners have the compact form of the same.
    const { protected: header, encrypted_key, iv, ciphertext, tag } = JSON.parse(key);
    const provisioner = {
      type: 'JWK' as const,
      name: 'step',
      key: JSON.parse(pub),
      encryptedKey: [header, encrypted_key, iv, ciphertext, tag].join('.'),
    };
    expect((await TokenSigner.open(provisioner, ca.files.pki.autocertPassword)).kid).toBe(provisioner.key.kid);
  });

  describe('is refused', () => {
    const rejected = { code: 'CA_REJECTED', message: expect.stringMatching(/answered 40[013]: ./) };

    test('a token that was used', async () => {
      const { csrPem } = await createKeyAndRequest();
      const token = await ca.token(['web.shop.svc']);
      await ca.client.sign({ csrPem, token });
      await expect(ca.client.sign({ csrPem, token })).rejects.toMatchObject({ ...rejected, status: 401 });
    });

    test('a token that has expired', async () => {
      await expect(sign({ now: new Date(Date.now() - 3_600_000) })).rejects.toMatchObject(rejected);
    });

    test('a token for another CA', async () => {
      await expect(sign({ caUrl: 'https://elsewhere.example' })).rejects.toMatchObject(rejected);
    });

    test("a token that is bound to another's request", async () => {
      const { fingerprint } = await createKeyAndRequest();
      await expect(sign({ csrFingerprint: fingerprint })).rejects.toMatchObject({ ...rejected, status: 403 });
    });

    test('a lifetime that is longer than the CA allows', async () => {
      await expect(sign({}, 48 * 3_600_000)).rejects.toMatchObject(rejected);
    });

    test('the CA itself, when it has another root than the trusted one', async () => {
      const client = new CaClient({ url: ca.url, roots: [(await createPki('Other')).rootPem] });
      await expect(client.health()).rejects.toMatchObject({ code: 'UNTRUSTED' });
      client.close();
    });
  });
});
