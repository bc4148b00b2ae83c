import { checkImage } from '../../../constructs/validation.ts';

const DIGEST = `sha256:${'0a'.repeat(32)}`;

describe('image references', () => {
  test.each([
    'autocert',
    'autocert:0.1.0',
    `autocert@${DIGEST}`,
    `autocert:0.1.0@${DIGEST}`,
    'smallstep/step-ca:0.30.2',
    'registry.example.com/team/autocert:1.0.0',
    `registry.example.com:5000/team/auto_cert__x-y.z:v1_2@${DIGEST}`,
    'localhost:5000/autocert',
    'localhost/autocert:a.B-c',
  ])('%s', (image) => expect(checkImage('image', image)).toBe(image));

  test.each([
    '',
    'Autocert',
    'autocert:',
    'autocert:-1',
    'autocert@sha256:abc',
    `autocert@${DIGEST.toUpperCase()}`,
    `autocert@sha512:${'0a'.repeat(32)}`,
    `${DIGEST}`.replace(':', '@'),
    `autocert@${DIGEST}:0.1.0`,
    'https://registry.example.com/autocert',
    'registry.example.com//autocert',
    'autocert:1\n',
    `autocert:${'1'.repeat(129)}`,
    'a/'.repeat(300),
  ])('not %j', (image) =>
    expect(() => checkImage('image', image)).toThrow(/^image: got .* but it takes an image reference/),
  );
});
