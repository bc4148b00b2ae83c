/**
 * Reads the signer's configuration: every fault at once, each with its path.
 * @module
 */
import type { SignerConfig } from '../contract.ts';
import { object, optional, port, readJsonFile, type Shape, share, text } from '../lib/validator.ts';
import { POLICY, POLICY_CHECKS } from '../policy/config.ts';
import { reservingApiServer } from '../policy/reserved-names.ts';
import { CA } from '../step-ca/config.ts';

const SIGNER: Shape = {
  ...POLICY,
  ...CA,
  lease: object({ namespace: text, name: text }),
  port,
  renewAt: optional(share),
  webhookConfiguration: optional(text),
};

/**
 * @param apiServer the API server's host as this pod was told it: reserved, too
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readSignerConfig(file: string, apiServer?: string): SignerConfig {
  const config = readJsonFile(file, object(SIGNER), ...POLICY_CHECKS) as SignerConfig;
  return reservingApiServer(config, apiServer);
}
