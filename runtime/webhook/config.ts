/**
 * Reads the webhook's configuration: every fault at once, each with its path. Unknown settings are ignored (a newer
 * manifest may be read by an older program), but not those of a namespace: there a misspelt limit would be no limit.
 * @module
 */
import { ADMISSION_MODES, type Delivery, type SidecarStyle, type WebhookConfig } from '../contract.ts';
import { readTextFile } from '../lib/text-file.ts';
import {
  flag,
  httpsUrl,
  list,
  mapOf,
  object,
  oneOf,
  optional,
  port,
  readJson,
  type Shape,
  text,
} from '../lib/validator.ts';
import { POLICY, POLICY_CHECKS, subjectName } from '../policy/config.ts';
import { reservingApiServer } from '../policy/reserved-names.ts';
import { CA } from '../step-ca/config.ts';

const WEBHOOK: Shape = {
  ...POLICY,
  ...CA,
  autocertUrl: httpsUrl,
  servingNames: list(subjectName, { atLeast: 1 }),
  host: optional(text),
  port,
  certificatePort: port,
  healthPort: port,
  apiServer: optional(object({ clientCaFile: text, commonNames: optional(list(text, { atLeast: 1 })) })),
  agent: object({
    image: optional(text),
    imagePullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
    imagePullSecrets: optional(list(text)),
    resources: object({ requests: mapOf(text), limits: mapOf(text) }),
    userFromPlatform: optional(flag),
  }),
  delivery: oneOf(...(['auto', 'native', 'sidecar'] satisfies Delivery[])),
  signer: optional(flag),
  sidecar: oneOf(...(['auto', 'native', 'classic'] satisfies SidecarStyle[])),
  mode: optional(oneOf(...ADMISSION_MODES)),
};

/**
 * @param apiServer the API server's host as this pod was told it: reserved, too
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function readWebhookConfig(file: string, apiServer?: string): WebhookConfig {
  return parseWebhookConfig(readTextFile(file), file, apiServer);
}

/**
 * The same of its text.
 * @param source where it comes from, for the error
 * @throws AutocertError `INVALID_CONFIG` with every fault.
 */
export function parseWebhookConfig(json: string, source: string, apiServer?: string): WebhookConfig {
  const config = readJson(json, source, object(WEBHOOK), ...POLICY_CHECKS) as WebhookConfig;
  return reservingApiServer(config, apiServer);
}
