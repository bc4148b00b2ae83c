import { createMetrics } from '../../../runtime/lib/metrics.ts';
import {
  caAvailability,
  certificateCounters,
  certificateValidity,
  type PkiCertificates,
} from '../../../runtime/step-ca/certificate-metrics.ts';
import { fingerprintOf, validityOf } from '../../../runtime/x509/certificate.ts';
import { fakeCa } from '../signer/fake-ca.ts';

const NOW = new Date();

describe('counters', () => {
  test('are there before anything has happened, so that the first time counts', async () => {
    const metrics = createMetrics();
    certificateCounters(metrics, 'native');
    const rendered = await metrics.render();
    expect(rendered).toContain('autocert_certificates_issued_total{delivery="native",purpose="renewal"} 0\n');
    expect(rendered).toContain('autocert_certificates_refused_total{delivery="native",reason="NotAllowed"} 0\n');
    expect(rendered).toContain('autocert_certificates_failed_total{delivery="native",reason="Unavailable"} 0\n');
  });

  test('have a bounded number of reasons, whatever a peer says', async () => {
    const metrics = createMetrics();
    const counters = certificateCounters(metrics, 'sidecar');
    for (let turn = 0; turn < 1000; turn += 1) {
      counters.refused(`reason ${turn}`);
      counters.failed(`constructor`);
    }
    counters.refused('NamespaceNotEnabled');
    counters.refused('CA_REJECTED');
    const rendered = await metrics.render();
    expect(rendered).toContain('refused_total{delivery="sidecar",reason="Other"} 1000\n');
    expect(rendered).toContain('failed_total{delivery="sidecar",reason="Other"} 1000\n');
    expect(rendered).toContain('refused_total{delivery="sidecar",reason="NamespaceNotEnabled"} 1\n');
    expect(rendered).toContain('refused_total{delivery="sidecar",reason="RejectedByCA"} 1\n');
    expect(rendered.length).toBeLessThan(3000);
  });
});

describe('validity', () => {
  test('is that of the certificates in use at this moment, told apart by their fingerprints', async () => {
    const [{ root: one }, { root: other }] = [await fakeCa(NOW), await fakeCa(NOW)];
    let current: PkiCertificates = { root: [one, other] };
    const metrics = createMetrics();
    certificateValidity(metrics, () => current);
    const line = (time: 'notBefore' | 'notAfter', pem: string, kind = 'root') => {
      const name = time === 'notBefore' ? 'not_before' : 'not_after';
      const labels = `{kind="${kind}",fingerprint="${fingerprintOf(pem).slice(0, 16)}"}`;
      return `autocert_certificate_${name}_timestamp_seconds${labels} ${validityOf(pem)[time].getTime() / 1000}\n`;
    };
    const before = await metrics.render();
    for (const pem of [one, other]) {
      expect(before).toContain(line('notBefore', pem));
      expect(before).toContain(line('notAfter', pem));
    }
    current = { intermediate: [other] };
    const after = await metrics.render();
    expect(after).toContain(line('notAfter', other, 'intermediate'));
    expect(after).not.toContain('kind="root"');
  });

  test('is told of eight of a kind at most', async () => {
    const roots = await Promise.all(Array.from({ length: 10 }, async () => (await fakeCa(NOW)).root));
    const metrics = createMetrics();
    certificateValidity(metrics, () => ({ root: roots }));
    expect((await metrics.render()).match(/not_after\w+\{/g)).toHaveLength(8);
  });
});

test('whether the CA is up is told by those who ask it', async () => {
  const metrics = createMetrics();
  let up: boolean | undefined;
  caAvailability(metrics, () => up);
  expect(await metrics.render()).not.toMatch(/^autocert_ca_up /m);
  up = false;
  expect(await metrics.render()).toMatch(/^autocert_ca_up 0$/m);
  up = true;
  expect(await metrics.render()).toMatch(/^autocert_ca_up 1$/m);
});
