/**
 * The Kubernetes API as far as tests need it: objects by path, in memory.
 * @module
 */
import type { TextAnswer } from '../../runtime/kubernetes/client.ts';
import { apiError } from '../../runtime/kubernetes/wire.ts';

/** An object with a name. */
interface Named {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
}

/** One write that was asked for. */
export interface Write {
  readonly method: 'create' | 'apply' | 'update' | 'patch' | 'delete';
  readonly path: string;
  readonly body?: unknown;
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Holds objects, notes calls, and fails when told to. */
export class ObjectStore {
  readonly objects = new Map<string, unknown>();
  readonly writes: Write[] = [];
  /** Every call, such as `GET /version`. */
  readonly calls: string[] = [];
  /** What a call answers by throwing it, by path. */
  readonly failures = new Map<string, Error>();
  /** Collections that answer what is created in them, and keep nothing: reviews. */
  readonly reviews = new Map<string, (body: unknown) => unknown>();
  /** Called before each write; what it throws is the write's outcome. */
  beforeWrite: (write: Write) => void = () => {};
  /** Called after each write. */
  afterWrite: (write: Write) => void = () => {};
  /** What collections list, by path: `GET` in pages. */
  readonly lists = new Map<string, readonly unknown[]>();
  /** What is no JSON, by path. */
  readonly texts = new Map<string, TextAnswer>();
  /** The clock that objects are dated by. */
  now: () => Date = () => new Date();
  readonly #versions = new Map<string, number>();
  readonly #createdAt = new Map<string, string>();

  async get<T>(path: string): Promise<T> {
    this.#note('GET', path);
    const found = this.objects.get(path);
    if (found === undefined) throw apiError(404, 'NotFound', `${path} not found`);
    const { metadata = {}, ...rest } = JSON.parse(JSON.stringify(found)) as { metadata?: object }; // as over the wire
    const creationTimestamp = this.#createdAt.get(path);
    const kept = { resourceVersion: this.#version(path), ...(creationTimestamp && { creationTimestamp }) };
    return { ...rest, metadata: { ...metadata, ...kept } } as T;
  }

  async text(path: string): Promise<TextAnswer> {
    this.#note('GET', path);
    return this.texts.get(path) ?? { status: 404, text: `${path} not found` };
  }

  async create<T>(collection: string, body: unknown): Promise<T> {
    this.#note('POST', collection);
    const review = this.reviews.get(collection);
    if (review) return review(body) as T;
    const path = `${collection}/${(body as Named).metadata.name}`;
    this.beforeWrite({ method: 'create', path, body });
    if (this.objects.has(path)) throw apiError(409, 'AlreadyExists', `${path} exists`);
    this.#done({ method: 'create', path, body });
    return body as T;
  }

  async update<T>(path: string, body: unknown): Promise<T> {
    this.#note('PUT', path);
    this.beforeWrite({ method: 'update', path, body });
    if (!this.objects.has(path)) throw apiError(404, 'NotFound', `${path} not found`);
    const { name, resourceVersion, ...metadata } = (body as Named).metadata;
    if (resourceVersion !== undefined && resourceVersion !== this.#version(path)) {
      throw apiError(409, 'Conflict', `${path} was changed`);
    }
    this.#done({ method: 'update', path, body: { ...(body as object), metadata: { name, ...metadata } } });
    return {
      ...(body as object),
      metadata: { ...(body as Named).metadata, resourceVersion: this.#version(path) },
    } as T;
  }

  /** `DELETE`, `GET` of {@link lists}, `PATCH` as a merge patch (RFC 7396), and `POST` that is only tried (`dryRun`). */
  async request<T>(
    method: string,
    path: string,
    options: { query?: Readonly<Record<string, string>>; body?: unknown } = {},
  ): Promise<T> {
    this.#note(method, path);
    if (method === 'GET') return this.#page(path, options.query ?? {}) as T;
    if (method === 'POST') {
      if (options.query?.dryRun !== 'All') throw new Error(`POST ${path} here is for dry runs`);
      const tried = `${path}/${(options.body as Named).metadata.name}`;
      if (this.objects.has(tried)) throw apiError(409, 'AlreadyExists', `${tried} exists`);
      return options.body as T;
    }
    if (method === 'PATCH') return this.#patch(path, options.body) as T;
    this.beforeWrite({ method: 'delete', path });
    if (!this.objects.has(path)) throw apiError(404, 'NotFound', `${path} not found`);
    const { preconditions } = (options.body ?? {}) as { preconditions?: { resourceVersion?: string } };
    const { resourceVersion } = preconditions ?? {};
    if (resourceVersion !== undefined && resourceVersion !== this.#version(path)) {
      throw apiError(409, 'Conflict', `${path} was changed`);
    }
    this.#done({ method: 'delete', path });
    return {} as T;
  }

  /** Of a dry run {@link beforeWrite} learns, and nothing else: its `Write` says so. */
  async apply<T>(
    path: string,
    body: unknown,
    fieldManager: string,
    { dryRun = false, force = true }: { dryRun?: boolean; force?: boolean } = {},
  ): Promise<T> {
    this.#note('PATCH', path);
    const write: Write = { method: 'apply', path, body, fieldManager, ...(dryRun && { dryRun }), force };
    this.beforeWrite(write);
    if (!dryRun) this.#done(write);
    return body as T;
  }

  #page(path: string, { limit = 'Infinity', continue: from = '0' }: Readonly<Record<string, string>>): object {
    const end = Number(from) + Number(limit);
    const all = this.lists.get(path) ?? [];
    return {
      metadata: end < all.length ? { continue: String(end) } : {},
      items: structuredClone(all.slice(Number(from), end)),
    };
  }

  #patch(path: string, body: unknown): unknown {
    this.beforeWrite({ method: 'patch', path, body });
    if (!this.objects.has(path)) throw apiError(404, 'NotFound', `${path} not found`);
    const patched = merged(this.objects.get(path), body);
    this.#done({ method: 'patch', path, body: patched });
    return patched;
  }

  #version(path: string): string {
    return String(this.#versions.get(path) ?? 1);
  }

  #done(write: Write): void {
    const { method, path, body } = write;
    this.writes.push(write);
    if (method === 'create') this.#createdAt.set(path, this.now().toISOString());
    this.#versions.set(path, Number(this.#version(path)) + 1);
    if (method === 'delete') this.objects.delete(path);
    else this.objects.set(path, structuredClone(body));
    this.afterWrite(write);
  }

  #note(method: string, path: string): void {
    this.calls.push(`${method} ${path}`);
    const failure = this.failures.get(path);
    if (failure) throw failure;
  }
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): unknown {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...(target as object) } : {};
  for (const [key, value] of Object.entries(patch as object)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
