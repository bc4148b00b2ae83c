/**
 * What the dashboard's server answers to a request. Pure. It is for the browser of this machine: other sites may neither read
 * it (no CORS, the `Host` header against DNS rebinding) nor show it in a frame, and the page loads and asks nothing of others.
 * @module
 */
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

/** Where the page asks for what it shows. */
export const DATA_PATH = '/status.json';

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

/** The answer; `data` is asked for what the page shows, JSON. */
export function answerTo({ method, url = '', host = '' }: Asked, files: PageFiles, data: () => string): Answer {
  if (!OUR_HOST.test(host)) return refusal(421, 'this server is for http://127.0.0.1 and http://localhost alone');
  if (method !== 'GET') return refusal(405, 'GET only', { allow: 'GET' });
  const [path = ''] = url.split('?', 1);
  if (path === DATA_PATH) return found('application/json', data());
  if (!isFile(path)) return refusal(404, 'there is nothing here; the page is at /');
  return found(TYPES[path], files[path]);
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
