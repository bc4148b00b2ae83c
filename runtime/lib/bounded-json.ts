/**
 * Reads JSON from outside. What makes it dear is not its size alone but how many values it has and how deep they lie:
 * three megabytes of `[` or of `{},` are a million objects. Both are counted on the bytes, before anything is made of them.
 * @module
 */
import { AutocertError, messageOf } from './errors.ts';

/** A pod's `managedFields` lie about twenty deep. */
const MAX_DEPTH = 64;
/**
 * Commas, colons and brackets outside of texts. The 256 KiB of annotations that the Kubernetes API takes have 175,000 at the
 * most; a large pod has some thousand.
 */
const MAX_TOKENS = 200_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * The value; `undefined` where there is nothing.
 * @param maxTokens most commas, colons and brackets
 * @throws AutocertError `INVALID_INPUT` when it is no JSON, too deep, or too many values
 */
export function parseBoundedJson(bytes: Buffer, maxTokens = MAX_TOKENS): unknown {
  if (bytes.length === 0) return undefined;
  const excess = excessOf(bytes, maxTokens);
  if (excess !== undefined) throw new AutocertError('INVALID_INPUT', `the body ${excess}`);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new AutocertError('INVALID_INPUT', `the body is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
}

/** By which bound it is too much; whether it is JSON at all is for the parser to say. */
function excessOf(bytes: Buffer, maxTokens: number): string | undefined {
  let depth = 0;
  let tokens = 0;
  let inText = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (inText) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inText = false;
      continue;
    }
    // `[` is 0x5b and `{` 0x7b, `]` 0x5d and `}` 0x7d.
    const bracket = byte & 0xdf;
    if (byte === QUOTE) inText = true;
    else if (bracket === 0x5b) {
      depth += 1;
      tokens += 1;
      if (depth > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}`;
    } else if (bracket === 0x5d) depth -= 1;
    else if (byte === COMMA || byte === COLON) tokens += 1;
  }
  return tokens > maxTokens ? `has more values than fit into ${maxTokens} commas, colons and brackets` : undefined;
}
