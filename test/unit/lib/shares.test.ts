import fc from 'fast-check';
import { type Share, Shares } from '../../../runtime/lib/shares.ts';

/** Takes one for as long as there is room. */
function takeAll(shares: Shares, ...holders: string[]): Share[] {
  const taken: Share[] = [];
  for (let share = shares.take(holders); share; share = shares.take(holders)) taken.push(share);
  return taken;
}

test('who takes whatever there is ends with half, the next with half of the rest', () => {
  const shares = new Shares(64);
  expect(['a', 'b', 'c'].map((holder) => takeAll(shares, holder).length)).toEqual([32, 16, 8]);
  expect(shares.take(['d'])).toBeDefined();
});

test('what is given back can be had again, and giving it back twice gives nothing twice', () => {
  const shares = new Shares(4);
  const [first] = takeAll(shares, 'a');
  expect(shares.take(['a'])).toBeUndefined();
  first?.release();
  first?.release();
  expect(shares.taken).toBe(1);
  expect(takeAll(shares, 'a')).toHaveLength(1);
});

test('whoever takes in two names is bounded by both', () => {
  const shares = new Shares(16);
  expect(takeAll(shares, 'address 1', 'namespace a')).toHaveLength(8);
  expect(shares.take(['address 2', 'namespace a'])).toBeUndefined();
  expect(shares.take(['address 1', 'namespace b'])).toBeUndefined();
  expect(shares.take(['address 2', 'namespace b'])).toBeDefined();
});

test('more is taken where there is room, and all of it is given back', () => {
  const shares = new Shares(100);
  const share = shares.take(['a'], 10);
  expect(share?.more(40)).toBe(true);
  expect(share?.more(1)).toBe(false);
  expect(shares.taken).toBe(50);
  share?.release();
  expect(shares.taken).toBe(0);
});

test('there is never more taken than there is, whoever takes and gives back', () => {
  const step = fc.record({ holder: fc.integer({ min: 0, max: 5 }), amount: fc.integer({ min: 0, max: 40 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const shares = new Shares(100);
      const held: Share[] = [];
      for (const { holder, amount } of steps) {
        const share = shares.take([String(holder)], amount);
        if (share) held.push(share);
        else held.shift()?.release();
        expect(shares.taken).toBeLessThanOrEqual(100);
      }
      for (const share of held) share.release();
      expect(shares.taken).toBe(0);
    }),
  );
});
