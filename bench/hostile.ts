/**
 * Admission under bodies that a tenant can have the API server send, or can send itself: how long the webhook serves nobody
 * else, and how much it grows.
 * @module
 */
import https from 'node:https';
import { join } from 'node:path';
import { DOMAIN, WebhookPath } from '../runtime/contract.ts';
import { parseBoundedJson } from '../runtime/lib/bounded-json.ts';
import { MAX_ANNOTATIONS } from '../runtime/policy/annotations.ts';
import { admit } from '../runtime/webhook/admission.ts';
import { readWebhookConfig } from '../runtime/webhook/config.ts';
import type { Effort } from './effort.ts';
import { type Figure, median, range } from './figure.ts';
import { peakMegabytes } from './memory.ts';
import type { Peers } from './peers.ts';
import { REVIEW } from './pod.ts';

const PROGRAM = `${import.meta.dirname}/programs/echo.ts`;
const ROUNDS = 9;
const LARGEST = 3 * 2 ** 20;
/** Of all annotations of an object, by the Kubernetes API. */
const ANNOTATION_BYTES = 256 * 2 ** 10;

/** A review of a pod that has these annotations besides its own. */
function reviewWith(annotations: Readonly<Record<string, string>>): string {
  const review = JSON.parse(REVIEW);
  review.request.object.metadata.annotations = { ...review.request.object.metadata.annotations, ...annotations };
  return JSON.stringify(review);
}

const filled = (part: string, bytes = LARGEST) => part.repeat(Math.floor(bytes / part.length));
const many = (count: number, key: (index: number) => string, value: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [key(index), value]));
const legal = many(
  MAX_ANNOTATIONS - 10,
  (index) => `example.com/note-${index}`,
  'x'.repeat(ANNOTATION_BYTES / MAX_ANNOTATIONS - 24),
);

const LEGAL = 'the largest legal pod: 990 annotations, 256 KiB';
const JUDGEMENTS = 99;

const BODIES: readonly (readonly [name: string, body: string, aim: string])[] = [
  [LEGAL, reviewWith(legal), ''],
  [
    '45,000 unknown annotations, 2.9 MB',
    reviewWith(many(45_000, (i) => `${DOMAIN}/${'x'.repeat(40)}${i}`, 'y')),
    '50 ms',
  ],
  ['3 MiB of [', filled('['), '50 ms'],
  ['3 MiB of {}', `[${filled('{},')}{}]`.slice(-LARGEST), '50 ms'],
  ['a text of 3 MB in a review', reviewWith({ 'example.com/text': 'x'.repeat(3_000_000) }), '50 ms'],
  ['3 MB of escapes in a review', reviewWith({ 'example.com/text': '\u0001'.repeat(500_000) }), '50 ms'],
];

/** Runs all of it. */
export async function hostile(
  { dir, webhook, webhookPid, tls, processes, pki }: Peers,
  effort: Effort,
): Promise<Figure[]> {
  const echo = await new Promise<string>((resolve) => {
    void processes.node('echo', [PROGRAM, tls.certFile, tls.keyFile], { onLine: resolve });
  });
  const ca = pki.pki.rootPem;
  const here = { url: `${webhook}${WebhookPath.mutate}`, ca };
  const bare = { url: `${echo}/echo`, ca };
  for (let round = 0; round < effort(50); round += 1)
    for (const server of [here, bare]) await blockedFor(server, REVIEW);
  const figures: Figure[] = [judgement(join(dir, 'webhook.json'), effort(JUDGEMENTS))];
  for (const [name, body, aim] of BODIES) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    const growths: number[] = [];
    for (let round = 0; round < effort(ROUNDS); round += 1) {
      const peak = peakMegabytes(webhookPid);
      ours.push(await blockedFor(here, body));
      growths.push(peak());
      theirs.push(await blockedFor(bare, body));
    }
    const baseline = { name: 'fastify echo', value: median(theirs) };
    figures.push(
      { name: `others wait for ${name}`, value: median(ours), unit: 'ms', range: range(ours), baseline, aim },
      { name: 'webhook grows by it', value: Math.max(...growths), unit: 'MB', range: range(growths), aim: '16 MB' },
    );
  }
  return figures;
}

/** From bytes to the answer, without TLS: what nobody else gets of the webhook's time. */
function judgement(configFile: string, count: number): Figure {
  const config = readWebhookConfig(configFile);
  const bytes = Buffer.from(reviewWith(legal));
  const surroundings = {
    config: () => config,
    capabilities: () => ({ podCertificates: true, nativeSidecars: true }),
    sidecar: () => undefined,
  };
  const sample = Array.from({ length: count }, () => {
    const started = performance.now();
    const { result } = admit(parseBoundedJson(bytes), surroundings);
    if (result !== 'injected') throw new Error(`the largest legal pod is ${result}`);
    return performance.now() - started;
  });
  return { name: `judgement of ${LEGAL}`, value: median(sample), unit: 'ms', range: range(sample), aim: '5 ms' };
}

interface Server {
  readonly url: string;
  readonly ca: string;
}

/** The longest that a question on another connection waits while the server has to do with this body, milliseconds. */
async function blockedFor(server: Server, body: string): Promise<number> {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const question = { ...server, url: new URL('/nowhere', server.url).href };
  await ask(question, agent); // the handshake
  let over = false;
  const attack = ask(server, new https.Agent(), body).finally(() => {
    over = true;
  });
  let longest = 0;
  do {
    const started = performance.now();
    await ask(question, agent);
    longest = Math.max(longest, performance.now() - started);
  } while (!over);
  await attack;
  agent.destroy();
  return longest;
}

/** Resolves when it is answered, whatever the answer is. */
function ask({ url, ca }: Server, agent: https.Agent, body?: string): Promise<void> {
  const method = body === undefined ? 'GET' : 'POST';
  const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers, agent, ca }, (response) => {
      response.resume().once('close', () => resolve());
    });
    request.once('error', reject).end(body);
  });
}
