/**
 * What makes the settings of a CA right ones.
 * @module
 */
import { httpsUrl, optional, type Shape, text } from '../lib/validator.ts';

/** Settings of a `CaConfig`. */
export const CA: Shape = {
  caUrl: httpsUrl,
  rootFile: text,
  provisioner: text,
  provisionerPasswordFile: text,
  provisionerNextPasswordFile: optional(text),
};
