import * as fs from 'node:fs';
import { join } from 'node:path';
import { readState, writeState } from '../../../runtime/agent/agent-state.ts';
import { readCertificateFiles, replaceCertificateFiles } from '../../../runtime/agent/certificate-files.ts';
import { readSettings } from '../../../runtime/agent/settings.ts';
import { Outcome, type WakeOptions, wake } from '../../../runtime/agent/wake.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import { isForKey, splitPem, summaryOf } from '../../../runtime/x509/certificate.ts';
import { type AgentFolder, agentEnvironment, agentFolder, keptLog, putSet, setOf } from '../../support/agent.ts';
import { type Answer, type Authority, type FakeEndpoint, type Seen, startEndpoint } from '../../support/fake-ca.ts';
import { hierarchy, issue } from '../../support/tiny-ca.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const ago = (ms: number) => new Date(Date.now() - ms);
const ahead = (ms: number) => new Date(Date.now() + ms);

let authority: Authority;
let endpoint: FakeEndpoint;
let folder: AgentFolder;
let log: ReturnType<typeof keptLog>;
let sleeps: number[];
let options: WakeOptions;

beforeAll(async () => {
  authority = hierarchy();
});
beforeEach(async () => {
  endpoint = await startEndpoint(authority);
  folder = agentFolder();
  log = keptLog();
  sleeps = [];
  options = {
    settings: readSettings(agentEnvironment(authority, endpoint, folder)),
    once: false,
    log,
    now: () => new Date(),
    random: () => 0.5,
    sleep: async (ms) => void sleeps.push(ms),
  };
});
afterEach(async () => {
  folder[Symbol.dispose]();
  await endpoint[Symbol.asyncDispose]();
});

const current = () => readCertificateFiles(folder.dir);
const asked = (path = '/certificate') => endpoint.seen.filter((request) => request.path.startsWith(path));
const lines = () => log.lines.map(({ line }) => line);
/** A set of this authority that was issued so long ago and is valid for so much longer. */
const put = (age: number, left: number, root = authority.root) =>
  putSet(folder.dir, root, { notBefore: ago(age + 60 * SECOND), notAfter: ahead(left) });
/** Answers by one after the other, then as usual. */
const answering = (...answers: (Answer | ((request: Seen) => Answer))[]) => {
  endpoint.routes['/certificate'] = (request) => {
    const next = answers.shift() ?? endpoint.issue;
    return typeof next === 'function' ? next(request) : next;
  };
};
const refusal = (status: number, headers = {}): Answer => [
  status,
  { error: { code: 'ANY', message: 'these are its words' } },
  headers,
];

describe('without files', () => {
  test('it sends token and request, and stores a verified set', async () => {
    expect(await wake(options)).toBe(Outcome.valid);
    expect(endpoint.seen).toEqual([
      expect.objectContaining({
        method: 'POST',
        path: '/certificate',
        authorization: 'Bearer header.claims.signature',
        body: { csr: expect.stringMatching(/^-----BEGIN CERTIFICATE REQUEST-----/), starting: true },
      }),
    ]);
    const set = current();
    expect(set && splitPem(set.certificate)[1]).toBe(authority.intermediate.certificatePem);
    expect(set && isForKey(set.certificate, set.key)).toBe(true);
    expect([set?.roots, set?.anchors]).toEqual([authority.root.certificatePem, authority.root.certificatePem]);
    expect(set?.obtainedAt.getTime()).toBeGreaterThan(Date.now() - 10 * SECOND);
    expect(lines()).toEqual(['info certificate written']);
    expect(log.lines[0]?.fields).toMatchObject({
      names: 'DNS:localhost',
      serial: expect.stringMatching(/^[0-9a-f]+$/),
    });
  });

  test('it takes one connection, and no pause', async () => {
    await wake(options);
    expect(endpoint.connections()).toBe(1);
    expect(sleeps).toEqual([]);
  });

  test('the shell is told to wake it when it is to ask again', async () => {
    await wake(options);
    expect(fs.readFileSync(join(folder.dir, '..agent'), 'utf8')).toBe('sleep=240\n');
  });

  test('root.crt has all roots, federated ones too, each once; by those the endpoint is not trusted', async () => {
    const other = issue('Federated Root', { ca: true }).certificatePem;
    const own = authority.root.certificatePem;
    endpoint.renewal = { ...endpoint.renewal, roots: own + other + own };
    await wake(options);
    expect([current()?.roots, current()?.anchors]).toEqual([own + other, own]);
  });

  test('the token is read anew each time', async () => {
    await wake(options);
    fs.rmSync(join(folder.dir, '..data'));
    fs.writeFileSync(folder.tokenFile, 'another.claims.signature');
    await wake(options);
    expect(asked().map(({ authorization }) => authorization)).toEqual([
      'Bearer header.claims.signature',
      'Bearer another.claims.signature',
    ]);
  });
});

describe('with a valid certificate', () => {
  test('it asks how to renew, for its namespace, and leaves the files alone', async () => {
    const { certificate } = put(HOUR, 23 * HOUR);
    expect(await wake(options)).toBe(Outcome.valid);
    expect(endpoint.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /renewal-info?namespace=shop']);
    expect(current()?.certificate).toBe(certificate);
    expect(log.lines).toEqual([]);
  });

  test('once ends without asking anything', async () => {
    put(20 * HOUR, 4 * HOUR);
    expect(await wake({ ...options, once: true })).toBe(Outcome.valid);
    expect(endpoint.seen).toEqual([]);
  });

  test('that is due it obtains another with a new key, and does not say that a pod waits', async () => {
    const { key } = put(20 * HOUR, 4 * HOUR);
    expect(await wake(options)).toBe(Outcome.valid);
    expect(asked()[0]?.body).toEqual({ csr: expect.any(String) });
    const set = current();
    expect(set && set.key.reveal() !== key.reveal() && isForKey(set.certificate, set.key)).toBe(true);
  });

  test('whose window has not come yet it renews early when the control plane says so', async () => {
    put(HOUR, 23 * HOUR);
    endpoint.renewal = {
      ...endpoint.renewal,
      replace: { issuedBefore: ago(10 * 60 * SECOND).toISOString(), withinSeconds: 60 },
    };
    await wake(options);
    expect(asked()).toHaveLength(1);
    expect(current()?.replaces).toEqual(new Date(endpoint.renewal.replace?.issuedBefore ?? ''));
    await wake(options);
    expect(asked()).toHaveLength(1);
  });

  test('when a refusal comes it is kept, and the refusal is logged', async () => {
    const { certificate } = put(20 * HOUR, 4 * HOUR);
    answering(refusal(403));
    expect(await wake({ ...options, random: () => 1 })).toBe(Outcome.valid);
    expect(log.lines[0]).toMatchObject({
      line: 'warn keeping the current certificate',
      fields: { code: 'FORBIDDEN', reason: expect.stringContaining('these are its words'), retryInMs: 3_000 },
    });
    expect(current()?.certificate).toBe(certificate);
    expect(readState(folder.dir)).toMatchObject({ memory: { delayMs: 3_000 }, problem: undefined });
  });
});

describe('new roots', () => {
  const next = issue('Next Root', { ca: true }).certificatePem;

  test('reach the files at the next waking, with the same certificate and key', async () => {
    const before = put(HOUR, 23 * HOUR);
    const both = authority.root.certificatePem + next;
    endpoint.renewal = { ...endpoint.renewal, roots: both, anchors: both };
    await wake(options);
    expect(lines()).toEqual(['info roots replaced']);
    expect(current()).toEqual({ ...before, roots: both, anchors: both });
  });

  test('in another order are no news: the files stay as they are', async () => {
    const both = authority.root.certificatePem + next;
    replaceCertificateFiles(folder.dir, { ...put(HOUR, 23 * HOUR), roots: both }, 0o644);
    endpoint.renewal = { ...endpoint.renewal, roots: next + authority.root.certificatePem };
    const generation = fs.readlinkSync(join(folder.dir, '..data'));
    await wake(options);
    expect(fs.readlinkSync(join(folder.dir, '..data'))).toBe(generation);
  });

  test('without the one that the certificate leads to stand beside it until renewal', async () => {
    put(HOUR, 23 * HOUR);
    endpoint.renewal = { ...endpoint.renewal, roots: next, anchors: next };
    await wake(options);
    expect(current()).toMatchObject({ roots: next + authority.root.certificatePem, anchors: next });
    const generation = fs.readlinkSync(join(folder.dir, '..data'));
    await wake(options);
    expect(fs.readlinkSync(join(folder.dir, '..data'))).toBe(generation);
  });

  test.each([
    ['none', { roots: '', anchors: '' }],
    ['none by which to trust the endpoint', { anchors: '' }],
    ['nonsense', { roots: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }],
  ])('that are %s are a failure, and never a smaller root.crt', async (_, wrong) => {
    const before = put(HOUR, 23 * HOUR);
    endpoint.renewal = { ...endpoint.renewal, ...wrong };
    expect(await wake(options)).toBe(Outcome.valid);
    expect(current()).toEqual(before);
    expect(log.lines[0]).toMatchObject({ line: 'warn there is no renewal information', fields: { code: 'UNTRUSTED' } });
  });

  test('learned before the certificate expired still lead back, though the pod was created with the old one', async () => {
    const root = issue('Next Root', { ca: true });
    const nextAuthority = { root, intermediate: issue('Next Intermediate', { ca: true, issuer: root }) };
    put(25 * HOUR, -HOUR);
    const learned = authority.root.certificatePem + nextAuthority.root.certificatePem;
    replaceCertificateFiles(folder.dir, { ...setOf(authority.root), ...current(), anchors: learned }, 0o644);
    await using rotated = await startEndpoint(nextAuthority);
    const settings = { ...options.settings, autocertUrl: rotated.url };
    expect(await wake({ ...options, settings })).toBe(Outcome.valid);
    expect(current()?.roots).toBe(nextAuthority.root.certificatePem);
  });
});

describe('without renewal information', () => {
  const silence = () => {
    endpoint.routes['/renewal-info'] = refusal(500);
  };

  test('the files stay, and a certificate that is due is renewed all the same', async () => {
    silence();
    put(HOUR, 23 * HOUR);
    expect(await wake(options)).toBe(Outcome.valid);
    expect(asked()).toHaveLength(0);
    put(20 * HOUR, 4 * HOUR);
    expect(await wake(options)).toBe(Outcome.valid);
    expect(asked()).toHaveLength(1);
  });

  test('the log says so once in a while', async () => {
    silence();
    put(HOUR, 23 * HOUR);
    for (let waking = 1; waking <= 9; waking += 1) await wake(options);
    expect(log.lines.map(({ fields }) => fields.times)).toEqual([1, 2, 4, 8]);
  });
});

describe('failure', () => {
  test('is logged with its words, its code and the time of the next try; short pauses are slept here', async () => {
    answering(refusal(403), refusal(502), refusal(503));
    expect(await wake(options)).toBe(Outcome.valid);
    expect(lines()).toEqual([...Array(3).fill('error no certificate yet'), 'info certificate written']);
    expect(log.lines.map(({ fields }) => fields.code)).toEqual(['FORBIDDEN', 'CA_REJECTED', 'UNAVAILABLE', undefined]);
    expect(log.lines[0]?.fields.reason).toBe('the certificate endpoint answers 403: these are its words');
    expect(sleeps).toEqual([500, 875, 1_437.5]);
    expect(readState(folder.dir)).toEqual({ memory: {}, problem: undefined });
  });

  test('that lasts ends the waking, and the state says why and for how long', async () => {
    answering(...Array(20).fill(refusal(403)));
    expect(await wake(options)).toBe(Outcome.failed);
    const { memory, problem } = readState(folder.dir);
    expect(problem).toBe('the certificate endpoint answers 403: these are its words');
    expect(memory.delayMs).toBeGreaterThanOrEqual(3_000);
  });

  test('never keeps it awake for long', async () => {
    answering(...Array(50).fill(refusal(403)));
    expect(await wake({ ...options, random: () => 0 })).toBe(Outcome.failed);
    expect(asked().length).toBeLessThanOrEqual(11);
  });

  test('with a time to come back is waited out, in the next waking as well', async () => {
    answering(refusal(503, { 'retry-after': '40' }));
    expect(await wake(options)).toBe(Outcome.failed);
    expect(fs.readFileSync(join(folder.dir, '..agent'), 'utf8')).toMatch(/^sleep=42\n/);
    expect(await wake(options)).toBe(Outcome.failed);
    expect(asked()).toHaveLength(1);
    expect(readState(folder.dir).problem).toContain('answers 503');
    expect(await wake({ ...options, now: () => ahead(43 * SECOND) })).toBe(Outcome.valid);
  });

  test('that has lasted for an hour is reported with its cause, once', async () => {
    const failingSince = Date.now() - 2 * HOUR;
    writeState(folder.dir, 0, { memory: { failingSince } });
    endpoint.routes['/certificate'] = refusal(503, { 'retry-after': '60' });
    endpoint.routes['/report'] = [204, undefined];
    expect(await wake(options)).toBe(Outcome.failed);
    expect(asked('/report')).toEqual([
      expect.objectContaining({
        method: 'POST',
        authorization: 'Bearer header.claims.signature',
        body: {
          reason: 'the certificate endpoint answers 503: these are its words',
          code: 'UNAVAILABLE',
          since: new Date(failingSince).toISOString(),
          late: false,
        },
      }),
    ]);
    expect(readState(folder.dir).memory).toMatchObject({ failingSince });
    expect(readState(folder.dir).memory.reportAt).toBeGreaterThan(Date.now() + 0.9 * HOUR);
    await wake(options);
    expect(asked('/report')).toHaveLength(1);
  });

  test('tells of the certificate in hand, and that it is late', async () => {
    const { notAfter } = put(20 * HOUR, 4 * HOUR);
    endpoint.routes['/certificate'] = refusal(403);
    endpoint.routes['/report'] = [204, undefined];
    await wake(options);
    expect(asked('/report').map(({ body }) => body)).toEqual([
      expect.objectContaining({ code: 'FORBIDDEN', notAfter: notAfter.toISOString(), late: true }),
    ]);
  });

  test.each<[string, Answer, number]>([
    ['is refused', refusal(429), 10 * 60 * SECOND],
    ['is answered by somebody else', [200, 'hello'], 10 * 60 * SECOND],
    ['is not known to a webhook of before', refusal(404), HOUR],
  ])('is no worse where its report %s', async (_title, answer, again) => {
    writeState(folder.dir, 0, { memory: { failingSince: Date.now() - 2 * HOUR } });
    endpoint.routes['/certificate'] = refusal(503, { 'retry-after': '60' });
    endpoint.routes['/report'] = answer;
    expect(await wake(options)).toBe(Outcome.failed);
    const { reportAt = 0, retryAt = 0 } = readState(folder.dir).memory;
    expect(reportAt - Date.now()).toBeGreaterThan(again - 30 * SECOND);
    expect(reportAt - Date.now()).toBeLessThanOrEqual(again);
    expect(retryAt).toBeGreaterThan(Date.now());
  });

  test('because the pod is gone ends it for good', async () => {
    answering(refusal(410));
    expect(await wake(options)).toBe(Outcome.gone);
    put(20 * HOUR, 4 * HOUR);
    answering(refusal(410));
    expect(await wake(options)).toBe(Outcome.gone);
  });

  test.each([
    ['is empty', '', /is empty; kubelet writes it/],
    ['has a line break in it', 'a\nb', /is not a JSON Web Token/],
    ['is absurdly large', 'x'.repeat(1 << 21), /larger than/],
    ['is missing', undefined, /cannot read .*token/],
  ])('of the token that %s asks nothing and tries again', async (_, token, words) => {
    if (token === undefined) fs.rmSync(folder.tokenFile);
    else fs.writeFileSync(folder.tokenFile, token);
    expect(await wake(options)).toBe(Outcome.failed);
    expect(endpoint.seen).toEqual([]);
    expect(readState(folder.dir).problem).toMatch(words);
  });

  test('to write costs no certificate: nothing is asked for', async () => {
    fs.rmSync(folder.dir, { recursive: true });
    expect(await wake(options)).toBe(Outcome.unknown);
    expect(endpoint.seen).toEqual([]);
    expect(log.lines[0]).toMatchObject({
      line: 'error no certificate yet',
      fields: { reason: expect.stringMatching(/ENOENT/) },
    });
  });

  test('to store what was issued has a back-off of its own', async () => {
    // A folder where the temporary link must go: the swap cannot happen.
    fs.mkdirSync(join(folder.dir, '..new-..data'));
    expect(await wake(options)).toBe(Outcome.failed);
    expect(await wake(options)).toBe(Outcome.failed);
    expect(asked()).toHaveLength(1);
    expect(readState(folder.dir).memory.delayMs).toBeGreaterThanOrEqual(30 * SECOND);
  });

  test('no log and no state shows the token or a key', async () => {
    answering(refusal(403), ({ body }) => [200, { certificate: JSON.stringify(body) }]);
    await wake(options);
    const told = JSON.stringify(log.lines) + fs.readFileSync(join(folder.dir, '..agent'), 'utf8');
    expect(told).not.toMatch(/header\.claims|PRIVATE KEY/);
  });
});

describe('an answer is refused, and nothing is stored, when', () => {
  const other = hierarchy();
  const withCertificate = (certificate: string) => (): Answer => [200, { certificate, renewal: endpoint.renewal }];
  const change = (more: object) => (request: Seen) => {
    const [, body] = endpoint.issue(request);
    return [200, { ...(body as object), ...more }] as const;
  };

  test.each<[string, (request: Seen) => Answer, RegExp]>([
    ['it is nonsense', () => [200, '"hello"'], /malformed/],
    ['it has no certificate', () => [200, {}], /malformed.*certificate: must be/],
    ['it has no renewal information', change({ renewal: undefined }), /malformed.*renewal: must be/],
    [
      'its window is none',
      (request) => change({ renewal: { ...endpoint.renewal, suggestedWindow: { start: -1, end: 2 } } })(request),
      /suggestedWindow\.start: must be a number from 0 to 1/,
    ],
    [
      'it is for another key',
      withCertificate(issue('a', { issuer: hierarchy().intermediate }).certificatePem),
      /for another key/,
    ],
    [
      'the chain leads elsewhere',
      (request) => change({ renewal: { ...endpoint.renewal, roots: other.root.certificatePem } })(request),
      /was issued by none of/,
    ],
  ])('%s', async (_, answer, words) => {
    answering(answer);
    expect(await wake(options)).toBe(Outcome.failed);
    const { problem, memory } = readState(folder.dir);
    expect(problem).toMatch(words);
    // A signature was wasted.
    expect(memory.delayMs).toBeGreaterThanOrEqual(30 * SECOND);
    expect(current()).toBeUndefined();
  });

  test.each([
    ['it has expired', { notAfter: ago(SECOND) }, /expired at/],
    ['it is not valid yet', { notBefore: ahead(HOUR) }, /is not valid before/],
  ])('%s', async (_, leaf, words) => {
    endpoint.leaf = leaf;
    expect(await wake(options)).toBe(Outcome.failed);
    expect(readState(folder.dir)).toMatchObject({ problem: expect.stringMatching(words) });
    expect(current()).toBeUndefined();
    await wake(options);
    expect(asked()).toHaveLength(1);
  });

  test('it comes from somebody else: no token is shown to them', async () => {
    await using impostor = await startEndpoint(other);
    const settings = { ...options.settings, autocertUrl: impostor.url };
    expect(await wake({ ...options, settings })).toBe(Outcome.failed);
    expect(impostor.seen).toEqual([]);
    expect(log.lines[0]?.fields).toMatchObject({ code: 'UNTRUSTED' });
    // That wasted nothing: it is tried again soon.
    expect(readState(folder.dir).memory.delayMs).toBeLessThan(15 * SECOND);
  });
});

describe('files that are of no use are replaced at once:', () => {
  test.each<[string, () => void]>([
    ['expired', () => void put(25 * HOUR, -SECOND)],
    ['of another key', () => replaceCertificateFiles(folder.dir, { ...setOf(authority.root), key: otherKey() }, 0o644)],
    ['of another root', () => replaceCertificateFiles(folder.dir, { ...setOf(authority.root), roots: '' }, 0o644)],
    ['cut off', () => fs.truncateSync(join(put(HOUR, HOUR) && folder.dir, 'site.crt'), 100)],
    ['incomplete', () => fs.rmSync(join(put(HOUR, HOUR) && folder.dir, '..data', 'site.key'))],
    ['absurdly large', () => fs.truncateSync(join(put(HOUR, HOUR) && folder.dir, 'root.crt'), 1 << 22)],
  ])('%s', async (_, arrange) => {
    arrange();
    expect(await wake(options)).toBe(Outcome.valid);
    expect(asked()[0]?.body).toMatchObject({ starting: true });
    expect(summaryOf(current()?.certificate ?? '').names).toBe('DNS:localhost');
  });

  const otherKey = () => new Secret(authority.root.keyPem);
});
