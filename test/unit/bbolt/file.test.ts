import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { checkFile, rewriteFile } from '../../../runtime/bbolt/file.ts';
import { fileOfTables, pagesWith, type Tables, tablesOf } from './database.ts';

let dir: string;
let source: string;
let target: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-bbolt-'));
  source = join(dir, 'db');
  target = join(dir, 'db.new');
});
afterEach(() => rmSync(dir, { recursive: true }));

const rows = (name: string, count: number, value = 'x'.repeat(100)) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}-${String(index).padStart(5, '0')}`, value]));
const TABLES: Tables = { certs: rows('cert', 2000), empty: {}, revoked: rows('revoked', 300), used: rows('used', 3) };
const put = (tables: Tables = TABLES) => writeFileSync(source, fileOfTables(tables));

test('a sound file: what its tables hold', async () => {
  put();
  const { problem, tables, bytes } = await checkFile(source);
  expect(problem).toBeUndefined();
  expect(bytes).toBe(statSync(source).size);
  expect(Object.fromEntries(tables)).toEqual({
    certs: { entries: 2000, bytes: 2000 * 110 },
    empty: { entries: 0, bytes: 0 },
    revoked: { entries: 300, bytes: 300 * 113 },
    used: { entries: 3, bytes: 330 },
  });
});

test('it is rewritten with what is kept, and with all its tables', async () => {
  put();
  const rewritten = await rewriteFile(source, target, (table, key) => table !== 'certs' && !key.includes('-00001'));
  expect(rewritten).toEqual({
    kept: 301,
    dropped: 2002,
    unreadablePages: 0,
    damagedTables: [],
    bytes: statSync(target).size,
  });
  expect(await checkFile(target)).toMatchObject({ bytes: rewritten.bytes });
  expect((await checkFile(target)).problem).toBeUndefined();
  const { certs, empty, revoked, used } = await tablesOf(target);
  expect([certs, empty, Object.keys(used ?? {})]).toEqual([{}, {}, ['used-00000', 'used-00002']]);
  expect(Object.keys(revoked ?? {})).toHaveLength(299);
  expect(rewritten.bytes).toBeLessThan(statSync(source).size / 3);
});

test('the target is for its owner only, and replaces one that is left from before', async () => {
  put();
  writeFileSync(target, 'left from before', { mode: 0o644 });
  await rewriteFile(source, target, () => true);
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(await tablesOf(target)).toEqual(await tablesOf(source));
});

test('an empty file is a database without tables, as bbolt has it', async () => {
  writeFileSync(source, '');
  expect(await checkFile(source)).toEqual({ tables: new Map(), bytes: 0 });
  expect(await rewriteFile(source, target, () => true)).toMatchObject({ kept: 0, bytes: 4 * 4096 });
  expect((await checkFile(target)).problem).toBeUndefined();
});

describe('what cannot be opened or written is an error', () => {
  const unavailable = (message: string) => expect.objectContaining({ code: 'UNAVAILABLE', message });

  test('a source that is not there, or no file', async () => {
    await expect(checkFile(source)).rejects.toEqual(unavailable(`cannot open the database ${source}`));
    mkdirSync(source);
    await expect(rewriteFile(source, target, () => true)).rejects.toEqual(
      unavailable(`cannot open the database ${source}`),
    );
  });

  test('a target in no folder', async () => {
    put();
    const nowhere = join(dir, 'no', 'folder');
    await expect(rewriteFile(source, nowhere, () => true)).rejects.toEqual(
      unavailable(`cannot write the database ${nowhere}`),
    );
  });

  test('a target that is the source, by any name', async () => {
    put();
    symlinkSync(source, target);
    const before = readFileSync(source);
    await expect(rewriteFile(source, target, () => true)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(readFileSync(source).equals(before)).toBe(true);
  });

  test('a target that cannot grow any more: it is removed, the source is as it was', async () => {
    put();
    const before = readFileSync(source);
    const module = resolve('runtime/bbolt/file.ts');
    const script = `import { rewriteFile } from ${JSON.stringify(module)};
      await rewriteFile(...process.argv.slice(1), () => true).catch((error) => console.log(error.code, error.cause.code));`;
    // The limit of the size of a file, in blocks of 512 bytes.
    const limited = `trap '' XFSZ; ulimit -f 100; exec "$0" "$@"`;
    const args = ['-c', limited, process.execPath, '--input-type=module', '-e', script, '--', source, target];
    const { stdout } = await promisify(execFile)('sh', args);
    expect(stdout).toBe('UNAVAILABLE EFBIG\n');
    expect(readdirSync(dir)).toEqual(['db']);
    expect(readFileSync(source).equals(before)).toBe(true);
  });

  test('what throws in the midst, such as the rule, leaves no target', async () => {
    put();
    const rule = (_table: string, key: Buffer) => {
      if (key.includes('01234')) throw new Error('no rule for it');
      return true;
    };
    await expect(rewriteFile(source, target, rule)).rejects.toThrow('no rule for it');
    expect(existsSync(target)).toBe(false);
  });

  test('a signal ends the work', async () => {
    put();
    const stop = new AbortController();
    const rewriting = rewriteFile(source, target, () => true, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(rewriting).rejects.toThrow('enough');
    await expect(checkFile(source, { signal: stop.signal })).rejects.toThrow('enough');
    expect(existsSync(target)).toBe(false);
  });
});

test('the event loop goes on meanwhile', async () => {
  put({ certs: rows('cert', 20_000) });
  let turns = 0;
  const turn = () => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  await checkFile(source);
  clearImmediate(next);
  expect(turns).toBeGreaterThan(10);
});

test('pages of one table lie in one file with those of another', () => {
  // The tests of damage depend on it.
  expect(pagesWith(fileOfTables(TABLES), 'revoked-').length).toBeGreaterThan(5);
});
