/**
 * Floods: what comes in masses must cost the neighbours little, and nothing of ours may be restarted by it.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Annotation, AttestationToken, CERTIFICATE_PORT, SIGNER_NAME, WebhookPath } from '../../../runtime/contract.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { run } from '../../../scripts/cluster/shell.ts';
import { testPod } from '../../../scripts/cluster/workloads.ts';
import { reviewOf } from '../../support/reviews.ts';
import { SYSTEM } from '../context.ts';
import type { Attack, Defence } from './attack.ts';
import type { Flood } from './flood.ts';
import { ATTACK_NAMESPACES, type Lab, ownName } from './lab.ts';

const { tenant: TENANT } = ATTACK_NAMESPACES;
const FLOOD = join(import.meta.dirname, 'flood.ts');
/** Longest that the neighbour's pod may take meanwhile, on a node whose two CPUs do everything. */
const PATIENCE_SECONDS = 45;
/** Longest line of a log, bytes: fields have 4 KiB, and there are some. */
const LONGEST_LINE = 16_384;

/** Runs a flood in the network of the tenant's pod. */
async function flood(lab: Lab, what: Flood): Promise<Record<string, number>> {
  const argv = await lab.inPodNetwork([process.execPath, FLOOD, JSON.stringify(what)]);
  return JSON.parse(await run(argv, { timeoutMs: 240_000 })) as Record<string, number>;
}

/** While `work` goes on, the neighbour gets certificates by each delivery, and nothing is restarted. */
async function endured<T>(
  lab: Lab,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly happened: string }> {
  const restarts = await lab.restarts();
  let over = false;
  const working = work().finally(() => {
    over = true;
  });
  working.catch(() => undefined);
  let slowest = 0;
  do {
    for (const delivery of lab.context.native ? (['sidecar', 'native'] as const) : (['sidecar'] as const)) {
      slowest = Math.max(slowest, await lab.neighbour(delivery, PATIENCE_SECONDS * 1000));
    }
  } while (!over);
  const result = await working;
  assert.equal(await lab.restarts(), restarts, 'nothing of ours was restarted');
  return { result, happened: `the neighbour’s pods were ready within ${slowest.toFixed(1)} s; no restart` };
}

const shown = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([what, count]) => `${what}: ${count}`)
    .join(', ');
const service = (lab: Lab) => lab.admin.serviceAddress(SYSTEM, 'autocert');
const TOKEN_REVIEWS = /^apiserver_request_total\{.*resource="tokenreviews"/;

/** No line of the log is longer than it may be. */
async function linesAreShort(lab: Lab, app: string, since: Date): Promise<string> {
  const log = await lab.admin.run([
    '-n',
    SYSTEM,
    'logs',
    '-l',
    `app=${app}`,
    '--tail=-1',
    `--since-time=${since.toISOString()}`,
  ]);
  const longest = Math.max(0, ...log.split('\n').map(({ length }) => length));
  assert(longest <= LONGEST_LINE, `a line of ${longest} bytes`);
  return `longest line of ${app}’s log ${longest} bytes`;
}

/** A token that looks right: our audience, an hour, a pod; signed by nobody. */
function forgedToken(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const claims = {
    aud: [AttestationToken.audience],
    iss: 'https://kubernetes.default.svc.cluster.local',
    exp: seconds + 3600,
    iat: seconds,
    nbf: seconds,
    sub: `system:serviceaccount:${TENANT}:default`,
    'kubernetes.io': {
      namespace: TENANT,
      pod: { name: 'foothold', uid: 'x' },
      serviceaccount: { name: 'default', uid: 'x' },
    },
  };
  return `${part({ alg: 'RS256', kid: 'x' })}.${part(claims)}.{random}`;
}

/** Asks the certificate endpoint by one token, as fast as it can; counts the answers. */
async function requests(lab: Lab, token: string, most: { readonly count: number; readonly seconds: number }) {
  const [{ csrPem }, address] = [await createKeyAndRequest(), await service(lab)];
  const url = `https://${address}:${CERTIFICATE_PORT}/certificate`;
  return flood(lab, { kind: 'requests', url, token, body: JSON.stringify({ csr: csrPem }), atOnce: 32, ...most });
}

async function tokens(lab: Lab, token: string, most: number): Promise<Defence> {
  const since = new Date();
  const before = await lab.apiMetric(TOKEN_REVIEWS);
  const { result, happened } = await endured(lab, () => requests(lab, token, { count: 4000, seconds: 60 }));
  const reviews = (await lab.apiMetric(TOKEN_REVIEWS)) - before;
  assert.equal(result['200'] ?? 0, 0, 'none was issued');
  assert(reviews <= most, `${reviews} TokenReviews for ${shown(result)}`);
  return {
    happened: `${shown(result)}; ${reviews} TokenReviews; ${happened}`,
    trace: await lab.log('autocert', /"msg":"no certificate"|UNAUTHENTICATED|401/, since),
  };
}

/** A pod whose annotations nobody knows. */
function annotatedPod(name: string, count: number, length: number) {
  const junk = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`autocert.step.sm/${'x'.repeat(length)}${index}`, 'y']),
  );
  return testPod(TENANT, name, { annotations: { ...junk, [Annotation.name]: ownName(name) } });
}

const attacks: readonly Omit<Attack, 'ownNode'>[] = [
  {
    id: 'flood-garbage-tokens',
    name: 'sends 4,000 tokens that are none to the certificate endpoint',
    who: 'pod',
    expected: 'hardly a TokenReview; the neighbour gets certificates',
    run: (lab) => tokens(lab, '{random}.{random}.{random}', 100),
  },
  {
    id: 'flood-forged-tokens',
    name: 'sends 4,000 tokens that look right and that nobody has signed',
    who: 'pod',
    expected: 'a bounded number of TokenReviews; the neighbour gets certificates',
    run: (lab) => tokens(lab, forgedToken(), 2000),
  },
  {
    id: 'flood-slow-connections',
    name: 'opens 150 connections to each port of the webhook that never come to an end',
    who: 'pod',
    expected: 'no restart; the neighbour gets certificates',
    run: async (lab) => {
      const address = await service(lab);
      const { result, happened } = await endured(lab, () =>
        flood(lab, { kind: 'slow', host: address, ports: [443, CERTIFICATE_PORT], count: 300, seconds: 40 }),
      );
      return { happened: `${shown(result)}; ${happened}`, trace: await lab.gauge('autocert', /connections_cut_total/) };
    },
  },
  {
    id: 'flood-huge-bodies',
    name: 'posts 3 MB, 30 MB and 233 MB of JSON to /mutate and /certificate, with and without a length',
    who: 'pod',
    expected: '413 or a closed connection; no restart; the neighbour gets certificates',
    run: async (lab) => {
      const since = new Date();
      const address = await service(lab);
      const { result, happened } = await endured(lab, async () => {
        const counts: Record<string, number> = {};
        for (const url of [
          `https://${address}${WebhookPath.mutate}`,
          `https://${address}:${CERTIFICATE_PORT}/certificate`,
        ])
          for (const [bytes, count] of [
            [3_000_000, 8],
            [30_000_000, 4],
            [233_000_000, 1],
          ] as const)
            for (const chunked of [true, false])
              for (const [what, number] of Object.entries(
                await flood(lab, { kind: 'huge', url, bytes, count, chunked }),
              ))
                counts[what] = (counts[what] ?? 0) + number;
        return counts;
      });
      assert.equal(result['200'] ?? 0, 0, shown(result));
      return { happened: `${shown(result)}; ${happened}`, trace: await linesAreShort(lab, 'autocert', since) };
    },
  },
  {
    id: 'flood-largest-review',
    name: 'posts the largest review that is one, 2.9 MB of annotations, eight at once to /mutate',
    who: 'pod',
    expected: 'answered at once; no restart; the neighbour gets certificates',
    run: async (lab) => {
      const since = new Date();
      const url = `https://${await service(lab)}${WebhookPath.mutate}`;
      const body = JSON.stringify(reviewOf(annotatedPod('largest', 45_000, 40), { namespace: TENANT }));
      const file = join(lab.context.scratch, 'review.json');
      const { writeFileSync } = await import('node:fs');
      writeFileSync(file, body);
      const curl = [
        'curl',
        '-s',
        '-k',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} ',
        '--max-time',
        '30',
        '-H',
        'content-type: application/json',
        '--data-binary',
        `@${file}`,
        url,
      ];
      const argv = await lab.inPodNetwork([
        'sh',
        '-c',
        `for i in 1 2 3 4 5 6 7 8; do ${curl.map((word) => `'${word}'`).join(' ')} & done; wait`,
      ]);
      const { result, happened } = await endured(lab, () => run(argv, { timeoutMs: 120_000 }));
      return {
        happened: `${body.length} bytes: ${result.trim()}; ${happened}`,
        trace: await linesAreShort(lab, 'autocert', since),
      };
    },
  },
  {
    id: 'flood-annotations',
    name: 'creates pods with 45,000 annotations, and with 250 KiB of them, eight at a time',
    who: 'tenant',
    expected: 'refused; no restart; the neighbour gets certificates; no long line in a log',
    run: async (lab) => {
      const since = new Date();
      const { result, happened } = await endured(lab, () =>
        Promise.all(
          Array.from({ length: 16 }, (_, index) =>
            lab.create(
              lab.tenant,
              annotatedPod(lab.unique('large'), index % 2 === 0 ? 45_000 : 5000, index % 2 === 0 ? 20 : 30),
            ),
          ),
        ),
      );
      assert(
        result.every(({ code }) => code !== 0),
        'one was admitted',
      );
      return {
        happened: `all refused; ${happened}`,
        trace: `${await lab.log('autocert', /"result":"(denied|invalid)"/, since)}; ${await linesAreShort(lab, 'autocert', since)}`,
      };
    },
  },
  {
    id: 'flood-certificates',
    name: 'asks for certificates with its own good token as fast as it can, for 20 s',
    who: 'pod',
    expected: "a bounded number of certificates; the neighbour gets its; the CA's database hardly grows",
    run: async (lab) => {
      const token = await lab.tokenOf();
      const { result, happened } = await endured(lab, () => requests(lab, token, { count: 100_000, seconds: 20 }));
      const issued = result['200'] ?? 0;
      assert(issued <= 200, `${issued} certificates in 20 s: ${shown(result)}`);
      return {
        happened: `${shown(result)}; ${happened}`,
        trace: await lab.gauge('autocert', /autocert_certificates_(issued|refused|failed)_total/),
      };
    },
  },
  {
    id: 'flood-requests',
    name: 'has kubelet ask for 150 certificates by volumes of its own that are refused, again and again',
    who: 'tenant',
    native: true,
    expected: "the neighbour's certificate comes in time",
    run: async (lab) => {
      const pods = Array.from({ length: 5 }, () => lab.unique('many'));
      const sources = Array.from({ length: 30 }, (_, index) => ({
        podCertificate: { signerName: SIGNER_NAME, keyType: 'ECDSAP256', credentialBundlePath: `bundle-${index}.pem` },
      }));
      const spec = { volumes: [{ name: 'many', projected: { sources } }] };
      const annotations = { [Annotation.name]: 'pay.e2e-alice.svc', [Annotation.status]: 'injected' };
      const { result, happened } = await endured(lab, () =>
        Promise.all(pods.map((pod) => lab.create(lab.tenant, lab.pod(pod, annotations, { spec })))),
      );
      const trace = await lab.gauge('autocert-signer', /autocert_signer_(attempts_total|pending|requests)/);
      await lab.remove(...pods);
      return { happened: `${result.filter(({ code }) => code === 0).length} pods taken; ${happened}`, trace };
    },
  },
  {
    id: 'flood-churn',
    name: 'creates and deletes 60 pods as fast as it can',
    who: 'tenant',
    expected: "the neighbour's pods start meanwhile",
    run: async (lab) => {
      const since = new Date();
      const { happened } = await endured(lab, async () => {
        for (let round = 0; round < 4; round++) {
          const pods = Array.from({ length: 15 }, () => lab.unique('churn'));
          await Promise.all(
            pods.map((pod) => lab.create(lab.tenant, lab.pod(pod, { [Annotation.name]: ownName(pod) }))),
          );
          await lab.remove(...pods);
        }
      });
      return { happened, trace: await lab.log('autocert', /"pod":"churn-[^"]+".*"result":"injected"/, since) };
    },
  },
];

/** All of them. */
export const floodAttacks: readonly Attack[] = attacks.map((attack) => ({ ...attack, ownNode: true }));
