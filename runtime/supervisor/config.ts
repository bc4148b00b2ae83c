/**
 * Reads the supervisor's configuration: every fault at once, each with its path.
 * @module
 */
import type { SupervisorConfig } from '../contract.ts';
import {
  type Check,
  httpsUrl,
  object,
  optional,
  port,
  readJsonFile,
  type Shape,
  text,
  wanted,
} from '../lib/validator.ts';

const seconds: Check = (value) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 300)) throw wanted('seconds (0 to 300)', value);
};

const SUPERVISOR: Shape = {
  inputs: object({
    template: text,
    provisioners: text,
    names: optional(text),
    certificates: text,
    secrets: text,
    dataSource: optional(text),
  }),
  out: text,
  control: text,
  database: optional(object({ file: text, scratch: text })),
  caUrl: httpsUrl,
  port,
  restartSpreadSeconds: seconds,
};

/** @throws AutocertError `INVALID_CONFIG` with every fault. */
export function readSupervisorConfig(file: string): SupervisorConfig {
  return readJsonFile(file, object(SUPERVISOR)) as SupervisorConfig;
}
