import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../../runtime/lib/secret.ts';
import { caOpener, Issuer, type Order } from '../../../runtime/step-ca/issuer.ts';
import { createProvisioner, type JwkProvisioner } from '../../../runtime/step-ca/one-time-token.ts';
import { fingerprintOf, isForKey } from '../../../runtime/x509/certificate.ts';
import { readKeyRequestPem } from '../../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest, type KeyAndRequest } from '../../../runtime/x509/csr.ts';
import { type Answer, type FakeCa, keyOfRequest, type Seen, startFakeCa } from '../../support/fake-ca.ts';
import { type IssueOptions, issue, type TestCertificate } from '../../support/tiny-ca.ts';

const NAME = 'web.shop.svc';
const PASSWORD = 'right';

let provisioner: JwkProvisioner;
let other: JwkProvisioner;
let key: KeyAndRequest;
let order: Order;
beforeAll(async () => {
  provisioner = await createProvisioner('autocert', new Secret(PASSWORD));
  other = await createProvisioner('autocert', new Secret('another'));
  key = await createKeyAndRequest();
  order = { request: readKeyRequestPem(key.csrPem, 'csr'), commonName: NAME, sans: [NAME], lifetimeMs: 3_600_000 };
});

let dir: string;
let ca: FakeCa;
let issuer: Issuer;
let clock: number;
const file = (name: string) => join(dir, name);
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-issuer-'));
  ca = await startFakeCa();
  ca.routes['/1.0/provisioners'] = [200, { provisioners: [provisioner] }];
  clock = 0;
  writeFileSync(file('root'), ca.root.certificatePem);
  writeFileSync(file('password'), `${PASSWORD}\n`);
  const config = {
    caUrl: ca.url,
    rootFile: file('root'),
    provisioner: 'autocert',
    provisionerPasswordFile: file('password'),
    provisionerNextPasswordFile: file('next-password'),
  };
  issuer = new Issuer({ open: caOpener(() => config), now: () => new Date(), monotonic: () => clock });
});
afterEach(async () => {
  await ca[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const signs = () => ca.seen.filter(({ path }) => path === '/1.0/sign');
const opened = () => ca.seen.filter(({ path }) => path.startsWith('/1.0/provisioners')).length;
const tokenOf = ({ body }: Seen) => {
  const [header = '', claims = ''] = (body as { ott: string }).ott.split('.');
  const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
  return { header: part(header), claims: part(claims) };
};
const refuse = (status: number): Answer => [status, { status, message: 'no' }];

/** A CA that signs with a certificate of `root`, whatever was asked. */
const signedBy = (root: TestCertificate, options: IssueOptions = {}, commonName = NAME) => {
  const intermediate = issue('Intermediate', { ca: true, issuer: root });
  ca.routes['/1.0/sign'] = ({ body }) => {
    const publicKey = keyOfRequest((body as { csr: string }).csr);
    const leaf = issue(commonName, { issuer: intermediate, names: [NAME], publicKey, ...options });
    return [201, { certChain: [leaf.certificatePem, intermediate.certificatePem] }];
  };
};

describe('an order', () => {
  test('is signed as it is: by a token for these names and this request alone, for this lifetime', async () => {
    const { chainPem, validity, serial } = await issuer.issue({ ...order, sans: [NAME, '10.0.0.1'] });
    expect(isForKey(chainPem[0] ?? '', key.keyPem)).toBe(true);
    expect(chainPem[1]).toBe(ca.intermediate.certificatePem);
    expect(+validity.notAfter).toBeGreaterThan(Date.now());
    expect(serial).toMatch(/^[0-9A-F]+$/);
    expect(signs()[0]?.body).toMatchObject({ csr: key.csrPem, notAfter: '3600s' });
    expect(signs().map(tokenOf)).toMatchObject([
      {
        header: { kid: provisioner.key.kid },
        claims: { sub: NAME, sans: [NAME, '10.0.0.1'], cnf: { 'x5rt#S256': key.fingerprint }, iss: 'autocert' },
      },
    ]);
  });

  test('without a lifetime leaves it to the CA; without a common name has the first name as its subject', async () => {
    const { request, sans } = order;
    await issuer.issue({ request, sans });
    const [sign] = signs();
    expect(sign?.body).not.toHaveProperty('notAfter');
    expect(sign && tokenOf(sign).claims.sub).toBe(NAME);
  });

  test.each([
    ['for another key', { publicKey: createPublicKey(issue('other').keyPem) }],
    ['that has expired', { notAfter: new Date(Date.now() - 1000) }],
    ['that is not valid yet', { notBefore: new Date(Date.now() + 60_000) }],
  ])('answered with a certificate %s is UNTRUSTED', async (_what, leaf) => {
    ca.leaf = leaf;
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });

  test('answered with a certificate of another root is UNTRUSTED', async () => {
    signedBy(issue('Stranger', { ca: true }));
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });

  test('for a long name alone is refused where the CA made it the common name, with the way out', async () => {
    const { request, sans } = order;
    signedBy(ca.root, {}, 'n'.repeat(65));
    await expect(issuer.issue({ request, sans })).rejects.toMatchObject({
      code: 'CA_REJECTED',
      message: expect.stringContaining('docs/constructs.md'),
    });
    signedBy(ca.root, {}, 'n'.repeat(64));
    await expect(issuer.issue({ request, sans })).resolves.toBeDefined();
  });
});

describe('whether the CA is away', () => {
  test('is not known before it was asked; the first probe reads the roots, too', async () => {
    expect(issuer.outage).toEqual({ reason: 'the CA has not been asked yet', since: 0 });
    await issuer.probe();
    expect(issuer.outage).toBeUndefined();
    expect(issuer.roots).toEqual([ca.root.certificatePem]);
  });

  test('is found out by an order, and how long since; a probe finds out that it is back', async () => {
    await issuer.refresh();
    clock = 1000;
    ca.routes['/1.0/sign'] = refuse(503);
    ca.routes['/health'] = refuse(503);
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 });
    clock = 2000;
    await expect(issuer.probe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(issuer.outage).toMatchObject({ since: 1000 });
    ca.routes['/health'] = [200, { status: 'ok' }];
    await issuer.probe();
    expect(issuer.outage).toBeUndefined();
  });

  test('is found out by a probe before any order', async () => {
    await issuer.probe();
    await ca[Symbol.asyncDispose]();
    await expect(issuer.probe()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(issuer.outage).toMatchObject({ reason: expect.stringContaining('no answer from') });
    ca = await startFakeCa();
  });

  test('an order that the CA refuses is no outage', async () => {
    await issuer.probe();
    ca.routes['/1.0/sign'] = refuse(403);
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'CA_REJECTED', status: 403 });
    expect(issuer.outage).toBeUndefined();
  });

  test("a token that the CA refuses is one: not the pod's doing. The key is then read again", async () => {
    await issuer.issue(order);
    ca.routes['/1.0/sign'] = ({ body }) =>
      tokenOf({ body } as Seen).header.kid === other.key.kid ? [500, {}] : refuse(401);
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [other] }];
    writeFileSync(file('password'), 'another');
    clock = 10_000;
    await expect(issuer.issue(order)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.not.stringMatching(/no: .*no/),
    });
    expect(issuer.outage).toMatchObject({ reason: expect.stringContaining('answered 401') });
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 500 });
  });

  test('a key that the CA replaced right after it was read is replaced here as soon as it may be, and used at once', async () => {
    await issuer.refresh();
    const right = ca.routes['/1.0/sign'];
    ca.routes['/1.0/sign'] = (seen) => {
      if (tokenOf(seen as Seen).header.kid !== other.key.kid) return refuse(401);
      return typeof right === 'function' ? right(seen) : (right ?? refuse(500));
    };
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [other] }];
    writeFileSync(file('next-password'), 'another');
    let isIssued = false;
    // As the webhook does during an outage: a probe every other second.
    for (clock = 500; !isIssued && clock < 60_000; clock += 2_000) {
      await issuer.probe().catch(() => {});
      isIssued = !issuer.outage && (await issuer.issue(order).then(Boolean, () => false));
    }
    expect(isIssued).toBe(true);
    expect(clock).toBeLessThan(10_000);
  });

  test('a CA that says it is healthy and signs nothing of use is asked for a signature ever more seldom', async () => {
    await issuer.probe();
    const right = ca.routes['/1.0/sign'];
    signedBy(issue('Another Root', { ca: true }));
    let tries = 0;
    for (clock = 0; clock < 600_000; clock += 2_000) {
      await issuer.probe();
      if (issuer.outage) continue;
      tries += 1;
      await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNTRUSTED' });
    }
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(20);
    if (right) ca.routes['/1.0/sign'] = right;
    clock += 60_000;
    await issuer.probe();
    await expect(issuer.issue(order)).resolves.toBeDefined();
    expect(issuer.outage).toBeUndefined();
  });

  test('a wave of refusals reads the key once in five seconds', async () => {
    await issuer.issue(order);
    ca.routes['/1.0/sign'] = refuse(401);
    clock = 5001;
    for (let i = 0; i < 5; i += 1) await issuer.issue(order).catch(() => {});
    expect(opened()).toBe(2);
    clock = 10_003;
    for (let i = 0; i < 5; i += 1) await issuer.issue(order).catch(() => {});
    expect(opened()).toBe(3);
  });
});

describe('a refresh', () => {
  test('keeps the connections while nothing has changed', async () => {
    await issuer.refresh();
    await issuer.probe();
    const before = ca.connections();
    for (let i = 0; i < 3; i += 1) {
      await issuer.issue(order);
      await issuer.probe();
    }
    expect(ca.connections()).toBe(before);
    await issuer.refresh();
    // What compares the files asks for the provisioners over a connection of its own.
    const compared = ca.connections();
    await issuer.issue(order);
    await issuer.probe();
    expect(ca.connections()).toBe(compared);
  });

  test('takes a replaced provisioner and its password into use', async () => {
    await issuer.refresh();
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [other] }];
    writeFileSync(file('password'), 'another');
    await issuer.refresh();
    await issuer.issue(order);
    expect(signs().map((sign) => tokenOf(sign).header.kid)).toEqual([other.key.kid]);
  });

  test('takes a new key into use whose password is the next one, and goes on when that has become the only one', async () => {
    await issuer.refresh();
    writeFileSync(file('next-password'), 'another\n');
    await issuer.refresh();
    ca.routes['/1.0/provisioners'] = [200, { provisioners: [other] }];
    await issuer.refresh();
    await issuer.issue(order);
    writeFileSync(file('password'), 'another');
    rmSync(file('next-password'));
    await issuer.refresh();
    await issuer.issue(order);
    expect(signs().map((sign) => tokenOf(sign).header.kid)).toEqual([other.key.kid, other.key.kid]);
  });

  test('takes a replaced root into use', async () => {
    await issuer.refresh();
    const next = issue('Next Root', { ca: true });
    writeFileSync(file('root'), ca.root.certificatePem + next.certificatePem);
    signedBy(next);
    await issuer.refresh();
    await expect(issuer.issue(order)).resolves.toBeDefined();
    expect(issuer.anchors).toEqual([ca.root.certificatePem, next.certificatePem]);
  });

  test('that finds a broken root says so; what was good stays in use', async () => {
    await issuer.refresh();
    writeFileSync(file('root'), 'no certificate');
    await expect(issuer.refresh()).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    expect(issuer.outage).toBeUndefined();
    await expect(issuer.issue(order)).resolves.toBeDefined();
  });

  test('that finds another password goes on with the key that is open, while the CA has it', async () => {
    await issuer.refresh();
    writeFileSync(file('password'), 'wrong');
    await issuer.refresh();
    expect(issuer.outage).toBeUndefined();
    await expect(issuer.issue(order)).resolves.toBeDefined();
  });

  test('before anything was good is an outage, for the reason that it gives', async () => {
    writeFileSync(file('password'), 'wrong');
    await expect(issuer.refresh()).rejects.toMatchObject({ code: 'WRONG_PASSWORD' });
    expect(issuer.outage).toMatchObject({ reason: expect.stringContaining('the password does not open') });
    writeFileSync(file('password'), PASSWORD);
    await issuer.refresh();
    expect(issuer.outage).toBeUndefined();
  });
});

describe('roots', () => {
  const answer = (path: string, ...roots: TestCertificate[]) => {
    ca.routes[path] = [201, { crts: roots.map(({ certificatePem }) => certificatePem) }];
  };
  const second = issue('Second Root', { ca: true });

  test('that the CA announces are trusted, and given to pods', async () => {
    answer('/1.0/roots', ca.root, second);
    await issuer.refresh();
    expect(issuer.anchors.map(fingerprintOf)).toEqual([ca.fingerprint, fingerprintOf(second.certificatePem)]);
    expect(issuer.roots).toEqual(issuer.anchors);
    signedBy(second);
    await expect(issuer.issue(order)).resolves.toBeDefined();
  });

  test('that the CA does not announce any more are not trusted any more', async () => {
    answer('/1.0/roots', ca.root, second);
    await issuer.refresh();
    answer('/1.0/roots', ca.root);
    await issuer.refresh();
    expect(issuer.anchors).toEqual([ca.root.certificatePem]);
    expect(issuer.roots).toEqual([ca.root.certificatePem]);
  });

  test('of federated CAs are given to pods, and not trusted', async () => {
    answer('/1.0/federation', ca.root, second);
    await issuer.refresh();
    expect(issuer.anchors).toEqual([ca.root.certificatePem]);
    expect(issuer.roots).toEqual([ca.root.certificatePem, second.certificatePem]);
    signedBy(second);
    await expect(issuer.issue(order)).rejects.toMatchObject({ code: 'UNTRUSTED' });
  });

  test('none at all is no answer: those that are known stay', async () => {
    await issuer.refresh();
    answer('/1.0/roots');
    await expect(issuer.refresh()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(issuer.roots).toEqual([ca.root.certificatePem]);
    expect(issuer.anchors).toEqual([ca.root.certificatePem]);
  });
});
