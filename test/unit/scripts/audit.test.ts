import { type AuditException, auditVerdict, signatureVerdict } from '../../../scripts/audit-verdict.ts';

const TODAY = new Date('2026-11-29T12:00:00Z');
const BUNDLED = ['node_modules/ajv'];

const report = (name: string, severity: string, nodes = [`node_modules/${name}`]) =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: {
      [name]: {
        severity,
        nodes,
        via: [
          { source: 1, name, title: 'a hole', severity, url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc' },
          'another',
        ],
      },
      another: { severity, nodes: ['node_modules/another'], via: [name] },
    },
  });
const judge = (answer: string, exceptions: readonly AuditException[] = []) =>
  auditVerdict(answer, { bundled: BUNDLED, exceptions, today: TODAY });
const exception = { id: 'GHSA-aaaa-bbbb-cccc', reason: 'not reachable', until: '2026-11-29' };

describe('npm audit', () => {
  test('passes without a finding', () => {
    expect(judge(JSON.stringify({ vulnerabilities: {} }))).toEqual({
      outcome: 'passed',
      text: 'npm audit: nothing that fails',
    });
  });

  test.each([
    ['ajv', 'low', 'failed'],
    ['ajv', 'critical', 'failed'],
    ['jest', 'moderate', 'passed'],
    ['jest', 'high', 'failed'],
    ['jest', 'a new word', 'failed'],
  ])('of %s with severity %s: %s', (name, severity, outcome) => {
    const verdict = judge(report(name, severity));
    expect(verdict.outcome).toBe(outcome);
    expect(verdict.text).toContain(`${severity}, a hole, GHSA-aaaa-bbbb-cccc`);
  });

  test('accepts what an exception names, to the end of its last day', () => {
    expect(judge(report('ajv', 'critical'), [exception])).toMatchObject({
      outcome: 'passed',
      text: expect.stringContaining('accepted: ajv (in a bundle): critical'),
    });
  });

  test('does not accept another advisory', () => {
    expect(judge(report('ajv', 'low'), [{ ...exception, id: 'GHSA-other' }])).toMatchObject({
      outcome: 'failed',
      text: expect.stringContaining('the exception for GHSA-other is not needed any more'),
    });
  });

  test.each([
    ['that has ended', { ...exception, until: '2026-11-28' }, /ended on 2026-11-28: look at it again/],
    ['without a reason', { ...exception, reason: '' }, /needs id, reason and until/],
    ['for ever', { ...exception, until: 'always' }, /needs id, reason and until/],
  ])('fails for an exception %s, also where the registry knows nothing', (_, given, words) => {
    for (const answer of [report('ajv', 'low'), JSON.stringify({ statusCode: 405, message: 'no' })]) {
      expect(judge(answer, [given])).toMatchObject({ outcome: 'failed', text: expect.stringMatching(words) });
    }
  });
});

describe('npm audit signatures', () => {
  test('passes when all are signed', () => {
    expect(signatureVerdict('{"invalid":[],"missing":[]}').outcome).toBe('passed');
  });

  test.each(['invalid', 'missing'])('fails for a package whose signature is %s', (kind) => {
    const answer = { invalid: [], missing: [], [kind]: [{ name: 'ajv', version: '8.0.0' }] };
    expect(signatureVerdict(JSON.stringify(answer))).toMatchObject({
      outcome: 'failed',
      text: expect.stringContaining('ajv@8.0.0'),
    });
  });
});

describe('either, without a report', () => {
  const verdicts = (answer: string) => [judge(answer), signatureVerdict(answer)].map(({ outcome }) => outcome);

  test.each([
    ['405 of a mirror', { statusCode: 405, message: '405 Method Not Allowed' }],
    ['404', { error: { code: 'E404', summary: 'Not Found' } }],
    ['an outage', { statusCode: 503, message: 'Service Unavailable' }],
    ['no network', { error: { code: 'ENOTFOUND', summary: 'getaddrinfo ENOTFOUND' } }],
  ])('is unavailable, and loudly so: %s', (_, answer) => {
    expect(verdicts(JSON.stringify(answer))).toEqual(['unavailable', 'unavailable']);
    expect(judge(JSON.stringify(answer)).text).toMatch(/!{80}\nnpm audit: NOT CHECKED, endpoint unavailable: \S/);
  });

  test.each([
    ['refused credentials', JSON.stringify({ statusCode: 401, message: '401 Unauthorized' })],
    ['a refusal', JSON.stringify({ error: { code: 'E403', summary: 'Forbidden' } })],
    ['a lock file that is wrong', JSON.stringify({ error: { code: 'ELOCKVERIFY', summary: 'Errors were found' } })],
    ['a certificate that is not trusted', JSON.stringify({ error: { code: 'SELF_SIGNED_CERT_IN_CHAIN' } })],
    ['no answer', ''],
    ['an answer that is no JSON', '<html>'],
    ['an answer of another form', '{"vulnerabilities":null}'],
  ])('fails: %s', (_, answer) => {
    expect(verdicts(answer)).toEqual(['failed', 'failed']);
  });
});
