import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UnreadableError } from '../../../runtime/bbolt/disk.ts';
import type { CheckedFile, RewrittenFile } from '../../../runtime/bbolt/file.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Database, type DatabaseEngine, type DatabasePorts } from '../../../runtime/supervisor/database.ts';
import { keptLog, quiet } from '../../support/logs.ts';

let dir: string;
const path = (name: string) => join(dir, name);
const text = (name: string) => fs.readFileSync(path(name), 'utf8');
const put = (name: string, content: string) => fs.writeFileSync(path(name), content);
const FILE = 'volume/ca.bolt';
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'autocert-database-'));
  fs.mkdirSync(path('volume'));
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

const failing = (code: string) => Object.assign(new Error(code), { code });

/** Files are text: `sound…` and `damaged…`; a rewrite writes what was kept. Targets in `full` folders have no room. */
function engine(full: readonly string[] = [], code = 'ENOSPC'): DatabaseEngine {
  return {
    checkFile: async (file): Promise<CheckedFile> => {
      const content = fs.readFileSync(file, 'utf8');
      const tables = new Map([['used_ott', { entries: 1, bytes: 10 }]]);
      return { tables, bytes: content.length, ...(content.startsWith('sound') ? {} : { problem: 'page 7: noise' }) };
    },
    rewriteFile: async (source, target, _keep, { lenient }): Promise<RewrittenFile> => {
      const content = fs.readFileSync(source, 'utf8');
      const result = { kept: 1, dropped: 1, unreadablePages: 0, damagedTables: [], bytes: 0 };
      if (content === 'noise' || (!lenient && !content.startsWith('sound'))) return { ...result, problem: 'noise' };
      if (full.some((folder) => target.startsWith(path(folder))))
        throw new AutocertError('UNAVAILABLE', 'no space', { cause: failing(code) });
      fs.writeFileSync(target, 'sound: kept');
      return { ...result, bytes: 11 };
    },
  };
}

let held: boolean;
beforeEach(() => {
  held = false;
});

function database(
  parts: Partial<DatabasePorts> & { readonly full?: readonly string[]; readonly code?: string } = {},
): Database {
  const { full, code, ...ports } = parts;
  return new Database({
    file: path(FILE),
    scratch: path('scratch'),
    engine: engine(full, code),
    keep: () => () => true,
    isStopped: () => true,
    hold: (isHeld) => {
      held = isHeld;
    },
    monotonic: () => 0,
    log: quiet,
    signal: new AbortController().signal,
    ...ports,
  });
}

const always = () => true;
const never = () => false;
const volume = () => fs.readdirSync(path('volume')).sort();

test('that is not there yet is left to step-ca', async () => {
  expect(await database().tend(always, false)).toEqual({ setAside: false });
  expect(volume()).toEqual([]);
});

test('that is sound and small stays as it is', async () => {
  put(FILE, 'sound');
  expect(await database().tend(never, false)).toMatchObject({ setAside: false, tables: expect.any(Map) });
  expect(text(FILE)).toBe('sound');
});

test('that is due is rewritten, and nothing else is left', async () => {
  put(FILE, 'sound and large');
  expect(await database().tend(always, false)).toMatchObject({ setAside: false, rewritten: 11 });
  expect([text(FILE), volume()]).toEqual(['sound: kept', ['ca.bolt']]);
});

test('that is damaged is set aside, and goes on with what can be read; the newest two are kept', async () => {
  for (const content of ['damaged 1', 'damaged 2', 'damaged 3']) {
    put(FILE, content);
    expect(await database().tend(never, false)).toMatchObject({ setAside: true, rewritten: 11 });
  }
  expect([text(FILE), text(`${FILE}.damaged`), text(`${FILE}.damaged-2`)]).toEqual([
    'sound: kept',
    'damaged 3',
    'damaged 2',
  ]);
  expect(volume()).toHaveLength(3);
});

test('of which nothing can be read is set aside, and step-ca begins a new one', async () => {
  put(FILE, 'noise');
  expect(await database().tend(never, false)).toMatchObject({ setAside: true });
  expect(volume()).toEqual(['ca.bolt.damaged']);
});

describe('on a full volume', () => {
  test('it is rewritten on another one first, and what can be spared goes', async () => {
    put(FILE, 'sound and large');
    for (const name of ['000001.vlog', 'MANIFEST', 'ca.bolt.damaged']) put(`volume/${name}`, 'x');
    expect(await database({ full: ['volume'] }).tend(always, true)).toMatchObject({ rewritten: 11 });
    expect([text(FILE), volume(), fs.readdirSync(path('scratch'))]).toEqual(['sound: kept', ['ca.bolt'], []]);
  });

  test('a damaged one is not kept', async () => {
    put(FILE, 'damaged');
    expect(await database({ full: ['volume'] }).tend(never, true)).toMatchObject({ setAside: true, rewritten: 11 });
    expect([text(FILE), volume()]).toEqual(['sound: kept', ['ca.bolt']]);
  });

  test('and with no room anywhere, a sound one stays as it is, and of a damaged one nothing is lost', async () => {
    put(FILE, 'sound and large');
    expect(await database({ full: ['volume', 'scratch'] }).tend(always, true)).not.toHaveProperty('rewritten');
    expect(text(FILE)).toBe('sound and large');
    put(FILE, 'damaged');
    await expect(database({ full: ['volume', 'scratch'] }).tend(always, true)).rejects.toThrow('no space');
    expect(text(FILE)).toBe('damaged');
  });

  test('damaged ones of earlier times go first, and the file is rewritten beside it if that is enough', async () => {
    put(FILE, 'sound and large');
    put(`${FILE}.damaged`, 'x');
    const { rewriteFile, ...rest } = engine();
    const tight: DatabaseEngine = {
      ...rest,
      rewriteFile: (source, ...others) => {
        if (fs.existsSync(path(`${FILE}.damaged`))) throw failing('ENOSPC');
        return rewriteFile(source, ...others);
      },
    };
    await database({ engine: tight }).tend(always, true);
    expect([text(FILE), volume(), fs.existsSync(path('scratch'))]).toEqual(['sound: kept', ['ca.bolt'], false]);
  });

  test('step-ca is held from before the file goes until the new one is in its place', async () => {
    put(FILE, 'sound and large');
    await database({ full: ['volume'] }).tend(always, true);
    expect(held).toBe(false);
    let asked = 0;
    const isStopped = () => ++asked < 2;
    await expect(database({ full: ['volume'], isStopped }).tend(always, true)).rejects.toThrow('step-ca has started');
    expect([held, fs.existsSync(path(FILE))]).toEqual([true, false]);
    await database().tend(never, false);
    expect([held, text(FILE), volume()]).toEqual([false, 'sound: kept', ['ca.bolt']]);
  });
});

test.each([
  ['for want of space, on a volume that is not nearly full', 'ENOSPC', false],
  ['by the disk', 'EIO', true],
])('a sound file that cannot be rewritten %s stays as it is: it is never the only copy that goes', async (...given) => {
  const [, code, isNearlyFull] = given;
  put(FILE, 'sound and large');
  put(`${FILE}.damaged`, 'x');
  expect(await database({ full: ['volume'], code }).tend(always, isNearlyFull)).not.toHaveProperty('rewritten');
  expect([text(FILE), volume()]).toEqual(['sound and large', ['ca.bolt', 'ca.bolt.damaged']]);
  expect(fs.existsSync(path('scratch'))).toBe(false);
});

describe('that cannot be read', () => {
  /** The disk fails at the byte given; `undefined`: it works. */
  function onDisk(badByte: () => number | undefined, missing = () => false) {
    const { checkFile, rewriteFile } = engine();
    const read = (unreadableIsDamage: boolean) => {
      const at = badByte();
      if (missing()) throw new AutocertError('UNAVAILABLE', 'cannot open');
      if (at !== undefined && !unreadableIsDamage) throw new UnreadableError('UNAVAILABLE', `cannot read byte ${at}`);
      return at !== undefined;
    };
    const disk: DatabaseEngine = {
      checkFile: async (file, options) =>
        read(options.unreadableIsDamage)
          ? { tables: new Map(), bytes: 1, problem: 'unreadable' }
          : checkFile(file, options),
      rewriteFile: async (source, target, keep, options) => {
        read(options.unreadableIsDamage);
        return rewriteFile(source, target, keep, options);
      },
    };
    let now = 0;
    const each = database({ engine: disk, monotonic: () => now });
    return (ms: number) => {
      now += ms;
      return each.tend(never, false);
    };
  }

  test('for a while is left as it is, and tried again', async () => {
    put(FILE, 'sound');
    let badByte: number | undefined = 0;
    const tend = onDisk(() => badByte);
    for (let count = 0; count < 9; count += 1)
      await expect(tend(30_000)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'cannot read byte 0' });
    expect([text(FILE), volume()]).toEqual(['sound', ['ca.bolt']]);
    badByte = undefined;
    expect(await tend(30_000)).toMatchObject({ setAside: false });
    // Another time begins anew.
    badByte = 0;
    await expect(tend(86_400_000)).rejects.toThrow('cannot read byte 0');
    expect(text(FILE)).toBe('sound');
  });

  test('at one place for five minutes is damaged there: what can be read is saved', async () => {
    put(FILE, 'sound');
    const tend = onDisk(() => 8192);
    for (let count = 0; count < 10; count += 1) await expect(tend(30_000)).rejects.toThrow('cannot read byte 8192');
    expect(await tend(30_000)).toMatchObject({ setAside: true, rewritten: 11 });
    expect([text(FILE), text(`${FILE}.damaged`)]).toEqual(['sound: kept', 'sound']);
  });

  test('now here and now there, or not even opened, is never taken for damaged', async () => {
    put(FILE, 'sound');
    let byte = 0;
    for (const tend of [
      onDisk(() => (byte += 1)),
      onDisk(
        () => undefined,
        () => true,
      ),
    ]) {
      for (let count = 0; count < 60; count += 1) await expect(tend(30_000)).rejects.toThrow('cannot');
      expect([text(FILE), volume()]).toEqual(['sound', ['ca.bolt']]);
    }
  });

  test('nor be looked for: an older one that was set aside does not take its place', async () => {
    fs.rmSync(path('volume'), { recursive: true });
    // Not missing, but no answer either.
    put('volume', 'no folder');
    await expect(database().tend(always, false)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('after the supervisor was killed', () => {
  test('while the only copy was on the other volume, it is taken from there', async () => {
    fs.mkdirSync(path('scratch'));
    put('scratch/ca.bolt.complete', 'sound: moved');
    await database().tend(never, false);
    expect([text(FILE), fs.readdirSync(path('scratch'))]).toEqual(['sound: moved', []]);
  });

  test('before the old file went, or just after the copy was put in its place, the copy is dropped', async () => {
    fs.mkdirSync(path('scratch'));
    for (const content of ['sound: in use since', 'sound: moved']) {
      put('scratch/ca.bolt.complete', 'sound: moved');
      put(FILE, content);
      if (content === 'sound: moved') put(`${FILE}.moving`, '');
      expect(await database().tend(never, false)).toMatchObject({ setAside: false });
      expect([text(FILE), volume(), fs.readdirSync(path('scratch'))]).toEqual([content, ['ca.bolt'], []]);
    }
  });

  test('before the old file had lost its space, it goes back when the copy is gone with its pod', async () => {
    put(`${FILE}.moving`, 'sound and large');
    expect(await database().tend(never, false)).toMatchObject({ setAside: false });
    expect([text(FILE), volume()]).toEqual(['sound and large', ['ca.bolt']]);
  });

  test('and the pod with the only copy is gone too, that is told, once', async () => {
    const log = keptLog();
    for (const content of [undefined, '']) {
      put(`${FILE}.moving`, '');
      if (content !== undefined) put(FILE, content);
      expect(await database({ log }).tend(never, false)).toEqual({ setAside: true });
      expect(log.lines.at(-1)?.message).toMatch('it is lost: step-ca begins a new one');
      expect(await database({ log }).tend(never, false)).toEqual({ setAside: false });
    }
  });

  test('and step-ca has begun a new one meanwhile, that is set aside for the copy', async () => {
    fs.mkdirSync(path('scratch'));
    put('scratch/ca.bolt.complete', 'sound: moved');
    put(`${FILE}.moving`, '');
    put(FILE, 'sound: new');
    expect(await database().tend(never, false)).toMatchObject({ setAside: true });
    expect([text(FILE), text(`${FILE}.damaged`)]).toEqual(['sound: moved', 'sound: new']);
    expect([volume(), fs.readdirSync(path('scratch'))]).toEqual([['ca.bolt', 'ca.bolt.damaged'], []]);
  });

  test('while a damaged one was set aside, what can be read of it is saved', async () => {
    put(`${FILE}.damaged`, 'damaged');
    await database().tend(never, false);
    expect(text(FILE)).toBe('sound: kept');
  });

  test('in the middle of a rewrite, half a file counts for nothing', async () => {
    put(FILE, 'sound and large');
    put(`${FILE}.new`, 'hal');
    await database().tend(always, false);
    expect([text(FILE), volume()]).toEqual(['sound: kept', ['ca.bolt']]);
  });
});

test('is never replaced when step-ca has started meanwhile', async () => {
  for (const content of ['sound and large', 'damaged']) {
    put(FILE, content);
    await expect(database({ isStopped: () => false }).tend(always, false)).rejects.toThrow('step-ca has started');
    expect(text(FILE)).toBe(content);
  }
});

test('leaves the files of Badger for a rollback, until room is needed', async () => {
  for (const name of ['MANIFEST', '000001.sst', '000001.vlog', 'KEYREGISTRY', 'lost+found']) put(`volume/${name}`, 'x');
  await database().tend(always, false);
  expect(volume()).toHaveLength(5);
  await database().makeRoom();
  expect(volume()).toEqual(['lost+found']);
});

test('that our reader cannot check, for a fault of its own, does not keep step-ca from starting', async () => {
  put(FILE, 'sound');
  const broken = { ...engine(), checkFile: () => Promise.reject(new TypeError('undefined is not a page')) };
  expect(await database({ engine: broken }).tend(never, false)).toMatchObject({ setAside: false });
});
