import { Secret } from '../../../runtime/lib/secret.ts';
import { createIntermediate, createRoot } from '../../../runtime/pki/authorities.ts';
import { type CaSet, composeSet } from '../../../runtime/supervisor/ca-set.ts';
import { FollowedSet } from '../../../runtime/supervisor/followed-set.ts';
import type { CaInputs } from '../../../runtime/supervisor/inputs.ts';
import { createKey, encryptKey } from '../../../runtime/x509/private-key.ts';
import { quiet } from '../../support/logs.ts';

const password = new Secret('correct horse');
const now = new Date();

async function authority(name: string) {
  const key = await createKey();
  return { name, key, certificatePem: await createRoot({ name, key, now }) };
}

let root: Awaited<ReturnType<typeof authority>>;
let other: Awaited<ReturnType<typeof authority>>;
let good: CaInputs;
let next: Pick<CaInputs, 'key' | 'chains'>;

const intermediate = async (issuer: typeof root) => {
  const key = await createKey();
  const pem = await createIntermediate({ name: issuer.name, key, now }, issuer);
  return { key: encryptKey(key, password), chains: [pem] };
};

beforeAll(async () => {
  [root, other] = await Promise.all([authority('Old'), authority('Other')]);
  good = {
    template: { address: ':4443', federatedRoots: ['/anywhere/federated_root_1.crt'], authority: {} },
    provisioners: [{ name: 'a' }],
    names: undefined,
    roots: root.certificatePem,
    federatedRoots: new Map([['federated_root_1.crt', other.certificatePem]]),
    ...(await intermediate(root)),
    passwords: [password],
    dataSource: undefined,
  };
  next = await intermediate(root);
});

const contents = (set: CaSet) =>
  Object.fromEntries([...set.files('/sets/1')].map(([name, text]) => [name, text.reveal()] as const));
const without = (pem: string) => pem.slice(0, 60);

describe('a set', () => {
  test("is what step-ca runs with, and its configuration names the set's own files", () => {
    const files = contents(composeSet(good));
    expect(JSON.parse(files['ca.json'] ?? '')).toEqual({
      address: ':4443',
      root: '/sets/1/root_ca.crt',
      federatedRoots: ['/sets/1/federated_root_1.crt'],
      crt: '/sets/1/intermediate_ca.crt',
      key: '/sets/1/intermediate_ca_key',
      authority: { provisioners: [{ name: 'a' }] },
    });
    expect(files['federated_root_1.crt']).toBe(other.certificatePem);
    expect(files.password).toBe('correct horse');
  });

  test('names a key that is in a KMS, and has neither key nor password then', () => {
    const template = { ...good.template, key: 'awskms:key-id=1', kms: { type: 'awskms' } };
    const files = contents(composeSet({ ...good, template, key: undefined, passwords: [] }));
    expect(JSON.parse(files['ca.json'] ?? '')).toMatchObject({ key: 'awskms:key-id=1', kms: { type: 'awskms' } });
    expect(files).not.toHaveProperty('intermediate_ca_key');
    expect(files.password).toBe('');
  });

  test('with a key in a KMS still has a chain to one of the roots', () => {
    const inputs = { ...good, template: { key: 'awskms:key-id=1' }, key: undefined };
    expect(() => composeSet({ ...inputs, roots: other.certificatePem })).toThrow('was issued by none of');
  });

  test('is the same for the same contents, and another for any other', () => {
    const { id } = composeSet(good);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(composeSet({ ...good }).id).toBe(id);
    const others: Partial<CaInputs>[] = [
      next,
      { dataSource: new Secret('x') },
      { provisioners: [] },
      { federatedRoots: new Map() },
      { roots: root.certificatePem + other.certificatePem },
    ];
    const ids = others.map((change) => composeSet({ ...good, ...change }).id);
    expect(new Set([id, ...ids]).size).toBe(others.length + 1);
  });

  test('has the password that opens the key, whichever of two it is', () => {
    const passwords = [new Secret('of the next key\n'), new Secret('correct horse\n')];
    expect(contents(composeSet({ ...good, passwords })).password).toBe('correct horse');
  });

  test("takes the chain of the key's Secret, and that of the ConfigMap where the first does not fit", () => {
    const stale = next.chains[0] ?? '';
    const own = good.chains[0] ?? '';
    for (const chains of [
      [own, stale],
      [stale, own],
      ['', own],
    ]) {
      expect(contents(composeSet({ ...good, chains }))['intermediate_ca.crt']).toBe(own);
    }
  });

  test('has an intermediate of a root that is not in the list yet, if the certificate behind it leads to one', async () => {
    const cross = await createIntermediate({ name: other.name, key: other.key, now }, root);
    const { key, chains } = await intermediate({ ...other, certificatePem: cross });
    expect(() => composeSet({ ...good, key, chains })).toThrow('was issued by none of the certificates');
    const chain = chains[0] + cross;
    expect(contents(composeSet({ ...good, key, chains: [chain] }))['intermediate_ca.crt']).toBe(chain);
  });

  test.each<readonly [string, () => Partial<CaInputs>, string]>([
    ['a key that is newer than its certificate', () => ({ key: next.key }), 'intermediate_ca.crt is not of the key'],
    [
      'a certificate that is newer than its key',
      () => ({ chains: next.chains }),
      'intermediate_ca.crt is not of the key',
    ],
    [
      'another password',
      () => ({ passwords: [new Secret('wrong')] }),
      'the password does not open intermediate_ca_key',
    ],
    ['no password', () => ({ passwords: [] }), 'there is no password for intermediate_ca_key'],
    [
      'roots of another PKI',
      () => ({ roots: other.certificatePem }),
      'was issued by none of the certificates in root_ca',
    ],
    ['no root', () => ({ roots: '' }), 'root_ca.crt has 0 certificates in it: it takes 1 to 20, PEM'],
    [
      'more roots than anybody has',
      () => ({ roots: root.certificatePem.repeat(21) }),
      'root_ca.crt has 21 certificates',
    ],
    [
      'half a certificate',
      () => ({ chains: [without(good.chains[0] ?? '')] }),
      'intermediate_ca.crt has 0 certificates',
    ],
    ['a key that is none', () => ({ key: new Secret('noise') }), 'intermediate_ca_key is not a private key in PEM'],
    ['two provisioners of one name', () => ({ provisioners: [{ name: 'a' }, { name: 'a' }] }), 'is there twice'],
  ])('is not made of %s, and no secret is in the words', (_what, change, message) => {
    const compose = () => composeSet({ ...good, ...change() });
    expect(compose).toThrow(message);
    expect(compose).not.toThrow(/correct horse|PRIVATE KEY|noise/);
  });

  test('does not print its secrets', () => {
    expect(JSON.stringify([...composeSet(good).files('/')])).not.toMatch(/correct horse|BEGIN/);
  });
});

describe('what is followed', () => {
  test('is the newest set that fits: what does not fit yet changes nothing, and is told', () => {
    let inputs = good;
    const followed = new FollowedSet(() => inputs, quiet);
    expect(followed.current).toBeUndefined();
    followed.look();
    const first = followed.current;
    inputs = { ...good, key: next.key };
    followed.look();
    followed.look();
    expect(followed.current).toBe(first);
    expect(followed.problem).toContain('is not of the key');
    inputs = { ...good, ...next };
    followed.look();
    expect(followed.current?.id).not.toBe(first?.id);
    expect(followed.problem).toBeUndefined();
  });

  test('may be unreadable for a while', () => {
    let unreadable = false;
    const read = () => {
      if (unreadable) throw new Error('no file');
      return good;
    };
    const followed = new FollowedSet(read, quiet);
    followed.look();
    unreadable = true;
    followed.look();
    expect(followed.problem).toBe('no file');
    unreadable = false;
    followed.look();
    expect([followed.problem, followed.current?.id]).toEqual([undefined, composeSet(good).id]);
  });
});
