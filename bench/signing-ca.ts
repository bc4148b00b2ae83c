/**
 * step-ca on a database of one kind, one replica or several.
 * @module
 */
import { chmodSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../runtime/lib/free-ports.ts';
import { type InitializedPki, initPki } from '../runtime/pki/files.ts';
import { DATA_SOURCE_PARAMETERS, type DatabaseServer, startDatabase } from '../scripts/cluster/databases.ts';
import { findStepCa, launchStepCa } from '../scripts/cluster/step-ca.ts';
import { UNHEARD } from './peers.ts';

/** Where step-ca keeps things, by its own names; `none`: in its memory, and only which tokens were used. */
export const STORES = ['none', 'bbolt', 'badgerv2', 'postgresql', 'mysql'] as const;
export type StoreName = (typeof STORES)[number];

/** Replicas that answer. */
export interface SigningCa {
  readonly urls: readonly string[];
  readonly pki: InitializedPki;
  /** Bytes that the database has of the disk. */
  size(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts it, with all of its files in `folder`. */
export async function startSigningCa(folder: string, store: StoreName, replicas: number): Promise<SigningCa> {
  const stepCa = findStepCa();
  if (stepCa === undefined) throw new Error('step-ca is neither on PATH nor built: run npm run interop once');
  const dir = join(folder, 'pki');
  const pki = await initPki({ dir, passwordFiles: true });
  const config = JSON.parse(readFileSync(pki.configFile, 'utf8'));
  const file = join(folder, 'db');
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of ends.reverse()) await end();
  };
  let server: DatabaseServer | undefined;
  let db: object | undefined = store === 'none' ? undefined : { type: store, dataSource: file };
  const urls: string[] = [];
  try {
    if (store === 'postgresql' || store === 'mysql') {
      server = await startDatabase(store, { port: await freePort(), parent: readable(folder) });
      ends.push(server.remove);
      db = { type: store, dataSource: `${server.dataSource}${DATA_SOURCE_PARAMETERS[store]}`, database: 'stepca' };
    }
    for (let index = 0; index < replicas; index += 1) {
      const address = `127.0.0.1:${await freePort()}`;
      const configFile = join(dir, `ca-${index}.json`);
      writeFileSync(configFile, JSON.stringify({ ...config, address, db }));
      const caUrl = `https://${address}`;
      ends.push(await launchStepCa(stepCa, { ...pki, configFile, caUrl }, UNHEARD));
      urls.push(caUrl);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const place = server === undefined ? file : join(server.folder, 'data', store === 'mysql' ? 'stepca' : 'base');
  return { urls, pki, size: async () => bytesOf(place), stop };
}

/** What is allocated: engines make their files larger than they need. */
function bytesOf(path: string): number {
  const { blocks } = lstatSync(path);
  const own = 512 * blocks;
  if (!lstatSync(path).isDirectory()) return own;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), own);
}

/** Database servers run as another user. */
function readable(folder: string): string {
  chmodSync(folder, 0o755);
  return folder;
}
