import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { type BackupFlags, backup, type RestoreFlags, restore } from '../../../runtime/cli/backup.ts';
import { addSecretCommands } from '../../../runtime/cli/pki-secrets.ts';
import { rotatePassword, rotateProvisioner } from '../../../runtime/cli/rotate-secrets.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { PkiStore } from '../../support/pki-in-cluster.ts';

let original: PkiStore;
beforeAll(async () => {
  original = await PkiStore.make();
});

let dir: string;
let store: PkiStore;
let said: string[];
let printed: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-backup-'));
  writeFileSync(at('passphrase'), 'correct horse battery\n');
  store = original.copy();
  said = [];
  printed = '';
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string) => join(dir, name);
const ports = () => ({
  connect: () => store,
  print: (text: string) => {
    printed += text;
  },
  say: (line: string) => void said.push(line),
});
const flags = { out: '', namespace: 'step', plain: false, passphraseFile: '' };
const save = (options: Partial<BackupFlags> = {}) =>
  backup({ ...flags, out: at('pki.backup'), passphraseFile: at('passphrase'), ...options }, ports());
const savePlain = (out = at('pki.json')) => backup({ out, namespace: 'step', plain: true }, ports());
const bring = (options: Partial<RestoreFlags> = {}, file = 'pki.backup') =>
  restore(at(file), { force: false, plain: false, passphraseFile: at('passphrase'), ...options }, ports());
const bringPlain = (options: Partial<RestoreFlags> = {}) =>
  restore(at('pki.json'), { force: false, plain: true, ...options }, ports());

const expectNothingSecretSaid = () => {
  const text = said.join('\n');
  expect(text).not.toBe('');
  for (const secret of [...original.secrets(), ...store.secrets(), 'correct horse battery']) {
    expect(text).not.toContain(secret);
  }
};

describe('autocert pki backup', () => {
  test('makes a file that its owner alone can read, and nothing else', async () => {
    await save();
    expect(readdirSync(dir).sort()).toEqual(['passphrase', 'pki.backup']);
    expect(statSync(at('pki.backup')).mode & 0o777).toBe(0o600);
    for (const secret of store.secrets()) expect(readFileSync(at('pki.backup'), 'utf8')).not.toContain(secret);
    expect(said.at(-1)).toContain('secret/ca-root-key');
    expectNothingSecretSaid();
  });

  test('never overwrites a file', async () => {
    writeFileSync(at('pki.backup'), 'older');
    await expect(save()).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('exists') });
    expect(readFileSync(at('pki.backup'), 'utf8')).toBe('older');
  });

  test('leaves nothing behind when it cannot write', async () => {
    await expect(save({ out: at('missing/pki.backup') })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(readdirSync(dir)).toEqual(['passphrase']);
  });

  test('that is plain says so, and is what kubectl applies', async () => {
    await savePlain();
    expect(said.join('\n')).toContain('NOT encrypted');
    expect(JSON.parse(readFileSync(at('pki.json'), 'utf8')).kind).toBe('List');
    expect(statSync(at('pki.json')).mode & 0o777).toBe(0o600);
  });

  test('to standard output has what people read elsewhere', async () => {
    await savePlain('-');
    expect(JSON.parse(printed).items).toHaveLength(6);
    expect(readdirSync(dir)).toEqual(['passphrase']);
    expectNothingSecretSaid();
  });

  test('says what the backup lacks, and saves the rest', async () => {
    store.deleteSecret('ca-root-key');
    store.deleteSecret('ca-password');
    await savePlain('-');
    expect(said.join('\n')).toContain('secret/ca-password is missing');
    expect(said.join('\n')).toContain("the root's key is not in the cluster");
    expect(JSON.parse(printed).items).toHaveLength(4);
  });

  test('takes a passphrase or none at all', async () => {
    await expect(save({ plain: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('autocert pki restore', () => {
  const empty = () => {
    store = new PkiStore();
  };

  test('brings back what was saved, and tells the fingerprint', async () => {
    await save();
    empty();
    await bring();
    expect(store.secret('ca-root-key', 'root_ca_key')).toBe(original.secret('ca-root-key', 'root_ca_key'));
    expect(said.join('\n')).toMatch(/fingerprint of the root certificate: [0-9a-f]{64}\n/);
    expectNothingSecretSaid();
  });

  test('takes a plain file where that was asked for', async () => {
    await savePlain();
    empty();
    await bringPlain();
    expect(store.secret('ca-password', 'password')).toBe(original.secret('ca-password', 'password'));
  });

  test.each([
    ['with a passphrase', () => bring({}, 'pki.json'), /give --plain in place of --passphrase-file$/],
    ['with a passphrase and --plain', () => bring({ plain: true }, 'pki.json'), /in place of --passphrase-file$/],
    ['without either', () => bringPlain({ plain: false }), /pki\.json is not encrypted, so anybody .*give --plain$/],
  ])('refuses a plain file %s, and writes nothing', async (_, run, message) => {
    await savePlain();
    empty();
    await expect(run()).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
    expect(store.writes).toEqual([]);
  });

  test('says which file it could not open', async () => {
    await save();
    writeFileSync(at('passphrase'), 'another passphrase');
    await expect(bring()).rejects.toMatchObject({
      code: 'WRONG_PASSWORD',
      message: `${at('pki.backup')}: the passphrase does not open this file, or the file was changed`,
    });
  });

  test('refuses a file of more than a mebibyte unread', async () => {
    writeFileSync(at('pki.backup'), '{'.repeat((1 << 20) + 1));
    await expect(bring()).rejects.toMatchObject({ message: expect.stringContaining('larger than 1048576 bytes') });
  });

  test('says what is to be restarted after another root was replaced', async () => {
    await savePlain();
    store = await PkiStore.make();
    await bringPlain({ force: true });
    expect(said.join('\n')).toContain('kubectl -n step rollout restart deployment');
  });
});

describe('the rights that are missing are named', () => {
  const forbid = (path: string) => store.failures.set(path, apiError(403, 'Forbidden', 'no'));

  test.each<[string, () => Promise<void>, string]>([
    ['backup', () => savePlain(), 'the verb get for secrets'],
    ['password', () => rotatePassword({ namespace: 'step', rootKeyElsewhere: false }, () => store), 'get and update'],
    [
      'provisioner',
      () => rotateProvisioner({ namespace: 'step', name: 'autocert', wait: '0s' }, () => store),
      'update',
    ],
  ])('by %s', async (_, run, rights) => {
    for (const name of ['ca-password', 'autocert-password']) forbid(`/api/v1/namespaces/step/secrets/${name}`);
    await expect(run()).rejects.toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining(rights) });
  });

  test('by restore', async () => {
    await savePlain();
    forbid('/api/v1/namespaces/step/secrets/ca-password');
    await expect(bringPlain()).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('get, create, update and delete'),
    });
  });
});

describe('rotations say', () => {
  const say = (line: string) => void said.push(line);

  test('where the new password of the CA is, not what it is', async () => {
    await rotatePassword({ namespace: 'step', rootKeyElsewhere: false }, () => store, say);
    expect(said.at(-1)).toContain('kubectl -n step get secret ca-password');
    expectNothingSecretSaid();
  });

  test('the same of autocert', async () => {
    await rotateProvisioner({ namespace: 'step', name: 'autocert', wait: '0s' }, () => store, say);
    expect(said.at(-1)).toContain('kubectl -n step get secret autocert-password');
    expectNothingSecretSaid();
  });

  test.each([
    ['a namespace that cannot be one', { namespace: '../x', name: 'autocert', wait: '0s' }, '--namespace "../x"'],
    ['a wait that is no duration', { namespace: 'step', name: 'autocert', wait: 'soon' }, '"soon" is not a duration'],
  ])('%s', async (_, wrong, message) => {
    await expect(rotateProvisioner(wrong, () => store)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message),
    });
  });
});

test('the commands are there, each with its help', () => {
  const pki = new Command('pki');
  addSecretCommands(pki);
  expect(pki.commands.map((command) => command.name())).toEqual(['password', 'provisioner', 'backup', 'restore']);
  for (const command of pki.commands) expect(command.description()).not.toBe('');
});
