/**
 * The types of `@kubernetes/client-node` describe what its own client makes of an answer: there, a time is a `Date`.
 * In JSON it is a string (RFC 3339).
 * @module
 */

/** `T` as it is in JSON, read-only. */
export type AsJson<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly AsJson<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: AsJson<T[Key]> }
      : T;
