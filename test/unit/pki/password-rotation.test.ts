import { Secret } from '../../../runtime/lib/secret.ts';
import { type PasswordRotationOptions, rotateCaPassword } from '../../../runtime/pki/password-rotation.ts';
import { createProvisioner } from '../../../runtime/step-ca/one-time-token.ts';
import { createKey, encryptKey, openKey } from '../../../runtime/x509/private-key.ts';
import { PkiStore } from '../../support/pki-in-cluster.ts';

let original: PkiStore;
beforeAll(async () => {
  original = await PkiStore.make();
});

let store: PkiStore;
let said: string[];
beforeEach(() => {
  store = original.copy();
  said = [];
});

const run = (options: Partial<PasswordRotationOptions> = {}) =>
  rotateCaPassword(store.pki, { say: (line) => said.push(line), ...options });

const opens = (password: string, secret: string, file: string) => {
  openKey(new Secret(store.secret(secret, file) ?? ''), new Secret(password), secret);
};
const oldPassword = () => original.secret('ca-password', 'password') ?? '';
const newPassword = () => store.secret('ca-password', 'password') ?? '';

/** Everything is under the new password, and the old one is gone. */
async function expectRotated(): Promise<void> {
  expect(newPassword()).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(newPassword()).not.toBe(oldPassword());
  expect(store.secret('ca-password', 'next-password')).toBeUndefined();
  opens(newPassword(), 'ca-intermediate-key', 'intermediate_ca_key');
  opens(newPassword(), 'ca-root-key', 'root_ca_key');
  expect(await store.opening('admin', 'ca-password')).toBe(0);
  store.checkCaStarts();
}

test('keys and the provisioner admin get a new password; certificates, keys and autocert stay what they are', async () => {
  const certificates = store.secret('ca-intermediate-key', 'intermediate_ca.crt');
  await run();
  await expectRotated();
  expect(store.secret('ca-intermediate-key', 'intermediate_ca.crt')).toBe(certificates);
  expect(store.provisioner('admin').key).toEqual(original.provisioner('admin').key);
  expect(store.provisioner('autocert')).toEqual(original.provisioner('autocert'));
});

test('the new root of a rotation gets it, too', async () => {
  const key = encryptKey(await createKey(), new Secret(oldPassword())).reveal();
  const root = store.secret('ca-root-key', 'root_ca.crt') ?? '';
  store.setSecret('ca-next-root', { 'root_ca.crt': root, 'cross.crt': root, root_ca_key: key });
  await run();
  opens(newPassword(), 'ca-next-root', 'root_ca_key');
  expect(store.secret('ca-next-root', 'cross.crt')).toBe(root);
});

test("a provisioner with a password of its own keeps it; any other one under the CA's gets the new one", async () => {
  const own = await createProvisioner('own', new Secret('a password of its own'));
  const shared = await createProvisioner('shared', new Secret(oldPassword()));
  const acme = { type: 'ACME', name: 'acme' };
  const list = [original.provisioner('admin'), own, acme, shared, original.provisioner('autocert')];
  store.setSecret('ca-provisioners', { 'provisioners.json': JSON.stringify(list) });
  await run();
  expect(store.provisioner('own')).toEqual(own);
  expect(store.provisioner('acme')).toEqual(acme);
  expect(await store.opening('shared', 'ca-password')).toBe(0);
  await expectRotated();
});

describe('a CA can start at every moment,', () => {
  test('also where everything goes well', async () => {
    let writes = 0;
    store.afterWrite = () => {
      writes += 1;
      store.checkCaStarts();
    };
    await run();
    expect(writes).toBe(5);
  });

  test.each([0, 1, 2, 3, 4])(
    'and a run that was killed before write %d is completed by the next one',
    async (fatal) => {
      let count = 0;
      store.beforeWrite = () => {
        if (count++ === fatal) throw new Error('killed');
      };
      await expect(run()).rejects.toThrow('killed');
      store.checkCaStarts();
      expect(await store.opening('admin', 'ca-password')).not.toBe(-1);
      store.beforeWrite = () => {};
      await run();
      await expectRotated();
    },
  );

  test.each([0, 1, 2, 3])('and so is one that never heard of the success of write %d', async (fatal) => {
    let count = 0;
    store.afterWrite = () => {
      if (count++ === fatal) throw new Error('killed');
    };
    await expect(run()).rejects.toThrow('killed');
    store.checkCaStarts();
    store.afterWrite = () => {};
    await run();
    await expectRotated();
  });
});

test('two runs at a time end with one password', async () => {
  const outcomes = await Promise.allSettled([run(), run()]);
  expect(outcomes.map(({ status }) => status)).toContain('fulfilled');
  await expectRotated();
});

test('a key that the init Job made under the old password meanwhile gets the new one', async () => {
  const key = encryptKey(await createKey(), new Secret(oldPassword())).reveal();
  store.afterWrite = ({ path, body }) => {
    const isLast = path.endsWith('ca-password') && !('next-password' in (body as { data: object }).data);
    if (isLast) store.setSecret('ca-intermediate-key', { intermediate_ca_key: key });
  };
  await run();
  opens(newPassword(), 'ca-intermediate-key', 'intermediate_ca_key');
});

describe('nothing is changed', () => {
  const expectRefusal = async (error: object, options?: Partial<PasswordRotationOptions>) => {
    const before = structuredClone(store.objects);
    await expect(run(options)).rejects.toMatchObject(error);
    expect(store.objects).toEqual(before);
  };

  test('when a key does not open: it is named', async () => {
    const key = encryptKey(await createKey(), new Secret('other')).reveal();
    store.setSecret('ca-root-key', { root_ca_key: key });
    await expectRefusal({ code: 'WRONG_PASSWORD', message: expect.stringContaining('secret/ca-root-key') });
  });

  test("when the root's key is elsewhere, until somebody says that its password is saved", async () => {
    store.deleteSecret('ca-root-key');
    await expectRefusal({ code: 'INVALID_INPUT', message: expect.stringContaining('--root-key-elsewhere') });
    await run({ rootKeyElsewhere: true });
    opens(newPassword(), 'ca-intermediate-key', 'intermediate_ca_key');
  });

  test("when the new root's key is elsewhere, until somebody says that its password is saved", async () => {
    const root = store.secret('ca-root-key', 'root_ca.crt') ?? '';
    store.setSecret('ca-next-root', { 'root_ca.crt': root, 'cross.crt': root });
    await expectRefusal({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^secret\/ca-next-root has no root_ca_key.*--root-key-elsewhere$/),
    });
    await run({ rootKeyElsewhere: true });
    opens(newPassword(), 'ca-root-key', 'root_ca_key');
  });

  test.each(['ca-password', 'ca-intermediate-key', 'ca-provisioners'])('when %s is missing', async (name) => {
    store.deleteSecret(name);
    await expectRefusal({ code: 'INVALID_CONFIG', message: expect.stringContaining(`there is no secret/${name}`) });
  });

  test('when the provisioners are no list: nothing of them is quoted', async () => {
    store.setSecret('ca-provisioners', { 'provisioners.json': 'secret text' });
    await expectRefusal({ code: 'INVALID_CONFIG', message: expect.not.stringContaining('secret text') });
  });
});

test('nothing secret is said', async () => {
  let announced: string[] = [];
  store.afterWrite = () => {
    announced = [...announced, ...store.secrets()];
  };
  await run();
  const text = said.join('\n');
  const secrets = [...original.secrets(), ...announced];
  expect(secrets.length).toBeGreaterThan(20);
  for (const secret of secrets) expect(text).not.toContain(secret);
});
