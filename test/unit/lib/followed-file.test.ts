import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FollowedFile } from '../../../runtime/lib/followed-file.ts';
import { object, port, readJsonFile } from '../../../runtime/lib/validator.ts';

let folder: string;
let file: string;
let lines: { message: string; fields: object }[];
const note = (fields: object, message: string) => void lines.push({ fields, message });
const log = { info: note, warn: note, error: note };
const read = (name: string) => readJsonFile(name, object({ port })) as { port: number };
const follow = () => new FollowedFile(file, read, log);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'autocert-followed-'));
  file = join(folder, 'config.json');
  lines = [];
  writeFileSync(file, '{"port": 1}');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

test('a bad file at the start is an error: there is nothing to go on with', () => {
  writeFileSync(file, '{"port": "none"}');
  expect(follow).toThrow(/port: must be a port/);
});

test('a change is taken over, and told', () => {
  const followed = follow();
  expect(followed.current).toEqual({ port: 1 });
  expect(followed.refresh()).toBe(false);
  writeFileSync(file, '{"port": 2}');
  expect(followed.refresh()).toBe(true);
  expect(followed.current).toEqual({ port: 2 });
  expect(followed.refresh()).toBe(false);
  expect(lines.map(({ message }) => message)).toEqual(['configuration taken over']);
});

test('a bad file leaves the last good content in use, and is told once for each content', () => {
  const followed = follow();
  for (const text of ['{', '{', '{"port": "x"}', '{"port": "x"}']) {
    writeFileSync(file, text);
    expect(followed.refresh()).toBe(false);
    expect(followed.current).toEqual({ port: 1 });
  }
  expect(lines).toHaveLength(2);
  expect(lines[1]?.fields).toMatchObject({ file, reason: expect.stringContaining('port: must be a port') });
});

test('a bad file that is good again counts as unchanged', () => {
  const followed = follow();
  writeFileSync(file, '{');
  followed.refresh();
  writeFileSync(file, '{"port": 1}');
  expect(followed.refresh()).toBe(false);
  writeFileSync(file, '{');
  followed.refresh();
  expect(lines).toHaveLength(2);
});

test('a file that is gone for a moment does no harm', () => {
  const followed = follow();
  rmSync(file);
  expect(followed.refresh()).toBe(false);
  expect(followed.refresh()).toBe(false);
  expect(followed.current).toEqual({ port: 1 });
  expect(lines).toHaveLength(1);
  writeFileSync(file, '{"port": 3}');
  expect(followed.refresh()).toBe(true);
});

test('a volume of a ConfigMap is followed, which swaps a link', () => {
  const put = (version: string, text: string) => {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'config.json'), text);
    symlinkSync(version, join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
  };
  put('..1', '{"port": 1}');
  rmSync(file);
  symlinkSync(join('..data', 'config.json'), file);
  const followed = follow();
  put('..2', '{"port": 2}');
  expect(followed.refresh()).toBe(true);
  expect(followed.current).toEqual({ port: 2 });
});
