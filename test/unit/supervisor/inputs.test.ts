import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../runtime/lib/secret.ts';
import type { CaSet } from '../../../runtime/supervisor/ca-set.ts';
import { readSupervisorConfig } from '../../../runtime/supervisor/config.ts';
import { digestOf, readInputs } from '../../../runtime/supervisor/inputs.ts';
import { SetStore } from '../../../runtime/supervisor/set-store.ts';

let dir: string;
const path = (name: string) => join(dir, name);
const put = (name: string, content: string) => fs.writeFileSync(path(name), content);
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'autocert-inputs-'));
  for (const name of ['certs', 'secrets', 'out']) fs.mkdirSync(path(name));
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

describe('what is mounted', () => {
  const read = (dataSource?: string) =>
    readInputs({
      template: path('ca.json'),
      provisioners: path('provisioners.json'),
      certificates: path('certs'),
      secrets: path('secrets'),
      ...(dataSource !== undefined && { dataSource: path(dataSource) }),
    });
  beforeEach(() => {
    put('ca.json', '{"federatedRoots":["/home/step/.step/certs/federated_root_1.crt"]}');
    put('provisioners.json', '[{"name":"a"}]');
    put('certs/root_ca.crt', 'root');
    put('certs/intermediate_ca.crt', 'chain of the ConfigMap');
    put('certs/federated_root_1.crt', 'federated');
    put('secrets/intermediate_ca_key', 'key');
    put('secrets/password', 'one');
  });

  test('is read from its files', () => {
    const { chains, passwords, federatedRoots, dataSource } = read();
    expect(chains).toEqual(['chain of the ConfigMap']);
    expect(passwords.map((each) => each.reveal())).toEqual(['one']);
    expect([...federatedRoots]).toEqual([['federated_root_1.crt', 'federated']]);
    expect(dataSource).toBeUndefined();
  });

  test("has the chain of the key's own Secret first, the next password last, and the data source", () => {
    put('secrets/intermediate_ca.crt', 'chain of the Secret');
    put('secrets/next-password', 'two');
    put('source', 'user:password@tcp(db)/\n');
    const { chains, passwords, dataSource } = read('source');
    expect(chains).toEqual(['chain of the Secret', 'chain of the ConfigMap']);
    expect(passwords.map((each) => each.reveal())).toEqual(['one', 'two']);
    expect(dataSource?.reveal()).toBe('user:password@tcp(db)/');
  });

  test('has no key where the template names one in a KMS, and waits for none', () => {
    put('ca.json', '{"key":"awskms:key-id=1"}');
    fs.rmSync(path('secrets/intermediate_ca_key'));
    fs.rmSync(path('secrets/password'));
    const { key, passwords, template } = read();
    expect([key, passwords, template.key]).toEqual([undefined, [], 'awskms:key-id=1']);
  });

  test('has the rules on names, or none where any may be signed', () => {
    const named = (file: string, content: string) => {
      put(file, content);
      const { certs: certificates, secrets } = { certs: path('certs'), secrets: path('secrets') };
      const inputs = { template: path('ca.json'), provisioners: path('provisioners.json'), certificates, secrets };
      return readInputs({ ...inputs, names: path(file) });
    };
    expect(read().names).toBeUndefined();
    expect(named('names.json', 'null').names).toBeUndefined();
    expect(() => named('names.json', '{"own":[]}')).toThrow('dns: must be a list');
  });

  test('has another digest when anything in it is another', () => {
    const digests = new Set([digestOf(read())]);
    for (const name of fs.globSync('{ca.json,{certs,secrets}/*}', { cwd: dir })) {
      const before = fs.readFileSync(path(name), 'utf8');
      put(name, name === 'ca.json' ? before.replace('{', '{"x":1,') : `${before}.`);
      digests.add(digestOf(read()));
    }
    expect(digests.size).toBe(7);
  });

  test.each([
    ['ca.json', 'not json', 'configuration DIR/ca.json: '],
    ['ca.json', '{"authority":[]}', 'authority: must be an object, got []'],
    ['provisioners.json', '{}', 'must be a list, got {}'],
    ['certs/root_ca.crt', 'x'.repeat(2_000_000), 'cannot read DIR/certs/root_ca.crt: larger than'],
  ])('is refused when %s is wrong, by its name', (name, content, message) => {
    put(name, content);
    expect(() => read()).toThrow(message.replace('DIR', dir));
  });

  test.each(['ca.json', 'provisioners.json', 'certs/root_ca.crt', 'secrets/intermediate_ca_key'])(
    'is refused when %s is missing, by its name',
    (name) => {
      fs.rmSync(path(name));
      expect(() => read()).toThrow(`cannot read ${path(name)}`);
    },
  );
});

describe('the sets of files', () => {
  const set = (id: string): CaSet => ({
    id,
    files: (folder) => new Map([['ca.json', new Secret(`${id} in ${folder}`)]]),
  });

  test('are switched as a whole, and step-ca finds the one that counts at one path', () => {
    const store = new SetStore(path('out'));
    expect(store.current).toBeUndefined();
    store.install(set('a'));
    store.install(set('b'), 'a');
    expect(store.current).toBe('b');
    const text = `b in ${path('out/sets/b')}`;
    for (const name of ['current/ca.json', 'ca.json']) expect(fs.readFileSync(path(`out/${name}`), 'utf8')).toBe(text);
    expect(fs.readdirSync(path('out/sets')).sort()).toEqual(['a', 'b']);
    store.select('a');
    expect(new SetStore(path('out')).current).toBe('a');
    store.install(set('c'));
    expect(fs.readdirSync(path('out/sets'))).toEqual(['c']);
  });

  test('are for their user alone', () => {
    new SetStore(path('out')).install(set('a'));
    expect(fs.statSync(path('out/sets/a')).mode & 0o777).toBe(0o700);
    expect(fs.statSync(path('out/sets/a/ca.json')).mode & 0o777).toBe(0o600);
  });

  test('of which one was not finished is written anew', () => {
    fs.mkdirSync(path('out/sets/a.new'), { recursive: true });
    put('out/sets/a.new/half', '');
    new SetStore(path('out')).install(set('a'));
    expect(fs.readdirSync(path('out/sets/a'))).toEqual(['ca.json']);
  });
});

test('the configuration is refused with every fault', () => {
  put('supervisor.json', '{"inputs":{"template":"x"},"caUrl":"http://x","port":9404,"restartSpreadSeconds":1e9}');
  const read = () => readSupervisorConfig(path('supervisor.json'));
  for (const fault of [
    'inputs.provisioners: must be',
    'out: must be',
    'caUrl: must be',
    'restartSpreadSeconds: must be',
  ]) {
    expect(read).toThrow(fault);
  }
});
