import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assertRoomForFiles,
  type CertificateSet,
  readCertificateFiles,
  replaceCertificateFiles,
} from '../../../runtime/agent/certificate-files.ts';
import { Secret } from '../../../runtime/lib/secret.ts';

let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'autocert-files-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

const set = (id: string): CertificateSet => ({
  certificate: `certificate ${id}`,
  key: new Secret(`key ${id}`),
  roots: `roots ${id}`,
  anchors: `anchors ${id}`,
  notAfter: new Date('2026-06-02T12:00:00Z'),
  obtainedAt: new Date('2026-06-01T12:00:00.123Z'),
});
const contents = (name: string) => fs.readFileSync(join(dir, name), 'utf8');
const modeOf = (name: string) => (fs.statSync(join(dir, name)).mode & 0o777).toString(8);
const generations = () => fs.readdirSync(dir).filter((name) => name.startsWith('..set-'));

test('writes the three files that applications read', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  expect(['site.crt', 'site.key', 'root.crt'].map(contents)).toEqual(['certificate 1', 'key 1', 'roots 1']);
});

test('reads back what was written; nothing when there is nothing, or a file is missing', () => {
  expect(readCertificateFiles(dir)).toBeUndefined();
  replaceCertificateFiles(dir, set('1'), 0o600);
  expect(readCertificateFiles(dir)).toEqual(set('1'));
  expect(readCertificateFiles(dir)?.key.reveal()).toBe('key 1');
  const replacing = { ...set('2'), replaces: new Date('2026-06-01T11:00:00Z') };
  replaceCertificateFiles(dir, replacing, 0o600);
  expect(readCertificateFiles(dir)).toEqual(replacing);
});

test.each(['site.crt', 'site.key', 'root.crt', '.anchors.crt', '.about'])('a set without %s is none', (name) => {
  replaceCertificateFiles(dir, set('1'), 0o600);
  fs.rmSync(join(dir, '..data', name));
  expect(readCertificateFiles(dir)).toBeUndefined();
});

test('the expiry is there for a shell: seconds since 1970', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  expect(contents('..data/.about').split('\n')).toContain('notAfter=1780401600');
});

describe('room for a set', () => {
  test('is proven without leaving anything behind', () => {
    assertRoomForFiles(dir);
    expect(fs.readdirSync(dir)).toEqual([]);
  });

  test.each([
    ['a folder that is not there', () => join(dir, 'missing')],
    ['a folder that is none', () => join(dir, 'file')],
  ])('is not in %s', (_, path) => {
    fs.writeFileSync(join(dir, 'file'), '');
    expect(() => assertRoomForFiles(path())).toThrow(/ENOENT|ENOTDIR/);
  });
});

test('gives each file the mode that was asked for, whatever the umask', () => {
  const before = process.umask(0o077);
  try {
    replaceCertificateFiles(dir, set('1'), 0o644);
    expect(['site.crt', 'site.key', 'root.crt'].map(modeOf)).toEqual(['644', '644', '644']);
    replaceCertificateFiles(dir, set('2'), 0o600);
    expect(['site.crt', 'site.key', 'root.crt'].map(modeOf)).toEqual(['600', '600', '600']);
  } finally {
    process.umask(before);
  }
});

test('the links are relative, so that they hold wherever the volume is mounted', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  expect(fs.readlinkSync(join(dir, 'site.crt'))).toBe('..data/site.crt');
  expect(fs.readlinkSync(join(dir, '..data'))).toMatch(/^\.\.set-/);
});

test('replaces plain files and stray links of the same names', () => {
  fs.writeFileSync(join(dir, 'site.crt'), 'old');
  fs.symlinkSync('/nowhere', join(dir, '..new-..data'));
  replaceCertificateFiles(dir, set('1'), 0o644);
  expect(contents('site.crt')).toBe('certificate 1');
});

test('keeps the set before for readers under way, and removes all older ones', () => {
  for (const id of ['1', '2', '3', '4']) replaceCertificateFiles(dir, set(id), 0o644);
  expect(generations()).toHaveLength(2);
  expect(contents('site.key')).toBe('key 4');
});

test('a set half written by a crash is never seen, and cleaned up by the next one', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  fs.mkdirSync(join(dir, '..set-crashed'));
  fs.writeFileSync(join(dir, '..set-crashed', 'site.crt'), 'half');
  expect(readCertificateFiles(dir)?.certificate).toBe('certificate 1');
  replaceCertificateFiles(dir, set('2'), 0o644);
  expect(fs.existsSync(join(dir, '..set-crashed'))).toBe(false);
});

test('when writing fails, the set before stays and nothing is left behind', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  // A folder where the temporary link must go: the swap cannot happen.
  fs.mkdirSync(join(dir, '..new-..data'));
  expect(() => replaceCertificateFiles(dir, set('2'), 0o644)).toThrow();
  expect(readCertificateFiles(dir)?.certificate).toBe('certificate 1');
  expect(generations()).toHaveLength(1);
});

test('a folder that is not there is an error, not a set', () => {
  expect(() => replaceCertificateFiles(join(dir, 'missing'), set('1'), 0o644)).toThrow(/ENOENT/);
  expect(readCertificateFiles(join(dir, 'missing'))).toBeUndefined();
});

test('refuses to read a file of absurd size', () => {
  replaceCertificateFiles(dir, set('x'.repeat(1024 * 1024 + 1)), 0o644);
  expect(() => readCertificateFiles(dir)).toThrow(/site.crt: larger than 1048576 bytes/);
});

test('the key does not print', () => {
  replaceCertificateFiles(dir, set('1'), 0o644);
  expect(JSON.stringify(readCertificateFiles(dir))).not.toContain('key 1');
});

describe('a reader in another process', () => {
  /** Reads key and certificate of one set, over and over; ends with the number of reads, or with what did not match. */
  const READER = `
    const fs = require('node:fs');
    const dir = process.argv[1];
    let reads = 0;
    process.stdin.on('data', () => { console.log(reads); process.exit(0); });
    const read = () => {
      try {
        const set = fs.realpathSync(dir + '/..data');
        const ids = ['site.crt', 'site.key', 'root.crt'].map((name) => fs.readFileSync(set + '/' + name, 'utf8').split(' ').at(-1));
        if (new Set(ids).size !== 1) { console.log('mismatch', ids); process.exit(1); }
        reads += 1;
      } catch (error) {
        // Only a reader that slept through two replacements may find its set gone.
        if (error.code !== 'ENOENT') throw error;
      }
      setImmediate(read);
    };
    read();
    process.stdout.write('started ');
  `;

  test('never sees a key beside the certificate of another set, during 1000 replacements', async () => {
    replaceCertificateFiles(dir, set('0'), 0o644);
    const reader = spawn(process.execPath, ['-e', READER, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    reader.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await once(reader.stdout, 'data');
    for (let id = 1; id <= 1_000; id += 1) replaceCertificateFiles(dir, set(String(id)), 0o644);
    reader.stdin.write('end');
    const [code] = await once(reader, 'close');
    expect([code, output]).toEqual([0, expect.stringMatching(/^started [1-9]\d*\n$/)]);
    expect(contents('site.key')).toBe('key 1000');
    expect(generations()).toHaveLength(2);
  });
});
