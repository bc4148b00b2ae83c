/**
 * `autocert ca`: the embedded CA.
 * @module
 */
import { createCa } from '../ca/ca.ts';
import { readCaSettings } from '../ca/config.ts';
import { jsonLog } from '../lib/log.ts';
import { aborted } from '../lib/stop-signal.ts';

/** Flags of `autocert ca`. */
export interface RunCaOptions {
  /** `ca.json`. */
  readonly config: string;
  /** File with the password of the intermediate key. */
  readonly passwordFile: string;
}

/** Serves until `stop` aborts. */
export async function runCa({ config, passwordFile }: RunCaOptions, stop: AbortSignal): Promise<void> {
  const log = jsonLog({ component: 'ca' });
  const { listen, ...options } = readCaSettings(config, passwordFile);
  const ca = await createCa({ ...options, log });
  log.info({ url: await ca.listen(listen) }, 'listening');
  await aborted(stop);
  await ca.close();
}
