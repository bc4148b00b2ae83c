/** What the benchmarks use of autocannon, which brings no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export interface Request {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    /** Makes the next request out of this one. */
    readonly setupRequest?: (request: object) => object;
  }

  export interface Options extends Request {
    readonly url: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration?: number;
    /** Requests after which to end, instead of `duration`. */
    readonly amount?: number;
    /** Sent in turn by each connection. */
    readonly requests?: readonly Request[];
  }

  export interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly non2xx: number;
  }

  type Done = (error: Error | null, result: Result) => void;

  export default function autocannon(options: Options, done: Done): EventEmitter;
}
