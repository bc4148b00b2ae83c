/**
 * The Kubernetes API as far as the init Job uses it: objects by path, in memory.
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

/** Holds objects, notes writes, and dies when told to. */
export class ObjectStore {
  readonly objects = new Map<string, unknown>();
  readonly writes: Write[] = [];
  /** Called before each write; what it throws is the write's outcome. */
  beforeWrite: (write: Write) => void = () => {};

  async get<T>(path: string): Promise<T> {
    const found = this.objects.get(path);
    if (found === undefined) throw apiError(404, 'NotFound', `${path} not found`);
    return structuredClone(found) as T;
  }

  async create<T>(collection: string, body: unknown): Promise<T> {
    const path = `${collection}/${(body as Named).metadata.name}`;
    this.beforeWrite({ method: 'create', path, body });
    if (this.objects.has(path)) throw apiError(409, 'AlreadyExists', `${path} exists`);
    this.writes.push({ method: 'create', path, body });
    this.objects.set(path, structuredClone(body));
    return body as T;
  }

  async apply<T>(path: string, body: unknown, fieldManager: string): Promise<T> {
    const write: Write = { method: 'apply', path, body, fieldManager };
    this.beforeWrite(write);
    this.writes.push(write);
    this.objects.set(path, structuredClone(body));
    return body as T;
  }
}
