import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { describeCertificate } from '../../../runtime/x509/certificate-description.ts';
import { certificateShortText, certificateText } from '../../../runtime/x509/certificate-text.ts';
import { toPem } from '../../../runtime/x509/der.ts';

const FIXTURES = 'test/fixtures/certificates';
const fixture = (file: string) => readFileSync(`${FIXTURES}/${file}`, 'utf8');
const certificates = readdirSync(FIXTURES).flatMap((file) => (file.endsWith('.pem') ? [file.slice(0, -4)] : []));

describe.each(certificates)('%s', (name) => {
  const certificate = describeCertificate(fixture(`${name}.pem`));

  test('is printed as step certificate inspect prints it', () => {
    expect(certificateText(certificate)).toBe(fixture(`${name}.txt`));
  });

  test('is printed as step certificate inspect --short prints it', () => {
    expect(certificateShortText(certificate)).toBe(fixture(`${name}.short.txt`));
  });
});

test('a description survives JSON', () => {
  const certificate = describeCertificate(fixture('rsa-all-extensions.pem'));
  expect(JSON.parse(JSON.stringify(certificate))).toMatchObject({
    serialNumber: '199016338213773616441291610554979294861176630904',
    notBefore: '2026-11-24T10:59:22.000Z',
    isCa: true,
  });
});

test.each(['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
  '%j is not a certificate',
  (pem) => {
    expect(() => describeCertificate(pem)).toThrow(
      expect.objectContaining({
        code: 'INVALID_INPUT',
        message: 'not a certificate: wanted PEM (-----BEGIN CERTIFICATE-----)',
      }),
    );
  },
);

describe('a certificate with one damaged byte is described or refused, never a crash:', () => {
  const { raw } = new X509Certificate(fixture('rsa-all-extensions.pem'));

  test.each([0x01, 0x02, 0x20, 0x80, 0xff])('any byte XOR %d', (change) => {
    for (let position = 0; position < raw.length; position++) {
      const damaged = Buffer.from(raw);
      damaged[position] = (damaged[position] ?? 0) ^ change;
      try {
        certificateText(describeCertificate(toPem('CERTIFICATE', damaged)));
      } catch (error) {
        if (!(error instanceof AutocertError)) throw error;
      }
    }
  });
});
