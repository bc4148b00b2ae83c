import { Secret } from '../../../runtime/lib/secret.ts';
import {
  createProvisioner,
  type JwkProvisioner,
  type MintOptions,
  TokenSigner,
  verifyToken,
} from '../../../runtime/step-ca/one-time-token.ts';

const NOW = new Date('2027-01-01T00:00:00Z');
const CA_URL = 'https://ca.step.svc';
const AUDIENCE = [`${CA_URL}/1.0/sign`];
const password = new Secret('correct horse battery staple');

let provisioner: JwkProvisioner;
let signer: TokenSigner;
beforeAll(async () => {
  provisioner = await createProvisioner('autocert', password);
  signer = await TokenSigner.open(provisioner, password);
});

const mint = async (options: Partial<MintOptions> = {}) =>
  (
    await signer.mint({
      subject: 'web.shop.svc',
      sans: ['web.shop.svc', '10.0.0.1'],
      caUrl: CA_URL,
      rootFingerprint: 'ab'.repeat(32),
      now: NOW,
      ...options,
    })
  ).reveal();

const verify = (token: string, options: { audience?: RegExp | string[]; now?: Date } = {}) =>
  verifyToken(token, [provisioner], { audience: AUDIENCE, now: NOW, ...options });

const part = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString());

const later = (seconds: number) => new Date(+NOW + seconds * 1000);

describe('a provisioner', () => {
  test('has a public P-256 key, named by its thumbprint, and no private part in the clear', () => {
    expect(provisioner).toMatchObject({
      type: 'JWK',
      name: 'autocert',
      key: { kty: 'EC', crv: 'P-256', alg: 'ES256' },
    });
    expect(provisioner.key.kid).toMatch(/^[\w-]{43}$/);
    expect(provisioner.key).not.toHaveProperty('d');
  });

  test('keeps its private key as step does: PBES2 and AES-256-GCM', () => {
    const header = JSON.parse(Buffer.from(provisioner.encryptedKey.split('.')[0] ?? '', 'base64url').toString());
    expect(header).toMatchObject({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', cty: 'jwk+json', p2c: 600_000 });
  });

  test('is not opened by another password', async () => {
    await expect(TokenSigner.open(provisioner, new Secret('guess'))).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: 'the password does not open the key of provisioner "autocert"',
    });
  });

  test('without an encrypted key cannot be opened, and the message says why', async () => {
    await expect(TokenSigner.open({ ...provisioner, encryptedKey: '' }, password)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('has no encryptedKey'),
    });
  });

  test('with something else than a JWE as its key is a fault of the configuration', async () => {
    await expect(TokenSigner.open({ ...provisioner, encryptedKey: 'no.jwe' }, password)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
    });
  });

  test('whose two keys do not belong together is not trusted', async () => {
    const other = await createProvisioner('other', password);
    await expect(
      TokenSigner.open({ ...other, encryptedKey: provisioner.encryptedKey }, password),
    ).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });
});

describe('a token', () => {
  test('carries what step-ca expects', async () => {
    const token = await mint();
    expect(part(token, 0)).toEqual({ alg: 'ES256', kid: provisioner.key.kid, typ: 'JWT' });
    expect(part(token, 1)).toEqual({
      aud: 'https://ca.step.svc/1.0/sign',
      iss: 'autocert',
      sub: 'web.shop.svc',
      sans: ['web.shop.svc', '10.0.0.1'],
      sha: 'ab'.repeat(32),
      jti: expect.stringMatching(/^[0-9a-f]{64}$/),
      iat: +NOW / 1000,
      nbf: +NOW / 1000,
      exp: +NOW / 1000 + 300,
    });
  });

  test('never has the id of another', async () => {
    expect(part(await mint(), 1).jti).not.toBe(part(await mint(), 1).jti);
  });

  test('does not print', async () => {
    const token = await signer.mint({ subject: 'a', sans: [], caUrl: CA_URL, rootFingerprint: '' });
    expect(`${token} ${JSON.stringify({ token })}`).toBe('[redacted] {"token":"[redacted]"}');
  });

  test('can be bound to one certificate request', async () => {
    const claims = await verify(await mint({ csrFingerprint: 'q80' }));
    expect(claims.csrFingerprint).toBe('q80');
  });

  test('gives its names to whoever verifies it', async () => {
    expect(await verify(await mint())).toMatchObject({
      provisioner: { name: 'autocert' },
      subject: 'web.shop.svc',
      sans: ['web.shop.svc', '10.0.0.1'],
      expiresAt: later(300),
    });
  });

  test('without SANs is good for its subject, as with old clients of step-ca', async () => {
    expect((await verify(await mint({ sans: [] }))).sans).toEqual(['web.shop.svc']);
  });

  test('is accepted for a minute before and after its time, for clocks differ', async () => {
    const token = await mint();
    await expect(verify(token, { now: later(-59) })).resolves.toBeDefined();
    await expect(verify(token, { now: later(359) })).resolves.toBeDefined();
  });
});

describe('a token is refused, with the reason,', () => {
  const refused = (reason: string) => ({ code: 'UNAUTHENTICATED', message: expect.stringContaining(reason) });

  test('when it has expired', async () => {
    await expect(verify(await mint(), { now: later(361) })).rejects.toMatchObject(refused('expired'));
  });

  test('before its time', async () => {
    await expect(verify(await mint(), { now: later(-120) })).rejects.toMatchObject(refused('not valid yet'));
  });

  test('when it was made for another CA', async () => {
    await expect(verify(await mint({ caUrl: 'https://evil.example' }))).rejects.toMatchObject(
      refused('audience "https://evil.example/1.0/sign" is not an address of this CA'),
    );
  });

  test('when an audience only contains the expected one', async () => {
    const audience = /https:\/\/ca\.step\.svc\/1\.0\/sign/;
    await expect(
      verify(await mint({ caUrl: 'https://evil.example/?https://ca.step.svc' }), { audience }),
    ).rejects.toMatchObject(refused('is not an address of this CA'));
    await expect(verify(await mint(), { audience })).resolves.toBeDefined();
  });

  test('when another provisioner of the same name signed it', async () => {
    const impostor = await createProvisioner('autocert', password);
    await expect(verifyToken(await mint(), [impostor], { audience: AUDIENCE, now: NOW })).rejects.toMatchObject(
      refused('no provisioner "autocert"'),
    );
    const sameKid = { ...impostor, key: { ...impostor.key, kid: provisioner.key.kid } };
    await expect(verifyToken(await mint(), [sameKid], { audience: AUDIENCE, now: NOW })).rejects.toMatchObject(
      refused("not signed with the provisioner's key"),
    );
  });

  test('when its content was changed', async () => {
    const [header, , signature] = (await mint()).split('.');
    const payload = { ...part(await mint(), 1), sub: 'root' };
    const forged = [header, Buffer.from(JSON.stringify(payload)).toString('base64url'), signature].join('.');
    await expect(verify(forged)).rejects.toMatchObject(refused("not signed with the provisioner's key"));
  });

  test('when it says that it needs no signature', async () => {
    const header = Buffer.from(JSON.stringify({ alg: 'none', kid: provisioner.key.kid })).toString('base64url');
    const unsigned = `${header}.${(await mint()).split('.')[1]}.`;
    await expect(verify(unsigned)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test.each(['', 'nonsense', 'a.b.c', '{}'])('when it is %j', async (token) => {
    await expect(verify(token)).rejects.toMatchObject(refused('not a JWT'));
  });

  test('when it is enormous', async () => {
    await expect(verify('a'.repeat(20_000))).rejects.toMatchObject(refused('longer than 16384 characters'));
  });
});
