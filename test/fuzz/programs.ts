/**
 * What comes to the webhook and the signer from outside, sent to them without a network: whatever it is, they answer in
 * time, with a refusal or with something sound.
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import fc, { type Arbitrary } from 'fast-check';
import { applyPatch } from '../../runtime/cli/json-patch.ts';
import { WebhookPath } from '../../runtime/contract.ts';
import { AutocertError } from '../../runtime/lib/errors.ts';
import { createMetrics } from '../../runtime/lib/metrics.ts';
import { buildApp } from '../../runtime/webhook/app.ts';
import { sidecarPatch } from '../../runtime/webhook/injection-patch.ts';
import { podProblem } from '../../runtime/webhook/pod.ts';
import { readKeyRequest } from '../../runtime/x509/certificate-request.ts';
import { requestWithNames } from '../support/certificate-requests.ts';
import { EndpointWorld } from '../support/endpoint-world.ts';
import { reviewOf, webhookConfig } from '../support/reviews.ts';
import { bodiesLike } from './bodies.ts';
import { FUZZ_POLICY } from './names.ts';
import { Outcome } from './outcome.ts';
import { inNamespace, objectOf, pods } from './pods.ts';

/** How many, and which. */
export interface Amount {
  readonly seed: number;
  readonly count: number;
}

const sample = <T>(values: Arbitrary<T>, { seed, count }: Amount) => fc.sample(values, { seed, numRuns: count });
const silent = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

/** Bodies of POST /mutate. A patch applies, and leaves a pod. */
export async function admissionReviews(amount: Amount): Promise<Outcome> {
  const outcome = new Outcome('AdmissionReviews');
  const config = webhookConfig(FUZZ_POLICY);
  const sidecar = sidecarPatch({ ...config, anchors: ['AB'], hostAliases: '' });
  const app = buildApp({
    config: () => config,
    capabilities: () => ({ podCertificates: true, nativeSidecars: true }),
    sidecar: () => sidecar,
    metrics: createMetrics(),
    log: silent as never,
  });
  const reviews = pods.map((pod) => {
    const [, object] = objectOf('Pod', inNamespace(pod, pod.namespace));
    return reviewOf(object, { namespace: pod.namespace });
  });
  for (const payload of sample(bodiesLike(reviews), amount)) {
    await outcome.run(payload, async () => {
      const headers = { 'content-type': 'application/json' };
      const { statusCode, body } = await app.inject({ method: 'POST', url: WebhookPath.mutate, headers, payload });
      if (statusCode >= 500) throw new Error(`status ${statusCode}: ${body}`);
      if (statusCode !== 200) return outcome.count('no reviews');
      const { allowed, patch } = JSON.parse(body).response as { allowed: boolean; patch?: string };
      outcome.count(patch ? 'injected' : allowed ? 'left alone' : 'denied');
      if (patch === undefined) return;
      const pod = JSON.parse(payload).request.object;
      const problem = podProblem(applyPatch(pod, JSON.parse(Buffer.from(patch, 'base64').toString())));
      if (problem) throw new Error(`the patched pod is none: ${problem}`);
    });
  }
  await app.close();
  return outcome;
}

const NAMES = [
  {},
  { commonName: 'ca.step.svc' },
  { dns: ['pay.bank.svc', '*'] },
  { uri: ['spiffe://example.com/one'] },
  { ip: ['198.19.0.1'] },
];
const KEYS = [
  generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  generateKeyPairSync('ed25519'),
  generateKeyPairSync('rsa', { modulusLength: 2048 }),
];
const GOOD = KEYS.flatMap((keys) => NAMES.map((names) => requestWithNames(names, keys)));
const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
/** Such as kubelet makes: without names. */
export const EMPTY_REQUESTS = KEYS.map((keys) => derOf(requestWithNames({}, keys)));
type Edit = readonly [kind: 'set' | 'insert' | 'delete' | 'nest' | 'cut', at: number, byte: number];
const edit: Arbitrary<Edit> = fc.tuple(
  fc.constantFrom('set', 'insert', 'delete', 'nest', 'cut'),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x30, 0x31, 0x7f, 0x80, 0x82, 0x84, 0xa0, 0xff)),
);

/** PKCS#10 in DER: real ones, real ones with bytes changed, and bytes. */
export const requestsDer: Arbitrary<Buffer> = fc.oneof(
  {
    arbitrary: fc
      .tuple(fc.constantFrom(...GOOD.map(derOf)), fc.array(edit, { maxLength: 4 }))
      .map(([der, edits]) => edits.reduce(changed, der)),
    weight: 9,
  },
  { arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 6000 }).map((depth) => nested(depth)), weight: 1 },
);

function changed(der: Buffer, [kind, share, byte]: Edit): Buffer {
  const at = Math.floor(share * der.length);
  const [before, after] = [der.subarray(0, at), der.subarray(at)];
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    case 'insert':
      return Buffer.concat([before, Buffer.of(byte), after]);
    case 'delete':
      return Buffer.concat([before, after.subarray(1)]);
    case 'nest':
      return Buffer.concat([before, nested(byte * 8), after]);
    case 'cut':
      return before;
  }
}

/** SEQUENCEs in SEQUENCEs, of indefinite length. */
function nested(depth: number): Buffer {
  return Buffer.alloc(depth * 2, Buffer.of(0x30, 0x80));
}

/** Certificate requests: one that is taken has no name, and its key is its own. */
export async function certificateSigningRequests(amount: Amount): Promise<Outcome> {
  const outcome = new Outcome('CSRs');
  for (const der of sample(requestsDer, amount)) {
    await outcome.run(der.toString('base64'), () => {
      try {
        readKeyRequest(der, 'csr');
        outcome.count('taken');
      } catch (error) {
        if (!(error instanceof AutocertError) || error.code !== 'INVALID_INPUT') throw error;
        outcome.count('refused');
      }
    });
  }
  return outcome;
}

/** Bodies for the certificate endpoint: what is issued is the pod's own name, whatever is asked for. */
export async function certificateRequests(amount: Amount): Promise<Outcome> {
  const outcome = new Outcome('certificate requests');
  const world = await EndpointWorld.with();
  const pem = requestsDer.map(
    (der) => `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
  );
  const good = fc.record(
    {
      csr: fc.oneof({ arbitrary: fc.constantFrom(...GOOD), weight: 2 }, { arbitrary: pem, weight: 1 }),
      starting: fc.boolean(),
      sans: fc.constant(['pay.bank.svc']),
      names: fc.constant(['ca.step.svc']),
      duration: fc.constant('87600h'),
    },
    { requiredKeys: ['csr'] },
  );
  for (const text of sample(bodiesLike(good), amount)) {
    await outcome.run(text, async () => {
      let body: unknown;
      try {
        body = JSON.parse(text);
      } catch {
        return outcome.count('no JSON');
      }
      try {
        world.clock += 3_000; // more than one in two seconds a pod does not get
        const { names } = await world.ask(body);
        if (names.join() !== 'web.shop.svc') throw new Error(`issued for ${names.join()}`);
        outcome.count('issued');
      } catch (error) {
        if (!(error instanceof AutocertError) || error.code !== 'INVALID_INPUT') throw error;
        outcome.count('refused');
      }
    });
  }
  return outcome;
}
