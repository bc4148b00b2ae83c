/** The agent's library against real step-ca on our PKI, and against the embedded CA. */
import { CaClient } from '../../runtime/step-ca/client.ts';
import { isForKey, validityOf, verifyChain } from '../../runtime/x509/certificate.ts';
import { createKeyAndRequest } from '../../runtime/x509/csr.ts';
import { TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import { createPki } from '../../runtime/pki/pki.ts';
import { BUILD_TIMEOUT_MS, program } from '../support/programs.ts';
import { CAS, type RunningCa } from '../support/running-ca.ts';

beforeAll(async () => {
  await program('step');
  await program('step-ca');
}, BUILD_TIMEOUT_MS);

describe.each(CAS)('the agent and %s:', (_name, start) => {
  let ca: RunningCa;
  beforeAll(async () => {
    ca = await start();
  });
  afterAll(() => ca.stop());

  const enroll = async (names: readonly string[], duration?: number) => {
    const { csrPem, keyPem, fingerprint } = await createKeyAndRequest();
    const token = await ca.token(names, { csrFingerprint: fingerprint });
    const signed = await ca.client.sign({ csrPem, token, ...(duration === undefined ? {} : { duration }) });
    return { ...signed, keyPem, bundle: { certificatePem: signed.chainPem.join(''), keyPem } };
  };

  test('bootstraps from the fingerprint of the root alone', async () => {
    const client = await CaClient.bootstrap({ url: ca.files.caUrl, fingerprints: [ca.files.pki.fingerprint] });
    await client.health();
    expect(await client.fetchRoots()).toEqual([ca.files.pki.rootPem]);
    expect(await client.fetchFederation()).toContain(ca.files.pki.rootPem);
    client.close();
  });

  test('enrolls with a token that is bound to its request', async () => {
    const { certificatePem, chainPem, keyPem } = await enroll(['web.shop.svc', '10.0.0.1']);
    verifyChain(chainPem, [ca.files.pki.rootPem], new Date());
    expect(isForKey(certificatePem, keyPem)).toBe(true);
  });

  test('gets exactly the lifetime that it asks for, and the minute on top', async () => {
    const { notBefore, notAfter } = validityOf((await enroll(['web.shop.svc'], 90 * 60_000)).certificatePem);
    expect(+notAfter - +notBefore).toBe(91 * 60_000);
  });

  test('renews with the same key and rekeys with a new one', async () => {
    const { bundle } = await enroll(['web.shop.svc']);
    const renewed = await ca.client.renew(bundle);
    expect(isForKey(renewed.certificatePem, bundle.keyPem)).toBe(true);
    const { csrPem, keyPem } = await createKeyAndRequest();
    const rekeyed = await ca.client.rekey({ certificatePem: renewed.chainPem.join(''), keyPem: bundle.keyPem }, csrPem);
    expect(isForKey(rekeyed.certificatePem, keyPem)).toBe(true);
    verifyChain(rekeyed.chainPem, [ca.files.pki.rootPem], new Date());
  });

  test("opens the webhook's provisioner as the webhook does: from the CA's list, with its password", async () => {
    const listed = (await ca.client.provisioners()).find(({ name }) => name === 'autocert');
    if (!listed) throw new Error('autocert is not listed');
    const encryptedKey = await ca.client.encryptedKey(listed.key.kid);
    const signer = await TokenSigner.open({ ...listed, encryptedKey }, ca.files.pki.autocertPassword);
    expect(signer.issuer).toBe('autocert');
    await expect(TokenSigner.open({ ...listed, encryptedKey }, ca.files.pki.caPassword)).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: 'the password does not open the key of provisioner "autocert"',
    });
  });

  test("opens the provisioner that real step made, and the CA takes its tokens' kind", async () => {
    const password = ['--password-file', ca.files.autocertPasswordFile];
    const jwk = [`${ca.dir}/step.pub`, `${ca.dir}/step.key`];
    const { code, stderr } = await ca.step('crypto', 'jwk', 'create', ...jwk, ...password);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const { readFileSync } = await import('node:fs');
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
    const signWith = async (options: Parameters<RunningCa['token']>[1]) => {
      const { csrPem } = await createKeyAndRequest();
      return ca.client.sign({ csrPem, token: await ca.token(['web.shop.svc'], options) });
    };

    test('with a token that was used', async () => {
      const { csrPem } = await createKeyAndRequest();
      const token = await ca.token(['web.shop.svc']);
      await ca.client.sign({ csrPem, token });
      await expect(ca.client.sign({ csrPem, token })).rejects.toMatchObject(rejected);
    });

    test('with a token that has expired', async () => {
      await expect(signWith({ now: new Date(Date.now() - 3_600_000) })).rejects.toMatchObject(rejected);
    });

    test('with a token for another CA', async () => {
      await expect(signWith({ caUrl: 'https://elsewhere.example' })).rejects.toMatchObject(rejected);
    });

    test("with a token that is bound to another's request", async () => {
      const { fingerprint } = await createKeyAndRequest();
      await expect(signWith({ csrFingerprint: fingerprint })).rejects.toMatchObject(rejected);
    });

    test('for longer than the CA allows', async () => {
      await expect(enroll(['web.shop.svc'], 48 * 3_600_000)).rejects.toMatchObject(rejected);
    });

    test('by itself, when the CA has another root than the pinned one', async () => {
      const other = await createPki('Other');
      const fingerprints = [other.fingerprint];
      await expect(CaClient.bootstrap({ url: ca.files.caUrl, fingerprints })).rejects.toMatchObject({
        code: 'UNTRUSTED',
        message: expect.stringContaining(`no root certificate with the pinned fingerprint ${other.fingerprint}`),
      });
      const client = new CaClient({ url: ca.files.caUrl, roots: [other.rootPem] });
      await expect(client.health()).rejects.toMatchObject({ code: 'UNTRUSTED' });
      client.close();
    });
  });
});
