/**
 * The Kubernetes API as far as tests need it: objects by path, in memory.
 * @module
 */
import { apiError } from '../../runtime/kubernetes/wire.ts';

/** An object with a name. */
interface Named {
  readonly metadata: { readonly name: string };
}

/** One write that was asked for. */
export interface Write {
  readonly method: 'create' | 'apply';
  readonly path: string;
  readonly body: unknown;
  readonly fieldManager?: string;
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

  async get<T>(path: string): Promise<T> {
    this.#note('GET', path);
    const found = this.objects.get(path);
    if (found === undefined) throw apiError(404, 'NotFound', `${path} not found`);
    return structuredClone(found) as T;
  }

  async create<T>(collection: string, body: unknown): Promise<T> {
    this.#note('POST', collection);
    const review = this.reviews.get(collection);
    if (review) return review(body) as T;
    const path = `${collection}/${(body as Named).metadata.name}`;
    this.beforeWrite({ method: 'create', path, body });
    if (this.objects.has(path)) throw apiError(409, 'AlreadyExists', `${path} exists`);
    this.writes.push({ method: 'create', path, body });
    this.objects.set(path, structuredClone(body));
    return body as T;
  }

  async apply<T>(path: string, body: unknown, fieldManager: string): Promise<T> {
    this.#note('PATCH', path);
    const write: Write = { method: 'apply', path, body, fieldManager };
    this.beforeWrite(write);
    this.writes.push(write);
    this.objects.set(path, structuredClone(body));
    return body as T;
  }

  #note(method: string, path: string): void {
    this.calls.push(`${method} ${path}`);
    const failure = this.failures.get(path);
    if (failure) throw failure;
  }
}
