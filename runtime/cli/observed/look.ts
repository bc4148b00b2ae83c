/**
 * Reads what the user may read, and remembers what it could not.
 * @module
 */
import { pages } from '../../kubernetes/pages.ts';
import { AutocertError, messageOf } from '../../lib/errors.ts';
import type { Connection } from '../cluster-connection.ts';
import { excerpt, MAX_TEXT } from '../terminal.ts';

/** What is there; `null`: there is none; `undefined`: nobody could look. */
export type Known<T> = T | null | undefined;

/** Objects a page: small pages, for some objects (nodes) are large. */
const PAGE_SIZE = 250;

/** One look at a cluster. */
export class Look {
  readonly api: Connection['api'];
  readonly #unseen = new Set<string>();
  #hasFailed = false;

  constructor(api: Connection['api']) {
    this.api = api;
  }

  /** What was not looked at, a line each. */
  get notLookedAt(): readonly string[] {
    return [...this.#unseen].sort();
  }

  /** Whether a question failed that may be answered the next time: not for lack of rights. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Reads an object.
   * @param resource as RBAC has it, such as `configmaps`; with the namespace where it has one
   * @throws AutocertError `UNAVAILABLE` when the API server answers nothing any more
   */
  get<T>(path: string, resource: string): Promise<Known<T>> {
    return this.try(`${resource}, for lack of the verb get`, resource, () => this.api.get<T>(path));
  }

  /** Reads a list to its end, or `max` of it, of each object what `pick` takes. A kind that is not served has none. */
  async list<T, R>(
    path: string,
    resource: string,
    max: number,
    pick: (object: T) => R | undefined,
    query: Readonly<Record<string, string>> = {},
  ): Promise<readonly R[] | undefined> {
    const found = await this.try(`${resource}, for lack of the verb list`, resource, async () => {
      const all: R[] = [];
      for await (const { items } of pages<T>(this.api, path, { query, size: PAGE_SIZE })) {
        for (const object of items ?? []) {
          const picked = pick(object);
          if (picked === undefined) continue;
          if (all.length === max) {
            this.#unseen.add(`${resource} beyond the first ${max}`);
            return all;
          }
          all.push(picked);
        }
      }
      return all;
    });
    return found === null ? [] : found;
  }

  /** What `read` gives; `null`: the API server says that there is none. */
  async try<T>(forbidden: string, what: string, read: () => Promise<T>): Promise<Known<T>> {
    try {
      return await read();
    } catch (error) {
      const status = error instanceof AutocertError ? error.status : undefined;
      if (status === 404) return null;
      if (status === undefined) throw error;
      this.#hasFailed ||= status !== 403;
      this.#unseen.add(status === 403 ? forbidden : `${what}: ${excerpt(messageOf(error), MAX_TEXT)}`);
      return undefined;
    }
  }

  /** Notes what could not be looked at. */
  missed(line: string): void {
    this.#unseen.add(line);
  }
}
