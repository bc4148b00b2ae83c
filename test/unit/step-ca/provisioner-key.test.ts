import { inspect } from 'node:util';
import { Secret } from '../../../runtime/lib/secret.ts';
import { createProvisioner, TokenSigner, withNewPassword } from '../../../runtime/step-ca/one-time-token.ts';
import { findProvisioner, ProvisionerKey } from '../../../runtime/step-ca/provisioner-key.ts';

const password = new Secret('right');
const next = new Secret('the next one');
const first = await createProvisioner('autocert', password);
const second = await createProvisioner('autocert', password);
const replaced = await createProvisioner('autocert', next);
const ca = (...list: (typeof first)[]) => ({ provisioners: async () => list });

/** How often a key is opened, which is what takes computing. */
const opened = () => {
  let count = 0;
  const open = TokenSigner.open;
  TokenSigner.open = (...args) => {
    count += 1;
    return open.apply(TokenSigner, args);
  };
  return {
    count: () => count,
    [Symbol.dispose]: () => {
      TokenSigner.open = open;
    },
  };
};

test('a provisioner that is not there is named, with those that are', async () => {
  await expect(findProvisioner(ca(first), 'admin')).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: 'provisioner: the CA has no JWK provisioner "admin", it has "autocert"',
  });
});

test('the key is opened once, and again only when the CA has another one', async () => {
  const key = new ProvisionerKey();
  const signer = await key.refresh(ca(first), 'autocert', [password]);
  expect(await key.refresh(ca(first), 'autocert', [password])).toBe(signer);
  const other = await key.refresh(ca(second), 'autocert', [password]);
  expect(other.kid).toBe(second.key.kid);
  expect(await key.refresh(ca(second), 'autocert', [password])).toBe(other);
});

test('the key that is open stays in use while the CA has it, also when its password is gone', async () => {
  const key = new ProvisionerKey();
  const signer = await key.refresh(ca(first), 'autocert', [password]);
  expect(await key.refresh(ca(first), 'autocert', [next])).toBe(signer);
  expect((await key.refresh(ca(replaced), 'autocert', [next])).kid).toBe(replaced.key.kid);
});

test('a wrong password is said to be one where another key is to be opened, and the open one stays at hand', async () => {
  const key = new ProvisionerKey();
  const signer = await key.refresh(ca(first), 'autocert', [password]);
  await expect(key.refresh(ca(second), 'autocert', [new Secret('wrong')])).rejects.toMatchObject({
    code: 'WRONG_PASSWORD',
  });
  expect(await key.refresh(ca(first), 'autocert', [password])).toBe(signer);
});

describe('while one password replaces the other', () => {
  test('the current one is tried first, and the next one opens the new key at the cost of one more opening', async () => {
    const key = new ProvisionerKey();
    using counter = opened();
    const old = await key.refresh(ca(first), 'autocert', [password, next]);
    expect(counter.count()).toBe(1);
    expect(await key.refresh(ca(replaced), 'autocert', [password, next])).not.toBe(old);
    expect(counter.count()).toBe(3);
  });

  test('no step costs an opening, but for the new key', async () => {
    const key = new ProvisionerKey();
    const old = await key.refresh(ca(first), 'autocert', [password]);
    expect(await key.refresh(ca(first), 'autocert', [password, next])).toBe(old);
    const fresh = await key.refresh(ca(replaced), 'autocert', [password, next]);
    using counter = opened();
    expect(await key.refresh(ca(replaced), 'autocert', [password, next])).toBe(fresh);
    expect(await key.refresh(ca(replaced), 'autocert', [next])).toBe(fresh);
    expect(counter.count()).toBe(0);
  });

  test('that neither of them opens the key is said, without either', async () => {
    const key = new ProvisionerKey();
    const refusal = key.refresh(ca(first), 'autocert', [next, new Secret('another')]);
    await expect(refusal).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: 'the password does not open the key of provisioner "autocert"',
    });
  });

  test('nothing that is kept prints a password', async () => {
    const key = new ProvisionerKey();
    await key.refresh(ca(replaced), 'autocert', [password, next]);
    expect(inspect(key, { depth: 5, showHidden: true })).not.toContain(next.reveal());
    expect(JSON.stringify(key)).not.toContain(next.reveal());
  });
});

test('a provisioner under a new password has the same key, and opens with nothing else', async () => {
  const changed = await withNewPassword({ ...first, claims: { maxTLSCertDuration: '48h' } }, password, next);
  expect(changed).toMatchObject({ name: 'autocert', key: first.key, claims: { maxTLSCertDuration: '48h' } });
  expect((await TokenSigner.open(changed, next)).kid).toBe(first.key.kid);
  await expect(TokenSigner.open(changed, password)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
  await expect(withNewPassword(changed, password, next)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
});
