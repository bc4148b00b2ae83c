/**
 * Several real step-ca on one PKI and one database server, as replicas behind a Service are.
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { initPki } from '../../runtime/pki/files.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { launchStepCa, type Stop } from '../../scripts/cluster/step-ca.ts';
import type { CaAddress } from './ca-requests.ts';
import { type MintToken, tokenMaker } from './embedded-ca.ts';
import { program } from './programs.ts';

/** One of them. */
export interface Replica extends CaAddress {
  readonly client: CaClient;
}

/** All of them. */
export interface Replicas {
  readonly replicas: readonly Replica[];
  /** Tokens are good at each. */
  readonly token: MintToken;
  stop(): Promise<void>;
}

/** step-ca's member `db`. */
export interface DatabaseConfig {
  readonly type: string;
  readonly dataSource: string;
  readonly database?: string;
}

/** Starts `count` of them. */
export async function startReplicas(count: number, db: DatabaseConfig): Promise<Replicas> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-replicas-'));
  const files = await initPki({ dir, passwordFiles: true, claims: { minTLSCertDuration: '1s' } });
  const config = JSON.parse(readFileSync(files.configFile, 'utf8'));
  const stepCa = await program('step-ca');
  const stops: Stop[] = [];
  const replicas: Replica[] = [];
  const stop = async () => {
    for (const { client } of replicas) client.close();
    await Promise.all(stops.map((end) => end()));
    rmSync(dir, { recursive: true });
  };
  try {
    for (let index = 0; index < count; index += 1) {
      const address = `127.0.0.1:${await freePort()}`;
      const [url, configFile] = [`https://${address}`, join(dir, `ca-${index}.json`)];
      writeFileSync(configFile, JSON.stringify({ ...config, address, db }));
      stops.push(await launchStepCa(stepCa, { ...files, configFile, caUrl: url }));
      replicas.push({
        url,
        rootPem: files.pki.rootPem,
        client: new CaClient({ url, roots: [files.pki.rootPem] }),
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { replicas, token: await tokenMaker(files.pki, files.caUrl), stop };
}
