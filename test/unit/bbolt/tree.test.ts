import fc from 'fast-check';
import { encodeMeta, PAGE_SIZES, PAGE_TYPE } from '../../../runtime/bbolt/format.ts';
import { readMetas } from '../../../runtime/bbolt/page-file.ts';
import { type Bucket, bucket, contentOf, fileOf, fileOfTables, memory } from './database.ts';

const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
const bytes = fc
  .tuple(fc.nat({ max: 255 }), fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 300 }) }, fc.nat({ max: 20_000 })))
  .map(([byte, length]) => Buffer.alloc(length, byte));
const sequence = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const some = <T>(value: fc.Arbitrary<T>, maxKeys: number) =>
  fc.dictionary(key, value, { maxKeys, size: 'max', noNullPrototype: true });
const within = fc.tuple(some(bytes, 20), sequence).map(([content, number]) => bucket(content, number));
const table = fc
  .tuple(some(bytes, 60), some(within, 3), sequence)
  .map(([content, buckets, number]) => bucket({ ...content, ...buckets }, number));
const database = fc.tuple(some(table, 5), sequence).map(([tables, number]) => bucket(tables, number));

const plain = ({ sequence: number, content }: Bucket): unknown => [
  number,
  [...content]
    .map(([name, item]): [string, unknown] => [
      name,
      Buffer.isBuffer(item) ? `${item.length} of ${item[0]}, ${item.at(-1)}` : plain(item),
    ])
    .sort(([a], [b]) => Buffer.from(a).compare(Buffer.from(b))),
];

test('whatever buckets, keys, values and sequence numbers are written are read again, at any size of page', async () => {
  await fc.assert(
    fc.asyncProperty(database, fc.constantFrom(...PAGE_SIZES), async (root, pageBytes) => {
      expect(plain(await contentOf(memory(fileOf(root, pageBytes))))).toEqual(plain(root));
    }),
    { numRuns: 40 },
  );
});

test('keys come in the order of their bytes', async () => {
  const names = ['b', 'a', 'é', 'zz', 'z', 'Z', '~'];
  const { content } = await contentOf(
    memory(fileOf(bucket({ t: bucket(Object.fromEntries(names.map((n) => [n, n]))) }))),
  );
  expect([...(content.get('t') as Bucket).content.keys()]).toEqual(['Z', 'a', 'b', 'z', 'zz', '~', 'é']);
});

const many = (count: number, length = 20) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`key-${String(index).padStart(6, '0')}`, 'v'.repeat(length)]),
  );

/** Types and numbers of elements of the pages, in their order. */
const pagesOf = (file: Buffer, pageBytes: number) => {
  const pages: { readonly type: number; readonly count: number }[] = [];
  for (let page = 2; page < file.length / pageBytes; ) {
    const header = file.subarray(page * pageBytes, page * pageBytes + 16);
    expect(header.readUInt32LE(0)).toBe(page);
    pages.push({ type: header.readUInt16LE(8), count: header.readUInt16LE(10) });
    page += 1 + header.readUInt32LE(12);
  }
  return pages;
};

test('one page comes behind the other, and the list of free pages, which is empty, last', () => {
  const pages = pagesOf(fileOfTables({ few: many(3), many: many(20_000), large: many(9, 9000) }), 4096);
  expect(pages.filter(({ type }) => type === PAGE_TYPE.branch).length).toBeGreaterThan(3);
  expect(pages.filter(({ type }) => type === PAGE_TYPE.freelist)).toEqual([pages.at(-1)]);
  expect(pages.at(-1)?.count).toBe(0);
});

test('a branch page has two children or more, or bbolt would stumble over it when it takes out entries', () => {
  const long = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index + 100}`.padEnd(250, '-'), 'value']));
  for (let count = 1; count < 80; count++) {
    for (const page of pagesOf(fileOfTables({ long: long(count) }, 1024), 1024))
      if (page.type === PAGE_TYPE.branch)
        expect({ count, children: page.count >= 2 }).toEqual({ count, children: true });
  }
});

test('a file is read page by page', async () => {
  const source = memory(fileOfTables({ many: many(20_000) }));
  await contentOf(source);
  expect(Math.max(...source.reads)).toBe(4096);
  expect(source.reads.length).toBeLessThan(source.bytes / 4096 + 10);
});

describe('of the meta pages', () => {
  const [first, second] = [10n, 11n].map((transaction) => ({
    ...{ pageBytes: 4096, root: 3, sequence: 7n, freelist: 2, pages: 4, transaction },
  }));
  if (!first || !second) throw new Error('two metas');
  const pages = (...metas: Buffer[]) => memory(Buffer.concat([...metas, Buffer.alloc(8192)]));
  const broken = Buffer.alloc(4096, 0x5a);

  test('the newer one comes first', () => {
    expect(readMetas(pages(encodeMeta(first), encodeMeta(second)))).toEqual([second, first]);
    expect(readMetas(pages(encodeMeta({ ...first, transaction: 12n }), encodeMeta(second)))[0]?.transaction).toBe(12n);
  });

  test('one that was not written whole is left out', () => {
    expect(readMetas(pages(encodeMeta(first), broken))).toEqual([first]);
    expect(readMetas(pages(broken, encodeMeta(second)))).toEqual([second]);
    expect(readMetas(pages(broken, broken))).toEqual([]);
  });

  test.each(PAGE_SIZES)('the second is found behind a broken first of %s bytes', (pageBytes) => {
    const meta = { ...second, pageBytes };
    expect(readMetas(memory(Buffer.concat([Buffer.alloc(pageBytes), encodeMeta(meta)])))).toEqual([meta]);
  });

  test('no bit can be wrong', () => {
    fc.assert(
      fc.property(fc.nat({ max: 64 * 8 - 1 }), (bit) => {
        const meta = encodeMeta(second);
        const at = 16 + Math.floor(bit / 8);
        meta[at] = (meta[at] ?? 0) ^ (1 << (bit % 8));
        expect(readMetas(pages(broken, meta))).toEqual([]);
      }),
    );
  });

  test('no list of free pages is told from one', () => {
    const [meta] = readMetas(pages(encodeMeta({ ...first, freelist: undefined }), broken));
    expect(meta?.freelist).toBeUndefined();
  });
});
