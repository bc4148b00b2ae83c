/**
 * Reads the signer's configuration: every fault at once, each with its path.
 * @module
 */
import type { SignerConfig } from '../contract.ts';
import { object, optional, port, readJsonFile, type Shape, share, text } from '../lib/validator.ts';
import { durationsInOrder, POLICY } from '../policy/config.ts';
import { CA } from '../step-ca/config.ts';

const SIGNER: Shape = {
  ...POLICY,
  ...CA,
  lease: object({ namespace: text, name: text }),
  port,
  renewAt: optional(share),
  webhookConfiguration: optional(text),
};

/** @throws AutocertError `INVALID_CONFIG` with every fault. */
export function readSignerConfig(file: string): SignerConfig {
  return readJsonFile(file, object(SIGNER), durationsInOrder) as SignerConfig;
}
