/**
 * A client of the OCI distribution protocol, as far as pushing goes: blobs, and manifests.
 * @module
 */
import { parseBoundedJson } from '../../runtime/lib/bounded-json.ts';
import { AutocertError, messageOf } from '../../runtime/lib/errors.ts';
import { nextDelay, retryAfterMs, type Sleep, sleep } from '../../runtime/lib/loops.ts';
import { Secret } from '../../runtime/lib/secret.ts';
import type { Descriptor } from '../oci-image.ts';
import type { RegistryAccess } from './access.ts';
import { type Challenge, challenges, tokenUrl } from './challenge.ts';
import type { Reference } from './reference.ts';

/** What a client works with. */
export interface RegistryEffects {
  readonly fetch: typeof fetch;
  readonly sleep: Sleep;
  readonly random: () => number;
  /** Told of each try that failed and is made again. */
  readonly warn: (text: string) => void;
}

const EFFECTS: RegistryEffects = { fetch, sleep, random: Math.random, warn: console.warn };
const TRIES = 5;
const BACKOFF = { base: 500, cap: 15_000 } as const;
/** For one request; the largest layer has some 130 MB. */
const TIMEOUT_MS = 600_000;
const LARGEST_ANSWER = 1 << 20;
const LONGEST_WAIT_S = 300;

/** A repository in a registry. */
export class Registry {
  readonly #target: Reference;
  readonly #access: RegistryAccess;
  readonly #effects: RegistryEffects;
  #authorization: Secret | undefined;

  constructor(target: Reference, access: RegistryAccess, effects: RegistryEffects = EFFECTS) {
    this.#target = target;
    this.#access = access;
    this.#effects = effects;
  }

  /**
   * Puts a blob there.
   * @returns `false`: it was there
   * @throws AutocertError `UNAVAILABLE` when the registry does not answer, else for what it refuses
   */
  async pushBlob({ digest }: Descriptor, content: Uint8Array): Promise<boolean> {
    return this.#patiently(`blob ${digest}`, async () => {
      const head = await this.#send('HEAD', this.#url(`blobs/${digest}`));
      if (head.status === 200) return false;
      if (head.status !== 404) throw await refusal(head, `asking for blob ${digest}`);
      const begun = await this.#send('POST', this.#url('blobs/uploads/'));
      if (begun.status !== 202) throw await refusal(begun, 'beginning an upload');
      const place = URL.parse(begun.headers.get('location') ?? '', begun.url || this.#access.origin);
      if (place === null)
        throw new AutocertError('INVALID_INPUT', 'the registry begins an upload, but says not where to');
      place.searchParams.set('digest', digest);
      const done = await this.#send('PUT', place, content, 'application/octet-stream');
      if (done.status !== 201) throw await refusal(done, `uploading blob ${digest}`);
      return true;
    });
  }

  /**
   * Puts a manifest or an index there.
   * @param reference a tag, or its digest
   * @throws AutocertError as {@link Registry.pushBlob}; also for a registry that has another digest for these bytes
   */
  async pushManifest({ mediaType, digest }: Descriptor, content: Uint8Array, reference: string): Promise<void> {
    await this.#patiently(`manifest ${reference}`, async () => {
      const answer = await this.#send('PUT', this.#url(`manifests/${reference}`), content, mediaType);
      if (answer.status !== 201) throw await refusal(answer, `pushing manifest ${reference}`);
      const theirs = answer.headers.get('docker-content-digest') ?? digest;
      if (theirs !== digest) {
        throw new AutocertError('UNTRUSTED', `the registry has digest ${theirs.slice(0, 80)} for what is ${digest}`);
      }
    });
  }

  #url(path: string): URL {
    return new URL(`/v2/${this.#target.name}/${path}`, this.#access.origin);
  }

  /** Tries again what is worth it; an upload begins anew. */
  async #patiently<T>(what: string, task: () => Promise<T>): Promise<T> {
    const { signal } = new AbortController();
    let delay: number | undefined;
    for (let tries = 1; ; tries += 1) {
      try {
        return await task();
      } catch (error) {
        if (!(error instanceof AutocertError && error.code === 'UNAVAILABLE') || tries === TRIES) throw error;
        delay = Math.max(nextDelay(delay, this.#effects.random(), BACKOFF), retryAfterMs(error) ?? 0);
        this.#effects.warn(`${what}: ${messageOf(error)}; again in ${(delay / 1000).toFixed(1)} s`);
        await this.#effects.sleep(delay, signal);
      }
    }
  }

  /** Proves who we are where the registry asks for it, once for all that follows. */
  async #send(method: string, url: URL, content?: Uint8Array, type?: string): Promise<Response> {
    const send = () => this.#exchange(method, url, content, type);
    const answer = await send();
    if (answer.status !== 401) return answer;
    await answer.body?.cancel();
    this.#authorization = await this.#authorize(challenges(answer.headers.get('www-authenticate') ?? ''));
    const again = await send();
    if (again.status === 401) throw this.#unauthenticated('the registry does not take the credentials');
    return again;
  }

  async #authorize(asked: readonly Challenge[]): Promise<Secret> {
    const { basic, origin } = this.#access;
    const bearer = asked.find(({ scheme }) => scheme === 'bearer');
    if (bearer === undefined) {
      if (basic === undefined) throw this.#unauthenticated('the registry asks for a password');
      return basicHeader(basic);
    }
    const url = tokenUrl(bearer, `repository:${this.#target.name}:pull,push`, origin.startsWith('http:'));
    const headers = basic === undefined ? {} : { authorization: basicHeader(basic).reveal() };
    const answer = await this.#fetch(url, { headers, redirect: 'error' });
    if (answer.status === 401 || answer.status === 403) throw this.#unauthenticated(`${url.host} gives no token`);
    if (answer.status !== 200) throw await refusal(answer, `asking ${url.host} for a token`);
    const body = parseBoundedJson(await bounded(answer)) as { token?: unknown; access_token?: unknown } | undefined;
    const token = body?.token ?? body?.access_token;
    if (typeof token !== 'string' || /[^\x21-\x7e]/.test(token)) {
      throw new AutocertError('INVALID_INPUT', `${url.host} answered without a token`);
    }
    return new Secret(`Bearer ${token}`);
  }

  #unauthenticated(what: string): AutocertError {
    const login = `\`docker login ${this.#target.registry}\` or its like writes them`;
    return new AutocertError('UNAUTHENTICATED', `${what}: ${this.#access.source}; ${login}`);
  }

  #exchange(method: string, url: URL, content?: Uint8Array, type?: string): Promise<Response> {
    // A registry may have uploads elsewhere, and nobody else gets its password.
    const own = url.origin === new URL(this.#access.origin).origin;
    const headers = {
      ...(own && this.#authorization !== undefined && { authorization: this.#authorization.reveal() }),
      ...(type !== undefined && { 'content-type': type }),
    };
    return this.#fetch(url, { method, headers, ...(content && { body: content as Uint8Array<ArrayBuffer> }) });
  }

  async #fetch(url: URL, options: RequestInit): Promise<Response> {
    try {
      return await this.#effects.fetch(url, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new AutocertError('UNAVAILABLE', `no answer from ${url.origin}`, { cause });
    }
  }
}

function basicHeader(basic: Secret): Secret {
  return new Secret(`Basic ${basic.reveal()}`);
}

/** What the registry says is wrong. Worth another try: its own troubles, and too many requests. */
async function refusal(answer: Response, what: string): Promise<AutocertError> {
  const momentary = answer.status >= 500 || answer.status === 429;
  const said = await bounded(answer).then(wordsOf, () => '');
  const wait = /^\d{1,9}$/.exec(answer.headers.get('retry-after') ?? '')?.[0];
  const code = momentary ? 'UNAVAILABLE' : answer.status === 403 ? 'FORBIDDEN' : 'INVALID_INPUT';
  return new AutocertError(code, `${what}: ${new URL(answer.url).host} answered ${answer.status}${said}`, {
    status: answer.status,
    ...(wait !== undefined && { retryAfterMs: Math.min(Number(wait), LONGEST_WAIT_S) * 1000 }),
  });
}

function wordsOf(body: Buffer): string {
  const { errors } = (parseBoundedJson(body) ?? {}) as { errors?: readonly { code?: unknown; message?: unknown }[] };
  const [first] = Array.isArray(errors) ? errors : [];
  return first === undefined ? '' : ` ${JSON.stringify(`${first.code}: ${first.message}`.slice(0, 300))}`;
}

async function bounded(answer: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > LARGEST_ANSWER)
      throw new AutocertError('INVALID_INPUT', `the answer is larger than ${LARGEST_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
