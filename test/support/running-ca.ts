/**
 * A CA on a PKI of ours, in a folder: real step-ca, or the embedded one. Interoperability tests run against both.
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCa } from '../../runtime/ca/ca.ts';
import { readCaSettings } from '../../runtime/ca/config.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { type MintOptions, TokenSigner } from '../../runtime/step-ca/one-time-token.ts';
import type { Secret } from '../../runtime/lib/secret.ts';
import { type InitializedPki, initPki } from '../../runtime/pki/files.ts';
import { type Output, output, program } from './programs.ts';

/** A CA that answers. */
export interface RunningCa {
  readonly files: InitializedPki;
  /** Folder for whatever a test writes; gone after {@link RunningCa.stop}. */
  readonly dir: string;
  readonly client: CaClient;
  /** Runs real `step` as a user of this CA. */
  step(...args: readonly string[]): Promise<Output>;
  /** A one-time token of ours, from the provisioner `autocert`. */
  token(names: readonly string[], options?: Partial<MintOptions>): Promise<Secret>;
  stop(): Promise<void>;
}

/** The two CAs, by name, for `describe.each`. */
export const CAS: readonly (readonly [string, () => Promise<RunningCa>])[] = [
  ['real step-ca', () => start(startStepCa)],
  ['the embedded CA', () => start(startEmbeddedCa)],
];

type Stop = () => Promise<unknown>;

async function start(launch: (files: InitializedPki) => Promise<Stop>): Promise<RunningCa> {
  const dir = mkdtempSync(join(tmpdir(), 'autocert-interop-'));
  const steppath = join(dir, 'pki');
  const files = await initPki({
    dir: steppath,
    address: `127.0.0.1:${await freePort()}`,
    passwordFiles: true,
    claims: { minTLSCertDuration: '10s' },
  });
  const stopCa = await launch(files);
  const client = new CaClient({ url: files.caUrl, roots: [files.pki.rootPem] });
  const autocert = files.pki.provisioners.find(({ name }) => name === 'autocert');
  if (!autocert) throw new Error('the PKI has no provisioner autocert');
  const signer = await TokenSigner.open(autocert, files.pki.autocertPassword);
  const step = await program('step');
  return {
    files,
    dir,
    client,
    // HOME, because step looks there for contexts.
    step: (...args) => output(step, args, { STEPPATH: steppath, HOME: dir }),
    token: (names, options = {}) =>
      signer.mint({
        subject: names[0] ?? '',
        sans: names,
        caUrl: files.caUrl,
        rootFingerprint: files.pki.fingerprint,
        ...options,
      }),
    stop: async () => {
      client.close();
      await stopCa();
      rmSync(dir, { recursive: true });
    },
  };
}

async function startEmbeddedCa(files: InitializedPki): Promise<Stop> {
  const settings = readCaSettings(files.configFile, files.caPasswordFile);
  const ca = await createCa({ ...settings, log: { info: () => {}, warn: () => {}, error: () => {} } });
  await ca.listen(settings);
  return () => ca.close();
}

async function startStepCa(files: InitializedPki): Promise<Stop> {
  const child = spawn(await program('step-ca'), ['--password-file', files.caPasswordFile, files.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill();
    await exited;
  };
  const client = new CaClient({ url: files.caUrl, roots: [files.pki.rootPem] });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`step-ca did not start on our PKI: ${said}`);
    const healthy = await client.health().then(
      () => true,
      () => false,
    );
    if (healthy) break;
    await sleep(20);
  }
  client.close();
  return stop;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
