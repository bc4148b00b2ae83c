/**
 * When the database's file is too large for its volume. Pure.
 * @module
 */
import { clamp } from '../lib/loops.ts';

const MIB = 1024 * 1024;

/** A file system, bytes. */
export interface Volume {
  readonly bytes: number;
  /** What is left for a program without privileges. */
  readonly free: number;
}

/** A file of this size or more is rewritten: a quarter of the volume, so that two copies and one set aside find room. */
export function limitOf({ bytes }: Volume): number {
  return clamp(bytes / 4, 4 * MIB, 256 * MIB);
}

/** With less than this left, whatever can be spared goes. */
export function reserveOf({ bytes }: Volume): number {
  return clamp(bytes / 10, MIB / 2, 64 * MIB);
}

/** Whether whatever can be spared has to go. Of a volume that could not be looked at (0 bytes) it is not said. */
export function isNearlyFull(volume: Volume): boolean {
  return volume.bytes > 0 && volume.free < reserveOf(volume);
}

/** A file that is smaller than this has nothing in it that a rewrite could drop and anybody would notice. */
const WORTHWHILE = MIB;

/** Why the file is to be rewritten. */
export type PruneReason = 'database-size' | 'volume-space';

/**
 * Whether the file is to be rewritten now, although step-ca has to be stopped for it.
 * @param size of the file
 * @param afterLast its size just after the last time: what was needed then. It is not done again before it has doubled.
 */
export function pruneReason(size: number, afterLast: number, volume: Volume): PruneReason | undefined {
  const doubled = 2 * afterLast;
  if (size >= Math.max(limitOf(volume), doubled)) return 'database-size';
  if (isNearlyFull(volume) && size >= Math.max(WORTHWHILE, doubled)) return 'volume-space';
  return undefined;
}

/** Whether it is worth a rewrite at a time when step-ca is stopped anyway. */
export function isWorthPruning(size: number, afterLast: number, volume: Volume): boolean {
  return size >= Math.max(Math.min(limitOf(volume) / 4, 16 * MIB), WORTHWHILE, 2 * afterLast);
}
