import { addressDigits, blockExpression } from '../../../runtime/policy/address-digits.ts';

test.each([
  ['10.1.2.255', '0a0102ff'],
  ['::', '0'.repeat(32)],
  ['::1', '1'.padStart(32, '0')],
  ['fd00:1::', 'fd000001'.padEnd(32, '0')],
  ['fd00::1:2', `fd00${'0'.repeat(20)}00010002`],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['::102:304', '01020304'.padStart(32, '0')],
])('the digits of %s', (address, digits) => expect(addressDigits(address)).toBe(digits));

test.each([
  ['10.1.0.0/16', ['10.1.0.0', '10.1.255.255'], ['10.0.255.255', '10.2.0.0']],
  ['10.1.0.0/15', ['10.0.0.0', '10.1.255.255'], ['10.2.0.0', '9.255.255.255']],
  ['10.0.0.128/25', ['10.0.0.128', '10.0.0.255'], ['10.0.0.127', '10.0.1.128']],
  ['10.0.0.4/30', ['10.0.0.4', '10.0.0.7'], ['10.0.0.3', '10.0.0.8']],
  ['10.0.0.4', ['10.0.0.4'], ['10.0.0.5', '::a00:4']],
  ['0.0.0.0/0', ['255.1.2.3'], ['::1']],
  ['fd00:1::/33', ['fd00:1:7fff::1'], ['fd00:1:8000::', '10.0.0.1']],
  ['::/0', ['fd00::1'], ['10.0.0.1']],
])('%s is a block of its addresses alone', (block, inside, outside) => {
  const expression = new RegExp(blockExpression(block));
  expect(inside.filter((address) => !expression.test(addressDigits(address)))).toEqual([]);
  expect(outside.filter((address) => expression.test(addressDigits(address)))).toEqual([]);
});
