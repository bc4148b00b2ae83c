/**
 * Real step-ca on a PKI of ours, as a process of ours.
 * @module
 */
import { join } from 'node:path';
import type { InitializedPki } from '../../runtime/pki/files.ts';
import { CaClient } from '../../runtime/step-ca/client.ts';
import { which } from './packages.ts';
import { BIN } from './settings.ts';
import { type Background, type BackgroundOptions, background, waitFor } from './shell.ts';

/** What it needs of a PKI: its configuration, the key's password, and where it answers with which root. */
export type StepCaFiles = Pick<InitializedPki, 'caPasswordFile' | 'configFile' | 'caUrl' | 'pki'>;

/** step-ca's file: the one on PATH, or the one that was built; nothing where there is none. */
export const findStepCa = (): string | undefined => which('step-ca') ?? which(join(BIN, 'step-ca'));

/** How it is ended. */
export type Stop = Background['stop'];

/** Starts it; resolves when it answers. */
export async function launchStepCa(
  program: string,
  { caPasswordFile, configFile, caUrl, pki }: StepCaFiles,
  options: BackgroundOptions = {},
): Promise<Stop> {
  const ca = background([program, '--password-file', caPasswordFile, configFile], options);
  const client = new CaClient({ url: caUrl, roots: [pki.rootPem] });
  const answers = () => client.health().then(() => true);
  await waitFor('step-ca', answers, { everyMs: 20, needs: [ca] }).finally(() => client.close());
  return ca.stop;
}
