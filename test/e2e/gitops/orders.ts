/**
 * Applies manifests object by object, in an order of which nobody thinks: what cannot be there yet is tried again.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Kubectl } from '../../../scripts/cluster/kubectl.ts';

/** More rounds than there are objects that rest upon each other. */
const MOST_ROUNDS = 5;

/** Returns what it did, and the seed of the order, for the log. */
export async function applyInAnyOrder(kubectl: Kubectl, folder: string, seed = Date.now() % 2 ** 31): Promise<string> {
  let left = shuffled(readObjects(folder), seed);
  const count = left.length;
  for (let round = 1; left.length > 0; round += 1) {
    const failed: object[] = [];
    let problem = '';
    for (const object of left) {
      const { code, stderr } = await kubectl.try(['apply', '-f', '-'], { input: JSON.stringify(object) });
      if (code === 0) continue;
      problem = stderr;
      failed.push(object);
    }
    if (failed.length > 0 && round === MOST_ROUNDS)
      throw new Error(`seed ${seed}: ${failed.length} objects are refused: ${problem}`);
    if (failed.length === 0) return `${count} objects in the order of seed ${seed}, ${round} round(s)`;
    left = failed;
  }
  return 'nothing to apply';
}

function readObjects(folder: string): object[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const texts = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as object));
}

/** Fisher and Yates, by a linear congruential generator: the same for the same seed. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const result = [...list];
  let state = seed;
  for (let last = result.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}
