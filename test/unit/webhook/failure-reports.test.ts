import { AutocertError } from '../../../runtime/lib/errors.ts';
import { createMetrics } from '../../../runtime/lib/metrics.ts';
import { FailureReports } from '../../../runtime/webhook/failure-reports.ts';
import { attestationOf } from '../../support/attestation.ts';

const HOUR = 3_600_000;
const REPORT = { reason: 'no answer from https://autocert.step.svc', since: '2026-01-01T11:00:00.000Z' };

/** Reports of pods whose token is their UID, to a webhook whose clock the test moves. */
function world() {
  const clock = { ms: 0 };
  const events: { pod: object; reason: string; message: string }[] = [];
  let reviews = 0;
  const create = async <T>(_path: string, body: unknown) => {
    reviews += 1;
    const { token } = (body as { spec: { token: string } }).spec;
    if (token === 'away') throw new AutocertError('UNAVAILABLE', 'etcd is down');
    const extra = {
      'authentication.kubernetes.io/pod-name': [`name-of-${token}`],
      'authentication.kubernetes.io/pod-uid': [token],
    };
    const user = { username: 'system:serviceaccount:shop:web', extra };
    return { status: { authenticated: token !== 'bad', audiences: ['autocert.step.sm'], user } } as T;
  };
  const reports = new FailureReports({
    api: { create },
    recordEvent: (pod, reason, message) => events.push({ pod, reason, message }),
    monotonic: () => clock.ms,
    random: () => 0.5,
  });
  const metrics = createMetrics();
  reports.addGauges(metrics);
  return {
    clock,
    events,
    reports,
    /** Each pod has an address of its own, unless the test says otherwise. */
    take: (uid: string, body: unknown = REPORT, address = uid) => reports.take(attestationOf(uid), body, address),
    /** Value of a gauge; `undefined`: it has none. */
    gauge: async (name: string) =>
      new RegExp(`^autocert_${name}(?:{.*})? (.*)$`, 'm').exec(await metrics.render())?.[1],
    get reviews() {
      return reviews;
    },
  };
}

describe('a report', () => {
  test('is of the pod that its token proves, and becomes a Warning on it', async () => {
    const { take, events } = world();
    const { claim } = await take('uid-1', { ...REPORT, notAfter: '2026-01-02T00:00:00Z', late: true });
    expect(claim).toEqual({ namespace: 'shop', podName: 'name-of-uid-1', podUID: 'uid-1', serviceAccountName: 'web' });
    expect(events).toEqual([
      {
        pod: { namespace: 'shop', name: 'name-of-uid-1', uid: 'uid-1' },
        reason: 'CertificateNotObtained',
        message:
          'no certificate could be obtained since 2026-01-01T11:00:00.000Z; the one in use expires at ' +
          '2026-01-02T00:00:00Z, and is late: no answer from https://autocert.step.svc',
      },
    ]);
  });

  test.each(['FORBIDDEN', 'CA_REJECTED'])(
    'of a refusal (%s), which the pod has had an Event for, counts and is no second Event',
    async (code) => {
      const { take, events, gauge } = world();
      await take('uid-1', { ...REPORT, code });
      expect(events).toEqual([]);
      expect(await gauge('agents_failing')).toBe('1');
    },
  );

  test.each<[string, unknown]>([
    ['nothing', null],
    ['a list', []],
    ['no reason', { since: REPORT.since }],
    ['a time that is none', { ...REPORT, since: 'yesterday' }],
    ['a time that is too long', { ...REPORT, notAfter: `2026-01-01T00:00:00.${'0'.repeat(1000)}Z` }],
    ['a number for late', { ...REPORT, late: 1 }],
  ])('with %s is refused before the API server is asked', async (_title, body) => {
    const it = world();
    await expect(it.take('uid-1', body)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(it.reviews).toBe(0);
  });

  test('is bounded and printable', async () => {
    const { take } = world();
    const { report } = await take('uid-1', { ...REPORT, reason: `a\n\u001b[31mb${'x'.repeat(1000)}` });
    expect(report.reason).toMatch(/^a \[31mbx+$/);
    expect(report.reason.length).toBeLessThanOrEqual(500);
  });

  test('has what is known of a report and nothing else: no field of its sender’s own gets into the log', async () => {
    const { take } = world();
    const forged = { namespace: 'payments', pod: 'ledger-0', level: 30, names: ['admin'], code: 'x'.repeat(10_000) };
    const { report } = await take('uid-1', { ...REPORT, ...forged });
    expect(report).toEqual(REPORT);
  });

  test('of a pod that has reported within ten minutes is sent away, and is no second Event', async () => {
    const { take, events, clock } = world();
    await take('uid-1');
    await expect(take('uid-1', { ...REPORT, reason: 'another' })).rejects.toMatchObject({ status: 429 });
    expect(events).toHaveLength(1);
    clock.ms += 600_000;
    await take('uid-1', { ...REPORT, reason: 'another' });
    expect(events).toHaveLength(2);
  });

  test('gets through while one address sends as many as it can', async () => {
    const it = world();
    for (let second = 0; second < 60; second += 1) {
      await Promise.allSettled(Array.from({ length: 50 }, () => it.take('bad', REPORT, '198.51.100.1')));
      await it.take(`uid-${second}`);
      it.clock.ms += 1000;
    }
    expect(it.reviews).toBeLessThan(60 + 20 + 60);
  });

  test('of nobody counts for nothing', async () => {
    const { take, gauge, events } = world();
    await expect(take('bad')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(take('away')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(events).toEqual([]);
    expect(await gauge('agents_failing')).toBe('0');
  });

  test('beyond what the API server is to be asked is sent away for minutes', async () => {
    const it = world();
    const outcomes = await Promise.allSettled(Array.from({ length: 150 }, (_, pod) => it.take(`uid-${pod}`)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(100);
    expect(outcomes.at(-1)).toMatchObject({ reason: { status: 429, retryAfterMs: 300_000 } });
    expect(it.reviews).toBe(100);
    it.clock.ms += 1000;
    await it.take('uid-149');
  });
});

describe('an agent', () => {
  test('fails for as long as it reports, and for two and a half hours more', async () => {
    const { take, gauge, clock } = world();
    for (const at of [0, HOUR, 2 * HOUR]) {
      clock.ms = at;
      await take('uid-1');
    }
    await take('uid-2');
    expect(await gauge('agents_failing')).toBe('2');
    clock.ms = 4.5 * HOUR;
    expect(await gauge('agents_failing')).toBe('2');
    clock.ms += 1;
    expect(await gauge('agents_failing')).toBe('0');
  });

  test('fails no more once it has a certificate', async () => {
    const { take, gauge, reports } = world();
    await take('uid-1');
    reports.recovered('uid-1');
    reports.recovered('uid-2');
    expect(await gauge('agents_failing')).toBe('0');
  });
});

test('late certificates and the first to expire are told as far as agents have told them', async () => {
  const { take, gauge } = world();
  expect(await gauge('leaf_earliest_not_after_timestamp_seconds')).toBeUndefined();
  await take('uid-1', { ...REPORT, notAfter: '2026-01-02T00:00:00Z', late: true });
  await take('uid-2', { ...REPORT, notAfter: '2026-01-01T12:00:00Z' });
  await take('uid-3');
  expect(await gauge('certificates_late')).toBe('1');
  expect(await gauge('leaf_earliest_not_after_timestamp_seconds')).toBe(String(Date.UTC(2026, 0, 1, 12) / 1000));
});

test('twenty thousand pods are remembered, the last ones', async () => {
  const it = world();
  for (let pod = 0; pod < 20_005; pod += 1) {
    it.clock.ms += 100;
    await it.take(`uid-${pod}`);
  }
  expect(await it.gauge('agents_failing')).toBe('20000');
});
