/**
 * Reads JSON from outside. What makes it dear is not its size alone but how many values it has and how deep they lie:
 * three megabytes of `[` or of `{},` are a million objects. Both are counted on the bytes as they come, before anything is
 * made of them.
 * @module
 */
import { AutocertError, messageOf } from './errors.ts';

/** A pod's `managedFields` lie about twenty deep. */
const MAX_DEPTH = 64;
/**
 * Commas, colons and brackets outside of texts. A pod of 100 containers with 20 variables each, and its `managedFields`, has
 * 35,000; a usual one has some hundred.
 */
const MAX_TOKENS = 50_000;

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
  const bounds = new JsonBounds(maxTokens);
  bounds.add(bytes);
  if (bounds.excess) throw bounds.excess;
  return parseJson(bytes);
}

/**
 * The value of what {@link JsonBounds} has let pass; `undefined` where there is nothing.
 * @throws AutocertError `INVALID_INPUT` when it is no JSON
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new AutocertError('INVALID_INPUT', `the body is not JSON: ${messageOf(error).slice(0, 200)}`);
  }
}

/** Counts the parts of one body, so that nothing is kept of one that is too much. */
export class JsonBounds {
  readonly #maxTokens: number;
  #tokens = 0;
  #depth = 0;
  #inText = false;
  /** Bytes of the next part that the last one has escaped: none or one. */
  #skip = 0;
  #excess: AutocertError | undefined;

  /** @param maxTokens most commas, colons and brackets */
  constructor(maxTokens = MAX_TOKENS) {
    this.#maxTokens = maxTokens;
  }

  /** `INVALID_INPUT` with what is too much; `undefined`: all so far is within the bounds. */
  get excess(): AutocertError | undefined {
    return this.#excess;
  }

  /**
   * Counts one more part. Whether it is JSON at all is for the parser to say.
   * @returns whether all so far is within the bounds
   */
  add(bytes: Buffer): boolean {
    this.#excess ??= this.#count(bytes);
    return this.#excess === undefined;
  }

  #count(bytes: Buffer): AutocertError | undefined {
    let [tokens, depth, inText] = [this.#tokens, this.#depth, this.#inText];
    let index = this.#skip;
    // by index: an iterator takes five times as long
    for (; index < bytes.length; index += 1) {
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
        if (depth > MAX_DEPTH) return excess(`is nested deeper than ${MAX_DEPTH}`);
      } else if (bracket === 0x5d) depth -= 1;
      else if (byte === COMMA || byte === COLON) tokens += 1;
    }
    this.#skip = index - bytes.length;
    [this.#tokens, this.#depth, this.#inText] = [tokens, depth, inText];
    const isTooMuch = tokens > this.#maxTokens;
    return isTooMuch
      ? excess(`has more values than fit into ${this.#maxTokens} commas, colons and brackets`)
      : undefined;
  }
}

function excess(what: string): AutocertError {
  return new AutocertError('INVALID_INPUT', `the body ${what}`);
}
