import { createPrivateKey, X509Certificate } from 'node:crypto';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { placeholderCertificate, type ServingPair } from '../../../runtime/webhook/placeholder-certificate.ts';
import { ServingCertificate } from '../../../runtime/webhook/serving-certificate.ts';
import { splitPem, type Validity, validityOf } from '../../../runtime/x509/certificate.ts';
import { keptLog } from '../../support/logs.ts';
import { MemoryCa } from '../../support/memory-ca.ts';
import { issue } from '../../support/tiny-ca.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The webhook with a CA, on a clock of its own; the CA's own clock is right. */
class World {
  /** The webhook's clock, ahead of the CA's by `ahead`. */
  time = Math.floor(Date.now() / SECOND) * SECOND;
  ahead = 0;
  names: readonly string[] = ['autocert.step.svc', 'autocert.step'];
  replaceBefore = 0;
  readonly ca = new MemoryCa(() => new Date(this.time));
  readonly log = keptLog();
  readonly installed: { pair: ServingPair; validity: Validity }[] = [];
  readonly #now = () => new Date(this.time + this.ahead);
  readonly issuer = this.ca.issuer({ now: this.#now, monotonic: () => this.time });
  readonly serving = new ServingCertificate({
    issuer: this.issuer,
    names: () => this.names,
    replaceBefore: () => this.replaceBefore,
    install: (pair, validity) => void this.installed.push({ pair, validity }),
    now: this.#now,
    random: () => 0.5,
    log: this.log,
  });

  /** A world whose CA has been reached, and gives certificates for `lifetime`. */
  static async with(lifetime = DAY): Promise<World> {
    const world = new World();
    world.ca.defaultLifetime = lifetime;
    await world.issuer.refresh();
    return world;
  }

  /** Keeps the certificate every so often for a while, with a look at the CA between, as the program does. */
  async pass(ms: number, every = SECOND): Promise<void> {
    for (const end = this.time + ms; this.time < end; this.time += every) {
      await this.issuer.probe().catch(() => {});
      await this.serving.keep().catch(() => {});
    }
  }

  get signed(): number {
    return this.ca.signatures.length;
  }
}

describe('the first certificate', () => {
  test('is for all names, has a key of its own, and leads to the root', async () => {
    const world = await World.with();
    expect(world.serving.isValid).toBe(false);
    await world.serving.keep();
    expect(world.serving.isValid).toBe(true);
    const { certificatePem, keyPem } = world.installed[0]?.pair ?? placeholderCertificate(new Date());
    const leaf = new X509Certificate(certificatePem);
    expect(leaf.subject).toBe('CN=autocert.step.svc');
    expect(leaf.subjectAltName).toBe('DNS:autocert.step.svc, DNS:autocert.step');
    expect(leaf.checkPrivateKey(createPrivateKey(keyPem.reveal()))).toBe(true);
    expect(certificatePem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(String(keyPem)).toBe('[redacted]');
    // The CA's own default: the provisioner's, which the webhook does not choose.
    expect(world.ca.signatures).toEqual([{ commonName: 'autocert.step.svc', sans: world.names }]);
  });

  test('has the first name that is short enough as its common name', async () => {
    const world = await World.with();
    const long = `${'a'.repeat(60)}.step.svc`;
    world.names = [long, 'autocert.step.svc'];
    await world.serving.keep();
    expect(world.ca.signatures).toEqual([{ commonName: 'autocert.step.svc', sans: world.names }]);
    world.names = [long];
    await world.serving.keep();
    expect(new X509Certificate(world.installed[1]?.pair.certificatePem ?? '').subjectAltName).toBe(`DNS:${long}`);
  });

  test('is not asked for while the CA is away; then it is, at once', async () => {
    const world = new World();
    await expect(world.serving.keep()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the CA has not been asked yet',
    });
    world.ca.failure = new AutocertError('UNAVAILABLE', 'connection refused');
    await world.pass(MINUTE);
    expect(world.serving.isValid).toBe(false);
    world.ca.failure = undefined;
    await world.pass(SECOND);
    expect(world.serving.isValid).toBe(true);
    expect(world.signed).toBe(1);
  });
});

describe('its renewal', () => {
  test('comes between a half and two thirds of its life, each time with another key', async () => {
    const world = await World.with(DAY);
    await world.pass(12 * HOUR, MINUTE);
    expect(world.signed).toBe(1);
    await world.pass(4 * HOUR, MINUTE);
    expect(world.signed).toBe(2);
    await world.pass(2 * DAY, MINUTE);
    expect(world.signed).toBe(5);
    expect(new Set(world.installed.map(({ pair }) => pair.keyPem.reveal())).size).toBe(5);
  });

  test('of 90 days costs one certificate, not hundreds: no timer of that length is set', async () => {
    const world = await World.with(90 * DAY);
    await world.pass(HOUR);
    await world.pass(44 * DAY, HOUR);
    expect(world.signed).toBe(1);
    await world.pass(30 * DAY, HOUR);
    expect(world.signed).toBe(2);
  });

  test('that fails leaves the one in hand in use; the next try renews it', async () => {
    const world = await World.with(HOUR);
    await world.pass(SECOND);
    world.ca.failure = new AutocertError('UNAVAILABLE', 'connection refused');
    await world.pass(50 * MINUTE);
    expect(world.installed).toHaveLength(1);
    expect(world.serving.isValid).toBe(true);
    await world.pass(20 * MINUTE);
    expect(world.serving.isValid).toBe(false);
    world.ca.failure = undefined;
    await world.pass(SECOND);
    expect(world.serving.isValid).toBe(true);
    expect(world.signed).toBe(2);
  });

  test('comes at once, and once, where autocert renew asks for it', async () => {
    const world = await World.with();
    await world.pass(MINUTE);
    world.replaceBefore = world.time;
    await world.pass(MINUTE);
    expect(world.signed).toBe(2);
  });

  test('comes at once, and once, where its root is trusted no more: the API server would refuse it', async () => {
    const world = await World.with();
    await world.pass(MINUTE);
    world.ca.replaceRoot();
    await world.issuer.refresh();
    await world.pass(MINUTE);
    expect(world.signed).toBe(2);
    const [, intermediate = ''] = splitPem(world.installed[1]?.pair.certificatePem ?? '');
    expect(new X509Certificate(intermediate).checkIssued(new X509Certificate(world.ca.root))).toBe(true);
  });

  test('comes at once where the names have changed', async () => {
    const world = await World.with();
    await world.pass(SECOND);
    world.names = ['autocert.step.svc', 'autocert.step.svc.cluster.local'];
    await world.pass(MINUTE);
    expect(world.ca.signatures.map(({ sans }) => sans)).toEqual([['autocert.step.svc', 'autocert.step'], world.names]);
  });

  test('is tried again where it has failed for the new names, with the old ones in use', async () => {
    const world = await World.with();
    await world.pass(SECOND);
    world.names = ['autocert.example.com'];
    world.ca.refusal = new AutocertError('CA_REJECTED', 'the CA answered 403: name not allowed', { status: 403 });
    await world.pass(5 * SECOND);
    expect(world.serving.isValid).toBe(true);
    world.ca.refusal = undefined;
    await world.pass(2 * SECOND);
    expect(world.ca.signatures.at(-1)?.sans).toEqual(world.names);
  });
});

describe('a wrong clock', () => {
  /** Certificates signed in a day with the webhook's clock so far ahead. */
  async function signedInADay(lifetime: number, ahead: number): Promise<number> {
    const world = await World.with(lifetime);
    world.ahead = ahead;
    await world.pass(DAY, 10 * SECOND);
    return world.signed;
  }

  test.each([
    ['ahead by less than the lifetime', 17 * HOUR],
    ['ahead by more than the lifetime, so that no certificate can be used,', 30 * HOUR],
    ['ahead by years', 10 * 365 * DAY],
    ['two hours behind', -2 * HOUR],
  ])('%s costs no more than a certificate an hour', async (_title, ahead) => {
    const signed = await signedInADay(DAY, ahead);
    // It doubles its pauses at first, from a second to an hour.
    expect(signed).toBeLessThanOrEqual(24 + 13);
  });

  test('costs a twentieth of a short lifetime each', async () => {
    expect(await signedInADay(2 * HOUR, 1.8 * HOUR)).toBeLessThanOrEqual(DAY / (6 * MINUTE) + 1);
  });

  test('that is set right is noticed at once', async () => {
    const world = await World.with(DAY);
    world.ahead = 30 * HOUR;
    await world.pass(DAY, MINUTE);
    expect(world.serving.isValid).toBe(false);
    world.ahead = 0;
    await world.pass(2 * SECOND);
    expect(world.serving.isValid).toBe(true);
  });

  test('that jumps ahead beyond the expiry of the one in hand has it replaced', async () => {
    const world = await World.with(DAY);
    await world.pass(SECOND);
    world.time += 2 * DAY;
    await world.pass(SECOND);
    expect(world.serving.isValid).toBe(true);
    expect(world.signed).toBe(2);
  });
});

describe('what goes wrong', () => {
  test('is said once, and known until it works', async () => {
    const world = await World.with();
    world.ca.refusal = new AutocertError('CA_REJECTED', 'the CA answered 403: name not allowed', { status: 403 });
    await world.pass(MINUTE);
    expect(world.serving.problem).toBe('the CA answered 403: name not allowed');
    expect(world.log.lines).toEqual([
      { level: 'warn', message: 'no serving certificate', fields: { reason: 'the CA answered 403: name not allowed' } },
    ]);
    world.ca.refusal = undefined;
    await world.pass(SECOND);
    expect(world.serving.problem).toBeUndefined();
    expect(world.log.lines.at(-1)).toMatchObject({ level: 'info', message: 'serving certificate obtained' });
  });

  test('a chain that leads to another root is not taken into use', async () => {
    const world = await World.with();
    world.ca.leaf = { issuer: issue('Another Root', { ca: true }) };
    await world.pass(10 * SECOND);
    expect(world.installed).toEqual([]);
    expect(world.serving.problem).toMatch(/does not verify/);
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
