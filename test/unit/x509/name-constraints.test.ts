import { encodeNameConstraints } from '../../../runtime/x509/name-constraints.ts';

const refused = (name: string) => () => encodeNameConstraints(['svc', name]);

test.each([
  '',
  '*.example.com',
  'Example.com',
  'example.com.',
  '.example.com',
  'a b',
  'spiffe://x',
  '10.0.0.0/33',
  '1/2',
  'fd00::/129',
  '10.0.0.0/8/8',
])('a permitted name is a domain, an address or a block: not %j', (name) =>
  expect(refused(name)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' })),
);

test('there are at most 200', () => {
  const names = Array.from({ length: 201 }, (_, index) => `n${index}.test`);
  expect(() => encodeNameConstraints(names.slice(1))).not.toThrow();
  expect(() => encodeNameConstraints(names)).toThrow('201 permitted names are more than 200');
});

test('an address of a block counts less what is behind the prefix', () => {
  expect(encodeNameConstraints(['10.1.2.3/16'])).toEqual(encodeNameConstraints(['10.1.0.0/16']));
});

test('what is not given is not permitted: each kind of name is there', () => {
  const tags = (names: readonly string[]) =>
    [
      ...encodeNameConstraints(names)
        .toString('latin1')
        .matchAll(/[\x81\x82\x86\x87]/g),
    ].map(String);
  expect(new Set(tags([]))).toEqual(new Set(['\x81', '\x82', '\x86', '\x87']));
});
