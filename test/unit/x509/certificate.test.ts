import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { Secret } from '../../../runtime/lib/secret.ts';
import {
  canonicalPem,
  fingerprintOf,
  isCertificate,
  isForKey,
  splitPem,
  summaryOf,
  validityOf,
  verifyChain,
} from '../../../runtime/x509/certificate.ts';
import { hierarchy, issue } from '../../support/tiny-ca.ts';

const { root, intermediate, leaf, chain } = hierarchy(['a.example', '10.0.0.1']);
const HOUR = 3_600_000;

describe('reading', () => {
  test('splitPem gives each certificate of a bundle and skips everything else', () => {
    const bundle = `# comment\n${chain.join('\nsome text\n')}${leaf.keyPem}`;
    expect(splitPem(bundle)).toEqual(chain);
    expect(splitPem('')).toEqual([]);
  });

  test('the fingerprint is the SHA-256 of the DER in lower-case hex', () => {
    const der = new X509Certificate(root.certificatePem).raw;
    expect(fingerprintOf(root.certificatePem)).toBe(createHash('sha256').update(der).digest('hex'));
  });

  test('validity, serial number and names are those of the certificate', () => {
    const notBefore = new Date('2026-01-01T00:00:00Z');
    const notAfter = new Date('2026-01-02T00:00:00Z');
    const { certificatePem } = issue('b.example', { names: ['b.example'], notBefore, notAfter });
    expect(validityOf(certificatePem)).toEqual({ notBefore, notAfter });
    expect(summaryOf(certificatePem)).toMatchObject({
      names: 'DNS:b.example',
      serial: expect.stringMatching(/^01[0-9a-f]+$/),
    });
  });

  test('what is no certificate is named in the error', () => {
    expect(() => canonicalPem('hello', 'what the CA answered')).toThrow(
      'what the CA answered is not a PEM certificate',
    );
  });

  test('isForKey tells whether key and certificate are a pair, whatever the key is', () => {
    expect(isForKey(leaf.certificatePem, new Secret(leaf.keyPem))).toBe(true);
    expect(isForKey(leaf.certificatePem, new Secret(root.keyPem))).toBe(false);
    expect(isForKey(leaf.certificatePem, new Secret('not a key'))).toBe(false);
  });
});

test('a block that only looks like a certificate is none', () => {
  const [block = ''] = splitPem('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  expect([isCertificate(block), isCertificate(hierarchy().root.certificatePem)]).toEqual([false, true]);
});

describe('verifyChain', () => {
  const roots = [root.certificatePem];
  const now = new Date();
  const failing = (pems: readonly string[], anchors: readonly string[] = roots, at = now) => {
    try {
      verifyChain(pems, anchors, at);
    } catch (error) {
      return error instanceof AutocertError ? `${error.code} ${error.message}` : error;
    }
    return undefined;
  };

  test('accepts leaf and intermediate under a pinned root', () => expect(failing(chain)).toBeUndefined());

  test('accepts any of several pinned roots', () => {
    const other = issue('Other Root', { ca: true });
    expect(failing(chain, [other.certificatePem, root.certificatePem])).toBeUndefined();
  });

  test('accepts a leaf that the root itself issued', () => {
    const direct = issue('c.example', { issuer: root });
    expect(failing([direct.certificatePem])).toBeUndefined();
  });

  test('refuses another root, even one of the same name', () => {
    const impostor = issue(root.commonName, { ca: true });
    expect(failing(chain, [impostor.certificatePem])).toMatch(/^UNTRUSTED .*issued by none of the pinned roots/);
  });

  test('refuses a chain without its intermediate, one out of order, and an empty one', () => {
    expect(failing(chain.slice(0, 1))).toMatch(/issued by none of the pinned roots/);
    expect(failing([...chain].reverse())).toMatch(/is a CA certificate where a leaf is wanted/);
    expect(failing([])).toMatch(/the chain is empty/);
  });

  test('refuses an issuer that is no CA', () => {
    const child = issue('d.example', { issuer: leaf });
    expect(failing([child.certificatePem, ...chain])).toMatch(/"CN=d.example" was not issued by "CN=a.example"/);
  });

  test('refuses a leaf whose signature is by another key', () => {
    const forged = issue('a.example', { issuer: { ...intermediate, privateKey: leaf.privateKey } });
    expect(failing([forged.certificatePem, intermediate.certificatePem])).toMatch(/was not issued by/);
  });

  test('refuses what is expired or not yet valid, and says what the clock says', () => {
    expect(failing(chain, roots, new Date(now.getTime() + 48 * HOUR))).toMatch(/"CN=a.example" expired at 20/);
    expect(failing(chain, roots, new Date(now.getTime() - HOUR))).toMatch(/not valid before .* clock says/);
  });

  test('refuses an expired intermediate or root', () => {
    const notAfter = new Date(now.getTime() - 1_000);
    const old = issue('Old Intermediate', { ca: true, issuer: root, notAfter });
    const child = issue('e.example', { issuer: old });
    expect(failing([child.certificatePem, old.certificatePem])).toMatch(/"CN=Old Intermediate" expired/);
    const oldRoot = issue('Old Root', { ca: true, notAfter });
    expect(failing([issue('f.example', { issuer: oldRoot }).certificatePem], [oldRoot.certificatePem])).toMatch(
      /"CN=Old Root" expired/,
    );
  });

  describe('with a cross certificate behind the intermediate', () => {
    const next = issue('Next Root', { ca: true });
    const cross = issue('Next Root', { ca: true, issuer: root, publicKey: createPublicKey(next.privateKey) });
    const below = issue('Next Intermediate', { ca: true, issuer: next });
    const crossed = [issue('g.example', { issuer: below }).certificatePem, below.certificatePem, cross.certificatePem];

    test('accepts the old root, the new root, and both', () => {
      const [one, other] = [root.certificatePem, next.certificatePem];
      for (const anchors of [[one], [other], [one, other]]) expect(failing(crossed, anchors)).toBeUndefined();
    });

    test('accepts the new root also when the old one has expired, and names it when it is alone', () => {
      const notAfter = new Date(now.getTime() - 1_000);
      const old = issue('Old Root', { ca: true, notAfter });
      const late = issue('Next Root', { ca: true, issuer: old, publicKey: createPublicKey(next.privateKey) });
      const pems = [...crossed.slice(0, 2), late.certificatePem];
      expect(failing(pems, [old.certificatePem, next.certificatePem])).toBeUndefined();
      expect(failing(pems, [old.certificatePem])).toMatch(/"CN=Old Root" expired/);
    });

    test('does not look at what follows a certificate that an anchor has issued, but for that it is one', () => {
      const stranger = issue('Stranger', { ca: true }).certificatePem;
      expect(failing([...chain, stranger])).toBeUndefined();
      expect(failing([...chain, 'no certificate'])).toMatch(/certificate 3 of the chain is not a PEM certificate/);
    });

    test('refuses a cross certificate by a root that nobody pinned', () => {
      expect(failing(crossed, [issue('Other', { ca: true }).certificatePem])).toMatch(
        /"CN=Next Root" was issued by none/,
      );
    });

    test('looks at ten certificates at most', () => {
      expect(failing(Array.from({ length: 11 }, () => leaf.certificatePem))).toMatch(/11 certificates, and at most 10/);
    });
  });
});
