import { UsedTokens } from '../../../runtime/ca/used-tokens.ts';

const NOW = new Date('2027-01-01T00:00:00Z');
const later = (seconds: number) => new Date(+NOW + seconds * 1000);

test('a token is used once, for as long as it would be accepted', () => {
  const used = new UsedTokens();
  expect(used.add('a', later(300), NOW)).toBe(true);
  expect(used.add('b', later(300), NOW)).toBe(true);
  expect(used.add('a', later(300), NOW)).toBe(false);
  // the verifier accepts it for a minute more
  expect(used.add('a', later(300), later(360))).toBe(false);
});
