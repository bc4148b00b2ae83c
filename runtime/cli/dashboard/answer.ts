/**
 * What the dashboard's server answers to a request. Pure. It is for the browser of who started it: other users of this machine
 * lack the token in its path, other sites may neither read it (no CORS, the `Host` header against DNS rebinding) nor show it in
 * a frame, and the page loads and asks nothing of others.
 *
 * The token is in the path, and in no cookie: a browser sends cookies of 127.0.0.1 to all its ports, also to those at which
 * another user of the machine listens.
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { PageFiles } from './page-files.ts';

/** Of a request, what is looked at. */
export interface Asked {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly host?: string | undefined;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What there is to answer with. */
export interface Site {
  /** The first part of each path. */
  readonly token: string;
  readonly files: PageFiles;
  /** What the page shows, JSON. */
  readonly data: () => string;
}

/** Where the page asks for what it shows, behind the token. */
const DATA_PATH = '/status.json';
/** The token, and what is behind it. */
const PATH = /^\/([^/?]*)(\/[^?]*)?/;

/** Nothing but what this server has; texts never become a part of the document. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
} as const;

const TYPES: Readonly<Record<keyof PageFiles, string>> = {
  '/': 'text/html; charset=utf-8',
  '/style.css': 'text/css; charset=utf-8',
  '/page.js': 'text/javascript; charset=utf-8',
  '/icon.svg': 'image/svg+xml',
};

/** This machine, by whatever port: one that is forwarded has another number. */
const OUR_HOST = /^(?:localhost|127\.0\.0\.1)(?::\d{1,5})?$/;

/** The answer. */
export function answerTo({ method, url = '', host = '' }: Asked, { token, files, data }: Site): Answer {
  if (!OUR_HOST.test(host)) return refusal(421, 'this server is for http://127.0.0.1 and http://localhost alone');
  if (method !== 'GET') return refusal(405, 'GET only', { allow: 'GET' });
  const [, given = '', path = ''] = PATH.exec(url) ?? [];
  if (!isSame(given, token)) return refusal(403, 'open the whole address that autocert dashboard has printed');
  if (path === DATA_PATH) return found('application/json', data());
  if (!isFile(path)) return refusal(404, 'there is nothing here; the page is at the address that was printed');
  return found(TYPES[path], files[path]);
}

/** In a time that tells neither how long the token is, nor how much of it was right. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function isFile(path: string): path is keyof PageFiles {
  return Object.hasOwn(TYPES, path);
}

function found(type: string, body: string): Answer {
  return { status: 200, headers: { ...HEADERS, 'content-type': type }, body };
}

function refusal(status: number, message: string, more: Answer['headers'] = {}): Answer {
  return {
    status,
    headers: { ...HEADERS, ...more, 'content-type': 'text/plain; charset=utf-8' },
    body: `${message}\n`,
  };
}
