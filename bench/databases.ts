/**
 * What step-ca's database costs: signatures a second by itself, by engine, on this machine's disk and in memory, for one
 * replica and for three; and what a certificate takes of it. The baseline is step-ca that remembers nothing.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createKeyAndRequest } from '../runtime/x509/csr.ts';
import { ensurePackages } from '../scripts/cluster/packages.ts';
import { type Figure, median } from './figure.ts';
import { type Load, load } from './load.ts';
import { mintTokens } from './peers.ts';
import { POD } from './pod.ts';
import { type SigningCa, STORES, type StoreName, startSigningCa } from './signing-ca.ts';

/** What the connections of two webhooks and a signer come to. */
const CONNECTIONS = 12;
const ROUNDS = 3;
const SIGNATURES = 1_000;
/** Enough that what engines allocate at a time does not matter. */
const GROWTH = 10_000;

const PLACES = { disk: tmpdir(), memory: '/dev/shm' } as const;
type Place = keyof typeof PLACES;

interface Measured {
  readonly name: string;
  readonly store: StoreName;
  readonly place: Place;
  readonly replicas: number;
}

const BASELINE: Measured = { name: 'no database', store: 'none', place: 'memory', replicas: 1 };

/** Runs all of it. */
export async function databases(note: (text: string) => void): Promise<Figure[]> {
  await ensurePackages(note, ['databases']);
  const stores = STORES.filter((store) => store !== 'none');
  const measured = (['disk', 'memory'] as const).flatMap((place) =>
    stores.flatMap((store): Measured[] => {
      const one = { name: `${store}, ${place}`, store, place, replicas: 1 };
      const shared = store === 'postgresql' || store === 'mysql';
      return shared ? [one, { ...one, name: `${store}, ${place}, 3 replicas`, replicas: 3 }] : [one];
    }),
  );
  const loads = new Map<string, Load[]>();
  const sizes = new Map<StoreName, number>();
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const one of [BASELINE, ...measured]) {
      const folder = mkdtempSync(`${PLACES[one.place]}/autocert-bench-`);
      const ca = await startSigningCa(folder, one.store, one.replicas);
      try {
        await sign(ca, SIGNATURES / 2); // until there are connections and some pages
        const result = await sign(ca, SIGNATURES);
        loads.set(one.name, [...(loads.get(one.name) ?? []), result]);
        note(`round ${round}: ${one.name}: ${Math.round(result.rate)} /s`);
        const isSized = round === ROUNDS && one !== BASELINE && one.place === 'memory' && one.replicas === 1;
        if (isSized) sizes.set(one.store, await growth(ca));
      } finally {
        await ca.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  const of = (name: string, what: keyof Load) => median((loads.get(name) ?? []).map((result) => result[what]));
  const figures = measured.flatMap(({ name }): Figure[] => {
    const figure = (title: string, what: keyof Load, unit: string): Figure => {
      const baseline = { name: BASELINE.name, value: of(BASELINE.name, what) };
      return { name: `${name}, ${title}`, value: of(name, what), unit, baseline };
    };
    const failed = { name: `${name}, refused of ${SIGNATURES}`, value: of(name, 'failed'), unit: '' };
    const rates = [figure('signatures', 'rate', '/s'), figure('p50', 'p50', 'ms'), figure('p99', 'p99', 'ms')];
    return failed.value > 0 ? [...rates, failed] : rates;
  });
  const grown = stores.map((store) => {
    const baseline = { name: 'bbolt', value: sizes.get('bbolt') ?? 0 };
    return { name: `${store}, of the database a certificate`, value: sizes.get(store) ?? 0, unit: 'bytes', baseline };
  });
  return [...figures, ...grown];
}

/** Has so many certificates signed, by all replicas in turn. */
async function sign(ca: SigningCa, amount: number): Promise<Load> {
  const request = await createKeyAndRequest();
  const claims = { subject: POD.dns, sans: [POD.dns], csrFingerprint: request.fingerprint };
  // Some more: each connection prepares its next request before it knows that there will be none.
  const tokens = (await mintTokens(ca.pki, claims, amount + 10 * CONNECTIONS)).map((token) => token.reveal());
  const results = await Promise.all(
    ca.urls.map((url) =>
      load(
        {
          url,
          requests: [
            {
              method: 'POST',
              path: '/1.0/sign',
              headers: { 'content-type': 'application/json' },
              setupRequest: (next: object) => ({
                ...next,
                body: JSON.stringify({ csr: request.csrPem, ott: tokens.pop() }),
              }),
            },
          ],
          connections: CONNECTIONS / ca.urls.length,
          amount: Math.floor(amount / ca.urls.length),
        },
        true,
      ),
    ),
  );
  const sum = (what: 'rate' | 'failed') => results.reduce((total, result) => total + result[what], 0);
  const worst = (what: 'p50' | 'p99') => Math.max(...results.map((result) => result[what]));
  return { rate: sum('rate'), failed: sum('failed'), p50: worst('p50'), p99: worst('p99') };
}

/** Bytes by which the database grows with each certificate. */
async function growth(ca: SigningCa): Promise<number> {
  const before = await ca.size();
  const { failed } = await sign(ca, GROWTH);
  return ((await ca.size()) - before) / (GROWTH - failed);
}
