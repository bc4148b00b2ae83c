/**
 * Before each file of unit tests: a key is derived from a password with a few rounds where the program asks for hundreds of
 * thousands, which take a tenth of a second each time, and there are a thousand such times. Whoever encrypts and whoever
 * opens get the same key as long as both are in this process, and another one for another password. The real rounds are
 * those of `test/unit/step-ca/password-jwe.test.ts`, and of the interoperability tests with `step`.
 * @module
 */
const { subtle } = globalThis.crypto;
/** Of the prototype: a worker's next file finds the own property of the last one. */
const derive: SubtleCrypto['deriveBits'] = Object.getPrototypeOf(subtle).deriveBits;

Object.defineProperty(subtle, 'deriveBits', {
  configurable: true,
  value: (algorithm: Parameters<typeof derive>[0], ...others: [CryptoKey, number]) => {
    const { iterations } = algorithm as { iterations?: number };
    const few =
      iterations === undefined ? algorithm : { ...(algorithm as object), iterations: Math.ceil(iterations / 1000) };
    return derive.call(subtle, few as typeof algorithm, ...others);
  },
});

/** Gives this file the real rounds. */
export function realRounds(): void {
  Reflect.deleteProperty(subtle, 'deriveBits');
}
