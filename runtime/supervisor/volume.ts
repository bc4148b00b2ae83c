/**
 * The file system that the database is on: its size, its free space, whether it takes what is written, and its files.
 * @module
 */
import { open, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AutocertError, messageOf } from '../lib/errors.ts';
import { systemCodeOf } from '../lib/system-code.ts';
import type { Volume } from './database-size.ts';

/** Size and free space of the file system with this folder. */
export async function volumeOf(folder: string): Promise<Volume> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { bytes: blocks * bsize, free: bavail * bsize };
}

/** More than step-ca writes for one certificate. */
const PROBE = Buffer.alloc(65_536, 1);

/** Writes a small file, waits until it is on the disk, and removes it. `undefined`: it could; else why not. */
export async function writeProblem(folder: string): Promise<string | undefined> {
  const file = join(folder, '.autocert-probe');
  try {
    await using handle = await open(file, 'w', 0o600);
    const { bytesWritten } = await handle.write(PROBE);
    if (bytesWritten < PROBE.length) return 'no space left on the volume';
    await handle.sync();
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(file, { force: true }).catch(() => undefined);
  }
}

/** Has the names of a folder's files on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

/**
 * Size of a file; `undefined`: there is none.
 * @throws AutocertError `UNAVAILABLE` when the volume does not tell: not the same as none
 */
export async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined;
    throw new AutocertError('UNAVAILABLE', `cannot tell whether ${file} is there`, { cause });
  }
}

const CHUNK_BYTES = 1 << 16;

/** Whether two files hold the same. */
export async function hasSameBytes(a: string, b: string): Promise<boolean> {
  await using first = await open(a, 'r');
  await using second = await open(b, 'r');
  const { size } = await first.stat();
  if (size !== (await second.stat()).size) return false;
  const [x, y] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    await first.read(x, 0, CHUNK_BYTES, at);
    await second.read(y, 0, CHUNK_BYTES, at);
    if (!x.equals(y)) return false;
  }
  return true;
}

/** Whether it failed for want of space, on the volume or of what the user may have of it. */
export function isOutOfSpace(error: unknown): boolean {
  const codes = [error, error instanceof Error ? error.cause : undefined].map(systemCodeOf);
  return codes.includes('ENOSPC') || codes.includes('EDQUOT');
}
