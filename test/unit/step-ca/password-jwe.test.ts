import { createDecipheriv, pbkdf2Sync } from 'node:crypto';
import { Secret } from '../../../runtime/lib/secret.ts';
import {
  decryptWithPassword,
  encryptWithPassword,
  type PasswordAlgorithm,
} from '../../../runtime/step-ca/password-jwe.ts';
import { realRounds } from '../../support/few-rounds.ts';

const PASSWORD = 'correct horse battery staple';
const ROUNDS = 600_000;

beforeAll(realRounds);

/** What RFC 7516 and RFC 7518 say, by Node's own cryptography. */
function decrypted(jwe: string, { hash, bits }: { hash: string; bits: number }): string {
  const [header = '', key, iv, text, tag] = jwe.split('.');
  const bytes = (part = '') => Buffer.from(part, 'base64url');
  const { alg, p2s } = JSON.parse(bytes(header).toString());
  const salt = Buffer.concat([Buffer.from(`${alg}\0`), bytes(p2s)]);
  const wrapping = pbkdf2Sync(PASSWORD, salt, ROUNDS, bits / 8, hash);
  const unwrap = createDecipheriv(`id-aes${bits}-wrap`, wrapping, Buffer.alloc(8, 0xa6));
  const contentKey = Buffer.concat([unwrap.update(bytes(key)), unwrap.final()]);
  const decipher = createDecipheriv('aes-256-gcm', contentKey, bytes(iv)).setAAD(Buffer.from(header));
  decipher.setAuthTag(bytes(tag));
  return Buffer.concat([decipher.update(bytes(text)), decipher.final()]).toString();
}

test.each<[PasswordAlgorithm, { hash: string; bits: number }]>([
  ['PBES2-HS256+A128KW', { hash: 'sha256', bits: 128 }],
  ['PBES2-HS512+A256KW', { hash: 'sha512', bits: 256 }],
])('a text under %s opens with a key of 600,000 rounds, also elsewhere', async (alg, derivation) => {
  const password = new Secret(PASSWORD);
  const jwe = await encryptWithPassword('the text', password, { alg, cty: 'json' });
  expect(decrypted(jwe, derivation)).toBe('the text');
  expect(await decryptWithPassword(jwe, password, [alg])).toBe('the text');
  expect(await decryptWithPassword(jwe, new Secret('a guess'), [alg])).toBeUndefined();
});
