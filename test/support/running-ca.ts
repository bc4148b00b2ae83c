/**
 * A CA on a PKI of ours, in a folder: real step-ca, or the embedded one. Interoperability tests run against both.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa } from '../../runtime/ca/ca.ts';
import { readCaSettings } from '../../runtime/ca/config.ts';
import { freePort } from '../../runtime/lib/free-ports.ts';
import { type InitializedPki, initPki } from '../../runtime/pki/files.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { launchStepCa, type Stop } from '../../scripts/cluster/step-ca.ts';
import type { CaAddress } from './ca-requests.ts';
import { certificateMaker, type MintToken, tokenMaker } from './embedded-ca.ts';
import { quiet } from './logs.ts';
import { type Output, output, program } from './programs.ts';

/** A CA that answers. */
export interface RunningCa extends CaAddress {
  readonly files: InitializedPki;
  /** Folder for whatever a test writes; gone after {@link RunningCa.stop}. */
  readonly dir: string;
  readonly client: CaClient;
  /** Runs real `step` as a user of this CA. */
  step(...args: readonly string[]): Promise<Output>;
  readonly token: MintToken;
  /** A certificate for these names, and its key; of the provisioner `autocert` unless it is to be `admin`'s. */
  readonly issue: ReturnType<typeof certificateMaker>;
  /** Kills the CA as a crash would; `start` brings it back. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The two CAs, by name, for `describe.each`. */
export const CAS: readonly (readonly [string, () => Promise<RunningCa>])[] = [
  ['real step-ca', () => startStepCa()],
  ['the embedded CA', () => start(launchEmbeddedCa)],
];

/** Real step-ca on a PKI of ours; `change` may alter its configuration first. */
export function startStepCa(change?: (files: InitializedPki) => void): Promise<RunningCa> {
  return start(async (files) => launchStepCa(await program('step-ca'), files), change);
}

async function start(
  launch: (files: InitializedPki) => Promise<Stop>,
  change: (files: InitializedPki) => void = () => {},
): Promise<RunningCa> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-interop-'));
  const steppath = join(dir, 'pki');
  const files = await initPki({
    dir: steppath,
    address: `127.0.0.1:${await freePort()}`,
    passwordFiles: true,
    claims: { minTLSCertDuration: '1s' },
  });
  change(files);
  let stopCa = await launch(files);
  const { caUrl: url, pki } = files;
  const client = new CaClient({ url, roots: [pki.rootPem] });
  const token = await tokenMaker(pki, url);
  const step = await program('step');
  return {
    files,
    dir,
    url,
    rootPem: pki.rootPem,
    client,
    // HOME, because step looks there for contexts.
    step: (...args) => output(step, args, { STEPPATH: steppath, HOME: dir }),
    token,
    issue: certificateMaker(client, token),
    kill: async () => {
      client.close();
      await stopCa('SIGKILL');
    },
    start: async () => {
      stopCa = await launch(files);
    },
    stop: async () => {
      client.close();
      await stopCa();
      rmSync(dir, { recursive: true });
    },
  };
}

async function launchEmbeddedCa(files: InitializedPki): Promise<Stop> {
  const { listen, ...settings } = readCaSettings(files.configFile, files.caPasswordFile);
  const ca = await createCa({ ...settings, log: quiet });
  await ca.listen(listen);
  return () => ca.close();
}
