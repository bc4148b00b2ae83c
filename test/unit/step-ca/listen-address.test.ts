import { parseListenAddress } from '../../../runtime/step-ca/listen-address.ts';

test.each([
  [':9000', { host: '::', port: 9000 }],
  ['127.0.0.1:1234', { host: '127.0.0.1', port: 1234 }],
  ['localhost:1234', { host: 'localhost', port: 1234 }],
  ['[::1]:1234', { host: '::1', port: 1234 }],
])('%s is an address to listen on', (text, address) => {
  expect(parseListenAddress(text)).toEqual(address);
});

test.each(['', 'nonsense', '9000', '127.0.0.1', '::1:9000', ':0', ':65536', ':-1', 'https://localhost:9000', 'a b:1'])(
  '%j is none',
  (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining('host:port or :port') }),
    );
  },
);
