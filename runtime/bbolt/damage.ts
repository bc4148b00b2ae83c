/**
 * What happens with damage: it ends the walk through a file, or is counted.
 * @module
 */
import type { WalkOptions } from './tree-reader.ts';

/** step-ca has some thirty. */
const MAX_TABLES = 1000;
/** A name of a damaged bucket can be anything. */
const MAX_SHOWN_NAME = 100;

/** What could not be read. */
export class DamageReport {
  readonly pages = new Set<number>();
  readonly tables = new Set<string>();

  readonly add: WalkOptions['onDamage'] = (page, table) => {
    this.pages.add(page);
    if (this.tables.size < MAX_TABLES) this.tables.add(table);
  };
}

/** Why a file cannot be read. */
export class Damage extends Error {}

/** Ends a walk at the first damage. */
export const fail: WalkOptions['onDamage'] = (page, table, reason) => {
  const within = table === '' ? '' : ` (table ${table.slice(0, MAX_SHOWN_NAME)})`;
  throw new Damage(`page ${page}${within}: ${reason}`);
};

/** What the action found damaged; `undefined`: nothing. Other errors are thrown on. */
export async function problemOf(action: () => Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (error instanceof Damage) return error.message;
    throw error;
  }
}
