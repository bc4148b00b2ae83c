import { X509Certificate } from 'node:crypto';
import { validityOf } from '../../../runtime/x509/certificate.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import type { Log } from '../../../runtime/lib/log.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { placeholderCertificate } from '../../../runtime/webhook/placeholder-certificate.ts';
import {
  keepServing,
  obtainServing,
  type ServingPorts,
  type ServingState,
} from '../../../runtime/webhook/serving-certificate.ts';
import { keyOfRequest } from '../../support/fake-ca.ts';
import { hierarchy, issue } from '../../support/tiny-ca.ts';

const quiet: Log = { info: () => {}, warn: () => {}, error: () => {} };
const { root, intermediate } = hierarchy();

/** Runs the loop on a clock of its own until it has slept so many times; each `sleep` moves the clock. */
async function loop(steps: number, obtain: (now: Date, turn: number) => string) {
  const stop = new AbortController();
  const state: ServingState = {};
  const slept: number[] = [];
  const installed: string[] = [];
  let now = Date.UTC(2030, 0, 1);
  let turn = 0;
  const ports: ServingPorts = {
    obtain: async () => ({ certificatePem: obtain(new Date(now), turn++), keyPem: new Secret('key') }),
    install: ({ certificatePem }) => void installed.push(certificatePem),
    now: () => new Date(now),
    random: () => 0.5,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
      if (slept.length >= steps) stop.abort();
    },
    log: quiet,
  };
  await keepServing(ports, state, stop.signal);
  return { slept, installed, state };
}
const leafFor = (now: Date, hours: number) =>
  issue('autocert', {
    notBefore: new Date(+now - 60_000),
    notAfter: new Date(+now + hours * 3_600_000),
    issuer: intermediate,
  }).certificatePem;

describe('keepServing', () => {
  test('renews at two thirds of the life, each time anew', async () => {
    const { slept, installed } = await loop(3, (now) => leafFor(now, 24));
    expect(new Set(installed).size).toBe(3);
    for (const ms of slept) {
      expect(ms).toBeGreaterThan(14 * 3_600_000);
      expect(ms).toBeLessThanOrEqual(16 * 3_600_000);
    }
  });

  test('keeps trying while the CA is down, and says why', async () => {
    const { slept, installed, state } = await loop(20, () => {
      throw new AutocertError('UNAVAILABLE', 'no answer from https://ca');
    });
    expect(installed).toEqual([]);
    expect(state).toEqual({ problem: 'no answer from https://ca' });
    expect(slept[0]).toBeLessThan(1000);
    expect(Math.max(...slept)).toBeLessThanOrEqual(30_000);
  });

  test('keeps the certificate in hand when a renewal fails, and forgets the problem when one works', async () => {
    const failing = await loop(2, (now, turn) => {
      if (turn > 0) throw new AutocertError('UNAVAILABLE', 'down');
      return leafFor(now, 24);
    });
    expect(failing.installed).toHaveLength(1);
    expect(failing.state).toMatchObject({ problem: 'down', validity: expect.anything() });
    const recovered = await loop(3, (now, turn) => {
      if (turn === 1) throw new AutocertError('UNAVAILABLE', 'down');
      return leafFor(now, 24);
    });
    expect(recovered.installed).toHaveLength(2);
    expect(recovered.state).not.toHaveProperty('problem');
  });

  test('what is no certificate is not taken into use', async () => {
    const { installed, state } = await loop(1, () => 'nonsense');
    expect(installed).toEqual([]);
    expect(state.problem).toMatch(/not a PEM certificate/);
  });
});

describe('obtainServing', () => {
  const names = ['autocert.step.svc', 'autocert.step'];
  const issuer = (minted: unknown[]) => ({
    rootFingerprint: 'ab',
    signer: {
      mint: async (options: unknown) => {
        minted.push(options);
        return new Secret('one.time.token');
      },
    },
  });
  const ca = (trusted: string, signed: (csr: string) => string) => ({
    url: 'https://ca.step.svc',
    roots: [trusted],
    sign: async ({ csrPem }: { csrPem: string }) => {
      const certificatePem = signed(csrPem);
      return { certificatePem, chainPem: [certificatePem, intermediate.certificatePem] };
    },
  });
  const sign = (csr: string) =>
    issue('autocert', { issuer: intermediate, names, publicKey: keyOfRequest(csr) }).certificatePem;

  test('asks for all names by a token bound to the request, and gets a pair that fits', async () => {
    const minted: unknown[] = [];
    const pair = await obtainServing(ca(root.certificatePem, sign), issuer(minted), names);
    expect(minted).toEqual([
      {
        subject: 'autocert.step.svc',
        sans: names,
        caUrl: 'https://ca.step.svc',
        rootFingerprint: 'ab',
        csrFingerprint: expect.stringMatching(/^[\w-]{43}$/),
      },
    ]);
    expect(pair.certificatePem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(String(pair.keyPem)).toBe('[redacted]');
  });

  test('refuses a chain that does not lead to the pinned root', async () => {
    const other = hierarchy().root.certificatePem;
    await expect(obtainServing(ca(other, sign), issuer([]), names)).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });
});

test('the placeholder is a certificate with its key, and names nothing', () => {
  const { certificatePem, keyPem } = placeholderCertificate(new Date());
  const certificate = new X509Certificate(certificatePem);
  expect(certificate.subject).toBe('CN=autocert: waiting for the CA');
  expect(certificate.subjectAltName).toBeUndefined();
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(keyPem.reveal()).toContain('PRIVATE KEY');
  expect(+validityOf(certificatePem).notAfter).toBeGreaterThan(Date.now());
});
