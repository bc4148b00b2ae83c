import { parseName } from '../../../runtime/policy/names.ts';

describe('host names', () => {
  test.each([
    'sleep.default.svc.cluster.local',
    'localhost',
    'a-b.c1',
    '*.shop.svc',
    'xn--bcher-kva.example',
    '3com.example',
  ])('%s is one', (text) => {
    expect(parseName(text)).toEqual({ kind: 'dns', value: text });
  });

  test.each([
    ['', /is empty/],
    ['Sleep.default.svc', /upper-case letters; write "sleep\.default\.svc"/],
    ['sleep.default.svc.', /ends in a dot/],
    ['sleep..svc', /empty label/],
    ['.svc', /empty label/],
    ['a_b.svc', /underscore/],
    ['-a.svc', /inner hyphens/],
    ['a-.svc', /inner hyphens/],
    ['a/b.svc', /inner hyphens/],
    ['*', /stands for everything/],
    ['a.*.svc', /leftmost label/],
    ['a*.svc', /leftmost label/],
    ['*.*.svc', /leftmost label/],
    [`${'a'.repeat(64)}.svc`, /more than 63 characters/],
    [`${'a.'.repeat(126)}ab`, /more than 253/],
    ['me@shop.svc', /e-mail/],
    ['shop.svc:8080', /a name has no port/],
    ['slеep.default.svc', /not ASCII; write an international name as its A-label/], // Cyrillic е
    ['a b.svc', /space or control character/],
    ['a\n.svc', /space or control character/],
    ['a\0.svc', /space or control character/],
    ['a'.repeat(3000), /more than 2048/],
  ])('%j is none', (text, message) => {
    expect(() => parseName(text)).toThrow(message);
  });

  test('a homoglyph is seen in the message', () => {
    expect(() => parseName('slеep')).toThrow('"sl\\u0435ep"');
  });
});

describe('IP addresses', () => {
  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['FD00:0:0::1', 'fd00::1'],
    ['::1', '::1'],
  ])('%s is %s', (text, value) => {
    expect(parseName(text)).toEqual({ kind: 'ip', value });
  });

  test.each([
    ['010.0.0.1', /without leading zeros/],
    ['10.1', /last label is a number/],
    ['0x7f.1', /last label is a number/],
    ['0x7f000001', /last label is a number/],
    ['2130706433', /last label is a number/],
    ['1.2.3.256', /last label is a number/],
    ['::ffff:10.0.0.1', /IPv4 address in IPv6 form/],
    ['::FFFF:a00:1', /IPv4 address in IPv6 form/],
    ['fe80::1%eth0', /zone id/],
    ['[::1]', /brackets/],
    ['1::2::3', /no IPv6 address/],
  ])('%s is refused', (text, message) => {
    expect(() => parseName(text)).toThrow(message);
  });
});

describe('URIs', () => {
  test.each([
    'spiffe://cluster.local/ns/shop/sa/web',
    'https://shop.example.com:8443/api',
    'spiffe://cluster.local',
    'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  ])('%s is one', (text) => {
    expect(parseName(text)).toEqual({ kind: 'uri', value: text });
  });

  test.each([
    ['SPIFFE://cluster.local/a', /scheme in lower case/],
    ['spiffe://me:secret@cluster.local/a', /user or password/],
    ['spiffe://Cluster.local/a', /upper-case/],
    ['spiffe:///a', /its host "" is not a host name/],
    ['spiffe://cluster.local/a/../b', /segment ".."/],
    ['spiffe://cluster.local/a//b', /empty segment/],
    ['spiffe://cluster.local/a/', /empty segment/],
    ['spiffe://cluster.local/%2e%2e/b', /percent-encoding/],
    ['spiffe://cluster.local/a?b', /query/],
    ['spiffe://cluster.local/a#b', /fragment/],
    ['spiffe://cluster.local/*', /a character that paths of names may not have/],
    ['spiffe://0x7f.1/a', /last label is a number/],
    ['spiffe://cluster.local/a\u0000b', /control character/],
    ['//host/path', /scheme:\/\/host\/path|inner hyphens/],
  ])('%j is refused', (text, message) => {
    expect(() => parseName(text)).toThrow(message);
  });
});
