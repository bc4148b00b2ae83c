import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Damage } from '../../../runtime/bbolt/damage.ts';
import { UnreadableError } from '../../../runtime/bbolt/disk.ts';
import { checkFile, rewriteFile } from '../../../runtime/bbolt/file.ts';
import { encodeMeta, PAGE_TYPE } from '../../../runtime/bbolt/format.ts';
import { readMetas } from '../../../runtime/bbolt/page-file.ts';
import { bucket, contentOf, fileOf, fileOfTables, memory, pagesWith, type Tables, tablesOf } from './database.ts';

let dir: string;
let source: string;
let target: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-bbolt-'));
  source = join(dir, 'db');
  target = join(dir, 'db.new');
});
afterEach(() => rmSync(dir, { recursive: true }));

const PAGE = 4096;
const rows = (name: string, count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `${name}-${String(index).padStart(5, '0')}`,
      `${name} ${index} `.repeat(9),
    ]),
  );
const TABLES: Tables = { certs: rows('cert', 1000), revoked: rows('revoked', 300), used: rows('used', 3) };
const SOUND = fileOfTables(TABLES);

/** Writes the sound file with a change. */
const put = (change: (file: Buffer) => unknown) => {
  const file = Buffer.from(SOUND);
  const changed = change(file);
  writeFileSync(source, Buffer.isBuffer(changed) ? changed : file);
};
const metaOf = (file: Buffer) => {
  const [meta] = readMetas(memory(file));
  if (!meta) throw new Error('no meta page');
  return meta;
};
const writeMetas = (file: Buffer, change: object) => {
  for (const transaction of [0n, 1n])
    encodeMeta({ ...metaOf(SOUND), ...change, transaction }).copy(file, Number(transaction) * PAGE);
};
const pageOf = (word: string, type?: number, index = 1) => {
  const page = pagesWith(SOUND, word, type)[index];
  if (page === undefined) throw new Error(`no page with ${word}`);
  return page;
};
const branchOfCerts = () => pageOf('cert-', PAGE_TYPE.branch, 0);
const lenient = { lenient: true } as const;
const all = () => true;

describe('damage is found, and named with its page', () => {
  const leaf = pageOf('revoked-');
  const inLeaf = (write: (page: Buffer) => unknown) => (file: Buffer) => {
    write(file.subarray(leaf * PAGE, (leaf + 1) * PAGE));
  };
  const named = `page ${leaf} \\(table revoked\\): `;

  test.each<[string, (file: Buffer) => unknown, string]>([
    ['a page of zeros', inLeaf((page) => page.fill(0)), `${named}its header has the number of another page`],
    ['a page of another place', inLeaf((page) => page.writeUInt32LE(leaf + 1, 0)), `${named}its header has the number`],
    ['a page of an unknown type', inLeaf((page) => page.writeUInt16LE(3, 8)), `${named}its type is 3, wanted 1 or 2`],
    [
      'too many elements',
      inLeaf((page) => page.writeUInt16LE(0xffff, 10)),
      `${named}it has 4096 bytes, too few for 65535`,
    ],
    [
      'pages beyond the end',
      inLeaf((page) => page.writeUInt32LE(0xffff_ffff, 12)),
      `${named}it goes on for 4294967295 pages`,
    ],
    ['pages of others', inLeaf((page) => page.writeUInt32LE(1, 12)), 'which is in use already|is in use already'],
    ['a key beyond the end', inLeaf((page) => page.writeUInt32LE(5000, 16 + 8)), `${named}element 0 points to 5000`],
    [
      'a value beyond the end',
      inLeaf((page) => page.writeUInt32LE(0xffff_ffff, 16 + 12)),
      `${named}element 0 points to 13 \\+ 4294967295`,
    ],
    ['no key', inLeaf((page) => page.writeUInt32LE(0, 16 + 8)), `${named}element 0 points to 0`],
    ['a gap', inLeaf((page) => page.writeUInt32LE(1, 16 + 12)), `${named}element 1 does not begin where`],
    [
      'bytes of another element',
      inLeaf((page) => page.writeUInt32LE(page.readUInt32LE(16 + 4) - 16, 32 + 4)),
      `${named}element 1 points to`,
    ],
    [
      'keys out of order',
      inLeaf((page) => page.write('00001', page.indexOf('revoked-') + 8)),
      `${named}key 0 does not belong`,
    ],
    [
      'a key twice',
      inLeaf((page) =>
        page.copy(page, page.indexOf('revoked-', 800), page.indexOf('revoked-'), page.indexOf('revoked-') + 13),
      ),
      `${named}key \\d+ `,
    ],
    ['a cut file', (file) => file.subarray(0, -1), 'page 0: the file has \\d+ bytes, and should have at least'],
    ['no meta page', (file) => file.fill(7, 0, 2 * PAGE), 'neither of its meta pages is valid'],
    ['something else', () => Buffer.from('{"not":"a database"}'), 'neither of its meta pages is valid'],
    ['a root that is not there', (file) => writeMetas(file, { root: 99_999 }), 'page 99999: there is no such page'],
    ['a root that is a meta page', (file) => writeMetas(file, { root: 1 }), 'page 1: there is no such page'],
    [
      'a list of free pages that is none',
      (file) => writeMetas(file, { freelist: leaf }),
      `page ${leaf}: its type is 2, wanted 16`,
    ],
  ])('%s', async (_name, change, problem) => {
    put(change);
    expect((await checkFile(source)).problem).toMatch(new RegExp(problem));
  });

  test('a branch page without children', async () => {
    const branch = branchOfCerts();
    put((file) => {
      file.writeUInt16LE(0, branch * PAGE + 10);
    });
    expect((await checkFile(source)).problem).toBe(`page ${branch} (table certs): it is a branch without children`);
  });

  test('a value outside of all tables', async () => {
    writeFileSync(source, fileOf(bucket({ stray: 'value', table: bucket({ key: 'value' }) })));
    expect((await checkFile(source)).problem).toMatch('it has a value outside of all buckets');
    expect(await rewriteFile(source, target, all, lenient)).toMatchObject({ kept: 1, damagedTables: [''] });
    expect(await tablesOf(target)).toEqual({ table: { key: 'value' } });
  });

  test('a page that is below itself', async () => {
    const branch = branchOfCerts();
    put((file) => {
      file.writeUInt32LE(branch, branch * PAGE + 16 + 8);
    });
    expect((await checkFile(source)).problem).toBe(`page ${branch} (table certs): it is in use already`);
  });

  test('a page that is free and in use, or free twice', async () => {
    const freelist = SOUND.length / PAGE - 1;
    const withFree = (...pages: number[]) =>
      put((file) => {
        file.writeUInt16LE(pages.length, freelist * PAGE + 10);
        for (const [index, page] of pages.entries()) file.writeUInt32LE(page, freelist * PAGE + 16 + 8 * index);
      });
    withFree(leaf);
    expect((await checkFile(source)).problem).toBe(
      `page ${freelist}: it has page ${leaf}, which is in use or does not exist`,
    );
    withFree(1);
    expect((await checkFile(source)).problem).toMatch('it has page 1,');
  });

  test('a list of free pages with more than 65534', async () => {
    const [free, listPages] = [70_000, 137];
    const start = SOUND.length / PAGE;
    const list = Buffer.alloc(listPages * PAGE);
    list.writeUInt32LE(start, 0);
    list.writeUInt16LE(PAGE_TYPE.freelist, 8);
    list.writeUInt16LE(0xffff, 10);
    list.writeUInt32LE(listPages - 1, 12);
    list.writeUInt32LE(free, 16);
    for (let page = 0; page < free; page++) list.writeUInt32LE(start + listPages + page, 24 + 8 * page);
    const put = () => {
      const pages = start + listPages + free;
      const file = Buffer.concat([SOUND, list]);
      writeMetas(file, { freelist: start, pages });
      writeFileSync(source, file);
      // The free pages themselves take no place.
      truncateSync(source, pages * PAGE);
    };
    put();
    expect((await checkFile(source)).problem).toBeUndefined();
    list.writeUInt32LE(leaf, 24 + 8 * 69_999);
    put();
    expect((await checkFile(source)).problem).toBe(
      `page ${start}: it has page ${leaf}, which is in use or does not exist`,
    );
  });

  test('a damaged file is not rewritten, and no target is left', async () => {
    put(inLeaf((page) => page.fill(0)));
    expect(await rewriteFile(source, target, all)).toEqual({
      ...{
        problem: expect.stringMatching(named),
        kept: 0,
        dropped: 0,
        unreadablePages: 0,
        damagedTables: [],
        bytes: 0,
      },
    });
    expect(existsSync(target)).toBe(false);
  });
});

describe('a lenient rewrite takes what is readable', () => {
  test('of the table with the damage all but the page, and the other tables whole', async () => {
    put((file) => file.fill(0, pageOf('cert-') * PAGE, (pageOf('cert-') + 1) * PAGE));
    const rewritten = await rewriteFile(source, target, all, lenient);
    expect(rewritten).toMatchObject({ unreadablePages: 1, damagedTables: ['certs'] });
    expect((await checkFile(target)).problem).toBeUndefined();
    const { certs = {}, revoked, used } = await tablesOf(target);
    expect({ revoked, used }).toEqual({ revoked: TABLES.revoked, used: TABLES.used });
    expect(Object.keys(certs).length).toBeGreaterThan(900);
    expect(TABLES.certs).toMatchObject(certs);
  });

  test('and where one key is damaged, the other entries of the page', async () => {
    const page = pageOf('revoked-');
    put((file) => {
      file[file.indexOf('revoked-', page * PAGE + 1000)] = 0xff;
    });
    expect(await rewriteFile(source, target, all, lenient)).toMatchObject({ unreadablePages: 1, kept: 1302 });
  });

  test('of the state before the last transaction, if that has no damage', async () => {
    const pages = SOUND.length / PAGE + 1;
    put((file) => {
      encodeMeta({ ...metaOf(SOUND), root: pages - 1, pages, transaction: 2n }).copy(file, 0);
      return Buffer.concat([file, Buffer.alloc(PAGE)]);
    });
    expect((await checkFile(source)).problem).toMatch(`page ${pages - 1}: its header`);
    expect(await rewriteFile(source, target, all, lenient)).toMatchObject({ kept: 1303, unreadablePages: 0 });
    expect(await tablesOf(target)).toEqual(TABLES);
  });

  test('of a file without a valid meta page nothing', async () => {
    put((file) => file.fill(0, 0, 2 * PAGE));
    expect(await rewriteFile(source, target, all, lenient)).toMatchObject({
      problem: expect.stringMatching('meta pages'),
    });
    expect(existsSync(target)).toBe(false);
  });

  test('of a file without its root a database without tables, and says so', async () => {
    const { root } = metaOf(SOUND);
    put((file) => file.fill(0, root * PAGE, (root + 1) * PAGE));
    expect(await rewriteFile(source, target, all, lenient)).toMatchObject({
      kept: 0,
      unreadablePages: 1,
      damagedTables: [''],
    });
    expect((await checkFile(target)).problem).toBeUndefined();
  });
});

/** Entries that are not of the sound file. */
const strangers = (tables: Readonly<Record<string, Readonly<Record<string, string>>>>) =>
  Object.entries(tables).flatMap(([table, entries]) =>
    Object.entries(entries).filter(([key, value]) => TABLES[table]?.[key] !== value),
  );

test('cut anywhere, a file is damaged; a lenient rewrite has none but entries of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: SOUND.length - 1 }), async (length) => {
      put((file) => file.subarray(0, length));
      expect((await checkFile(source)).problem === undefined).toBe(length === 0);
      const { problem } = await rewriteFile(source, target, all, lenient);
      if (problem !== undefined) return;
      expect((await checkFile(target)).problem).toBeUndefined();
      expect(strangers(await tablesOf(target))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('with any bytes wrong, a check ends with an answer, and a lenient rewrite with a sound file or a problem', async () => {
  const structure = fc
    .tuple(fc.nat({ max: SOUND.length / PAGE - 1 }), fc.nat({ max: 1200 }))
    .map(([page, at]) => page * PAGE + at);
  const anywhere = fc.nat({ max: SOUND.length - 1 });
  const change = fc.tuple(fc.oneof(structure, anywhere), fc.nat({ max: 7 }));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      put((file) => {
        for (const [at, bit] of changes) file[at] = (file[at] ?? 0) ^ (1 << bit);
      });
      const { problem: found } = await checkFile(source);
      const { problem: refused } = await rewriteFile(source, target, all);
      // A rewrite makes a list of free pages anew, and need not read the old one.
      if (found === undefined) expect(refused).toBeUndefined();
      const rewritten = await rewriteFile(source, target, all, lenient);
      if (rewritten.problem !== undefined) return;
      expect((await checkFile(target)).problem).toBeUndefined();
      if (refused === undefined) expect(rewritten.unreadablePages).toBe(0);
    }),
    { numRuns: 100 },
  );
}, 60_000);

test('noise with two meta pages is no database', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 3 * PAGE }), fc.nat({ max: 9 }), async (noise, root) => {
      const file = Buffer.concat([Buffer.alloc(2 * PAGE), Buffer.from(noise)]);
      writeMetas(file, { root, pages: 5 });
      writeFileSync(source, file);
      expect((await checkFile(source)).problem).toBeDefined();
      await rewriteFile(source, target, all, lenient);
      expect((await checkFile(target)).problem).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

describe('what the system cannot read', () => {
  // Of no size, and unreadable at its beginning: EIO.
  const UNREADABLE = '/proc/self/mem';

  test('is an error by which nothing is said of the file', async () => {
    const error = { code: 'UNAVAILABLE', cause: expect.objectContaining({ code: 'EIO' }) };
    await expect(checkFile(UNREADABLE)).rejects.toMatchObject(error);
    await expect(checkFile(UNREADABLE)).rejects.toBeInstanceOf(UnreadableError);
    await expect(rewriteFile(UNREADABLE, target, all, lenient)).rejects.toMatchObject(error);
    expect(existsSync(target)).toBe(false);
  });

  test('is damage for whoever says so', async () => {
    expect(await checkFile(UNREADABLE, { unreadableIsDamage: true })).toMatchObject({ bytes: 0 });
  });

  test.each([0, 1, pageOf('revoked-')])('ends the reading at page %d, or counts as damage of it', async (page) => {
    const failing = (error: Error) => ({
      bytes: SOUND.length,
      read: (offset: number, bytes: Buffer) => {
        if (offset === page * PAGE) throw error;
        return memory(SOUND).read(offset, bytes);
      },
    });
    const failed = new UnreadableError('UNAVAILABLE', 'cannot read it');
    await expect(contentOf(failing(failed))).rejects.toBe(failed);
    const damaged = failing(new Damage('EIO'));
    if (page < 2) expect(readMetas(damaged)).toHaveLength(1);
    else await expect(contentOf(damaged)).rejects.toThrow(`page ${page} (revoked): it cannot be read: EIO`);
  });
});

test('the source is never written', async () => {
  put((file) => file.fill(0, pageOf('cert-') * PAGE, (pageOf('cert-') + 1) * PAGE));
  const before = readFileSync(source);
  await checkFile(source);
  await rewriteFile(source, target, all, lenient);
  expect(readFileSync(source).equals(before)).toBe(true);
});
