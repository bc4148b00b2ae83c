import { Secret } from '../../../runtime/lib/secret.ts';
import { createProvisioner } from '../../../runtime/step-ca/one-time-token.ts';
import { findProvisioner, ProvisionerKey } from '../../../runtime/step-ca/provisioner-key.ts';

const password = new Secret('right');
const first = await createProvisioner('autocert', password);
const second = await createProvisioner('autocert', password);
const ca = (...list: (typeof first)[]) => ({ provisioners: async () => list });

test('a provisioner that is not there is named, with those that are', async () => {
  await expect(findProvisioner(ca(first), 'admin')).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: 'provisioner: the CA has no JWK provisioner "admin", it has "autocert"',
  });
});

test('the key is opened once, and again only when the CA has another one', async () => {
  const key = new ProvisionerKey();
  const opened = await key.refresh(ca(first), 'autocert', password);
  expect(await key.refresh(ca(first), 'autocert', password)).toBe(opened);
  const other = await key.refresh(ca(second), 'autocert', password);
  expect(other.kid).toBe(second.key.kid);
  expect(await key.refresh(ca(second), 'autocert', password)).toBe(other);
});

test('a wrong password is said to be one, and the key that is open stays in use', async () => {
  const key = new ProvisionerKey();
  const opened = await key.refresh(ca(first), 'autocert', password);
  await expect(key.refresh(ca(first), 'autocert', new Secret('wrong'))).rejects.toMatchObject({
    code: 'WRONG_PASSWORD',
  });
  expect(await key.refresh(ca(first), 'autocert', password)).toBe(opened);
});
